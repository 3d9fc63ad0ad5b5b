"""The host side of one connection: requests in, replies out."""

from __future__ import annotations

import queue
import threading
from typing import Any

from protocol import messages, types
from protocol.messages import Request
from protocol.registry import Registry, Service, ServiceFailure
from protocol.scanner import Malformed, Scanner
from protocol.streams import Connection

GRACE = 1.0  # seconds for running services to be answered after a malformed request


class Server:
    """Answers requests: one thread reads, one writes, and each call has a thread of its own.

    So a slow service holds up nobody, and a reply that waits for room does not keep requests from being read.
    """

    def __init__(self, registry: Registry, connection: Connection) -> None:
        self.problem: str | None = None  # what was wrong with the requests
        self.read_all = threading.Event()  # nothing more is read
        self._registry = registry
        self._connection = connection
        self._replies: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._running = 0
        self._plugin_gone = False
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._write, daemon=True).start()

    def plugin_gone(self) -> None:
        """The plugin's process has ended: no service is waited for."""
        with self._changed:
            self._plugin_gone = True
            self._changed.notify_all()

    def _read(self) -> None:
        scanner = Scanner()
        try:
            while data := self._connection.read():
                for message in scanner.feed(data):
                    self._accept(messages.read_request(message))
            if scanner.within_message:
                raise Malformed("end of file in the middle of a message")
        except Malformed as error:
            self.problem = f"malformed request: {error}"
        except OSError as error:
            self.problem = f"cannot read requests: {error.strerror}"
        self._connection.close_reading()
        self.read_all.set()
        with self._changed:
            timeout = None if self.problem is None else GRACE
            self._changed.wait_for(lambda: self._running == 0 or self._plugin_gone, timeout)
        self._replies.put(None)

    def _write(self) -> None:
        """Write the replies in the order in which they are ready. A plugin that reads no more gets none."""
        try:
            while (message := self._replies.get()) is not None:
                rest = memoryview(message)
                while rest and not self._plugin_gone:
                    rest = rest[self._connection.write(rest) :]
        except OSError:
            while self._replies.get() is not None:
                pass
        self._connection.close_writing()

    def _accept(self, request: Request) -> None:
        namespace = self._registry.find(request.namespace)
        if request.type == "hasNamespace":
            self._reply(request, ok=namespace is not None)
        elif namespace is None:
            self._reply(request, error=f'undefined namespace "{request.namespace}"')
        elif request.type == "getManifest":
            self._reply(request, reply=namespace.manifest)
        elif request.type == "listServices":
            self._reply(request, services=sorted(namespace.services))
        elif request.type != "call":
            self._reply(request, error=f'invalid request type "{request.type}"')
        elif request.name not in namespace.services:
            self._reply(request, error=f'undefined service "{request.name}"')
        else:
            with self._changed:
                self._running += 1
            service = namespace.services[request.name]
            threading.Thread(target=self._call, args=(request, service), daemon=True).start()

    def _call(self, request: Request, service: Service) -> None:
        try:
            results = list(service.function(*_arguments(service, request)))
            self._reply(request, reply=types.check_all(service.results, results, "results"))
        except (ServiceFailure, types.Mismatch) as failure:
            self._reply(request, error=str(failure))
        except Exception as panic:
            self._reply(request, error=f"panic in service: {panic}")
        with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def _reply(self, request: Request, **fields: Any) -> None:
        try:
            message = messages.write(sequence=request.sequence, **fields)
        except (TypeError, ValueError) as error:
            message = messages.write(sequence=request.sequence, error=f"JSON cannot carry a result: {error}")
        self._replies.put(message)


def _arguments(service: Service, request: Request) -> list[Any]:
    if request.args is messages.ABSENT:
        raise types.Mismatch(f"expected {len(service.params)} arguments, got none")
    return types.check_all(service.params, request.args, "arguments")
