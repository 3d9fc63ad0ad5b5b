"""Hosts for the tests: the other ends of two pipes, driven by the test itself or by a thread.

They read and write with the standard library's `json`, and know nothing of plugsvc's own reading and writing.
"""

from __future__ import annotations

import codecs
import json
import os
import select
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import pytest

from plugsvc.client import Connection
from plugsvc.errors import ConnectionLost
from plugsvc.openers import Duplex, FdStream
from plugsvc.wire import request_prefix

DEADLINE = 20.0

PREFIX = request_prefix("call", "n", "s")

Request = dict[str, Any]

FORKING = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
"""For tests that fork beside a thread; their children do nothing that another thread could have locked."""


def reply(sequence: int, *results: object) -> bytes:
    """Return a successful reply."""
    return json.dumps({"sequence": sequence, "reply": results}).encode() + b"\n"


class Tap:
    """A stream that does what `inner` does, save for the methods that a test replaces by setting attributes."""

    def __init__(self, inner: FdStream) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def on_read(self, function: Callable[[int], bytes | None]) -> None:
        """Have `function` read from now on."""
        self.read = function

    def on_write(self, function: Callable[[bytes | memoryview], int]) -> None:
        """Have `function` write from now on."""
        self.write = function

    def on_ready(self, function: Callable[[], bool]) -> None:
        """Have `function` say whether there is something to read; for connections that are made from now on."""
        self.ready = function

    def restore(self) -> None:
        """Do everything as `inner` does."""
        for name in ("read", "write", "ready"):
            self.__dict__.pop(name, None)


class PipeHost:
    """A host at the other ends of `duplex`. All its waiting has a deadline."""

    def __init__(self) -> None:
        plugin_reader, self.writer = os.pipe()
        self.reader, plugin_writer = os.pipe()
        self.from_host, self.to_host = Tap(FdStream(plugin_reader)), Tap(FdStream(plugin_writer))
        self.duplex = Duplex(self.from_host, self.to_host)
        self._buffer = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._threads: list[threading.Thread] = []
        self.failures: list[BaseException] = []

    def connection(self, **options: Any) -> Connection:
        """Return the plugin's connection to this host."""
        return Connection(self.duplex, **options)

    def receive(self, size: int = 1 << 20) -> bytes:
        """Return the next bytes from the plugin, `b""` at the end."""
        ready, _, _ = select.select([self.reader], [], [], DEADLINE)
        assert ready, "the plugin sent nothing in time"
        return os.read(self.reader, size)

    def request(self) -> Request | None:
        """Return the next request, None at the end of the stream."""
        while True:
            text = self._buffer.lstrip()
            if text:
                try:
                    message, end = json.JSONDecoder().raw_decode(text)
                except json.JSONDecodeError:
                    pass
                else:
                    self._buffer = text[end:]
                    assert isinstance(message, dict)
                    return message
            data = self.receive()
            if not data:
                assert not text, f"the plugin left half a message: {text[:80]!r}"
                return None
            self._buffer += self._decoder.decode(data)

    def requests(self) -> Iterator[Request]:
        """Yield requests up to the end of the stream."""
        while (request := self.request()) is not None:
            yield request

    def send(self, *messages: bytes) -> None:
        """Write all of it, however long the plugin takes to read it."""
        rest = memoryview(b"".join(messages))
        deadline = time.monotonic() + DEADLINE
        os.set_blocking(self.writer, False)
        while rest:
            _, ready, _ = select.select([], [self.writer], [], max(0, deadline - time.monotonic()))
            assert ready, f"the plugin did not read {len(rest)} bytes in time"
            rest = rest[os.write(self.writer, rest) :]

    def run(self, script: Callable[[], None]) -> threading.Thread:
        """Run a script for the host in a thread; what it raises makes `close` fail."""

        def guarded() -> None:
            try:
                script()
            except BaseException as error:
                self.failures.append(error)
                self.hang_up()

        thread = threading.Thread(target=guarded, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def serve(self, answer: Callable[[Request], Sequence[bytes]]) -> threading.Thread:
        """Answer each request with these messages, in a thread, up to the end of the stream."""

        def script() -> None:
            try:
                for request in self.requests():
                    self.send(*answer(request))
            except BrokenPipeError:
                return  # the plugin closed the connection first

        return self.run(script)

    def echo(self) -> threading.Thread:
        """Answer each request with its arguments."""
        return self.serve(lambda request: [reply(request["sequence"], *request["args"])])

    def hang_up(self) -> None:
        """Close both ends."""
        self.stop_writing()
        self.stop_reading()

    def stop_writing(self) -> None:
        """Close the end that the plugin reads from."""
        fd, self.writer = self.writer, -1
        if fd >= 0:
            os.close(fd)

    def stop_reading(self) -> None:
        """Close the end that the plugin writes to."""
        fd, self.reader = self.reader, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.duplex.close()
        for thread in self._threads:
            thread.join(DEADLINE)
            assert not thread.is_alive(), "the host's script did not end"
        self.hang_up()
        if error is None and self.failures:
            raise self.failures[0]


class Caller:
    """A call in a thread of its own."""

    def __init__(self, connection: Connection, args: bytes = b"[]", timeout: float | None = DEADLINE) -> None:
        self.reply: bytes | None = None
        self.error: Exception | None = None
        self._connection, self._args, self._timeout = connection, args, timeout
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            raw = self._connection.call_raw(PREFIX, self._args, self._timeout).reply
            self.reply = None if raw is None else bytes(raw)
        except Exception as error:
            self.error = error

    def join(self) -> None:
        """Wait for the end of the call."""
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "the call did not end"

    def result(self) -> Any:
        """Return the results, decoded."""
        self.join()
        if self.error is not None:
            raise self.error
        assert self.reply is not None
        return json.loads(self.reply)


def call(connection: Connection, *args: Any, timeout: float | None = DEADLINE) -> Any:
    """Return the results of a call."""
    raw = connection.call_raw(PREFIX, json.dumps(args).encode(), timeout).reply
    assert raw is not None
    return json.loads(bytes(raw))


def lost(connection: Connection) -> str:
    """Return why a call fails."""
    with pytest.raises(ConnectionLost) as caught:
        call(connection)
    assert str(caught.value) == caught.value.reason == connection.closed
    return caught.value.reason
