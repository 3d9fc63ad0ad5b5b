"""The plugin side: requests out, replies in, and typed consumers of services."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from protocol import messages, types
from protocol.messages import Reply
from protocol.scanner import Malformed, Scanner
from protocol.streams import Connection, OpenError, open_urls


class ServiceError(Exception):
    """The host answered with an error; the text is the host's."""


class ConnectionLost(Exception):
    """There is no connection, or it has ended."""


class MisuseError(Exception):
    """A mistake of the programmer, refused where it is made."""


class Pending:
    """A request that waits for its reply."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.reply: Reply | None = None


class Client:
    """The requests of one connection. One thread reads the replies; each caller writes its own request."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pending: dict[int, Pending] = {}
        self._sequence = 0
        self._end: str | None = None  # why the connection has ended
        self._lock = threading.Lock()
        self._writing = threading.RLock()
        threading.Thread(target=self._read, daemon=True).start()

    def request(self, **fields: Any) -> Reply:
        """Send a request and wait for its reply; raises ServiceError or ConnectionLost."""
        pending = Pending()
        with self._lock:
            if self._end is not None:
                raise ConnectionLost(self._end)
            self._sequence += 1
            sequence = self._sequence
            self._pending[sequence] = pending
        self._write(messages.write(sequence=sequence, **fields))
        pending.done.wait()
        if pending.reply is None:
            raise ConnectionLost(self._end)
        if pending.reply.error is not None:
            raise ServiceError(pending.reply.error)
        return pending.reply

    def _write(self, message: bytes) -> None:
        """Write a whole message, one at a time, as long as there is a connection."""
        rest = memoryview(message)
        with self._writing:
            while rest and self._end is None:
                try:
                    rest = rest[self._connection.write(rest) :]
                except OSError as error:
                    self._fail(f"connection lost: writing failed: {error.strerror}")

    def _read(self) -> None:
        scanner = Scanner()
        try:
            while data := self._connection.read():
                for message in scanner.feed(data):
                    self._deliver(messages.read_reply(message))
            within = " in the middle of a message" if scanner.within_message else ""
            self._fail(f"connection lost: end of file{within}")
        except Malformed as error:
            self._fail(f"connection lost: malformed message: {error}")
        except OSError as error:
            self._fail(f"connection lost: reading failed: {error.strerror}")
        with self._writing:
            self._connection.close_reading()
            self._connection.close_writing()

    def _deliver(self, reply: Reply) -> None:
        with self._lock:
            pending = self._pending.pop(reply.sequence, None)
        if pending is not None:  # a reply that nobody waits for is ignored
            pending.reply = reply
            pending.done.set()

    def _fail(self, reason: str) -> None:
        """End the connection: whoever waits fails, and so does every later request."""
        with self._lock:
            self._end = self._end or reason
            waiting = list(self._pending.values())
            self._pending.clear()
        for pending in waiting:
            pending.done.set()


Prototype = Callable[..., Any]


def signature(params: list[types.Type], results: list[types.Type]) -> Callable[[Prototype], Prototype]:
    """Say of a function what its parameters and results are."""

    def declare(function: Prototype) -> Prototype:
        function.signature = (params, results)  # type: ignore[attr-defined]
        return function

    return declare


def check_signature(function: Any, what: str) -> tuple[list[types.Type], list[types.Type]]:
    """The types of a function; raises MisuseError where it is none, or JSON cannot carry one of them."""
    if not callable(function) or not hasattr(function, "signature"):
        raise MisuseError(f"{what}: expected a function with a signature, got {function!r}")
    params, results = function.signature
    for of in [*params, *results]:
        if of == "error":
            raise MisuseError(f"{what}: an error cannot be an argument or result")
        if not types.is_type(of):
            raise MisuseError(f"{what}: JSON cannot carry values of the type {of!r}")
    return params, results


class Plugin:
    """What a plugin uses. The connection is opened by the first request; where that fails, the next one tries again."""

    def __init__(self, urls: list[str]) -> None:
        self.hosted = bool(urls)
        self._urls = urls
        self._client: Client | None = None
        self._lock = threading.Lock()

    def client(self) -> Client:
        """The connection; raises ConnectionLost."""
        with self._lock:
            if self._client is None:
                try:
                    self._client = Client(open_urls(self._urls))
                except OpenError as error:
                    raise ConnectionLost(str(error)) from None
            return self._client

    def has_namespace(self, namespace: str) -> bool:
        """Whether the host has a namespace."""
        return self.client().request(type="hasNamespace", namespace=namespace).ok

    def get_manifest(self, namespace: str) -> Any:
        """The manifest of a namespace."""
        reply = self.client().request(type="getManifest", namespace=namespace).reply
        return None if reply is messages.ABSENT else reply

    def list_services(self, namespace: str) -> list[str]:
        """The services of a namespace."""
        return self.client().request(type="listServices", namespace=namespace).services

    def consumer(self, namespace: str, name: str, prototype: Prototype) -> Callable[..., list[Any]]:
        """A function that calls a service with the prototype's types; raises MisuseError for a bad prototype."""
        params, results = check_signature(prototype, f'the consumer of "{name}"')

        def call(*args: Any) -> list[Any]:
            sent = types.check_all(params, list(args), "arguments")
            reply = self.client().request(type="call", namespace=namespace, name=name, args=sent).reply
            if not results and (reply is None or reply is messages.ABSENT):
                return []
            return types.check_all(results, [] if reply is messages.ABSENT else reply, "results")

        return call
