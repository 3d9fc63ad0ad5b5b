"""For tests of your own plugins and hosts: both sides in one process.

A plugin's code calls services through stubs; `hosted_by` connects them with a registry in the same process,
over real pipes and with the real marshaling:

    def test_my_plugin() -> None:
        with plugsvc.testing.hosted_by(my_registry):
            assert my_plugin.scan("image") == ["finding"]

`FakeHost` needs no registry. It answers what it is told to and keeps a list of the calls:

    def test_my_plugin() -> None:
        with plugsvc.testing.FakeHost() as host:
            host.answer("images", "list", ["a", "b"])
            host.fail("images", "open", "no such image")
            my_plugin.main()
            assert host.calls == [("images", "list", ()), ("images", "open", ("a",))]

And `connect` makes a connection of its own, beside that of the process, for tests of a registry.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import iscoroutinefunction
from types import TracebackType
from typing import Any, NamedTuple

from .client.api import default_session
from .client.connection import Connection
from .errors import ArgumentError, ServiceError
from .host.calls import Service
from .host.channel import Channel
from .host.registry import Registry
from .host.server import Server
from .marshal import Signature
from .openers import Duplex, FdStream
from .openers.descriptors import pipe

__all__ = ["Call", "FakeHost", "connect", "hosted_by"]

END_SECONDS = 10.0


@contextmanager
def hosted_by(registry: Registry, **limits: Any) -> Iterator[Server]:
    """While the block runs, this process is a plugin, and `registry` is what its host offers.

    `limits` are keyword arguments of `Server`. Afterwards the process is as it was: not connected. The
    server that the block gets tells by its `error`, after the block, whether the connection ended cleanly.

    Raises `MisuseError` when the process is connected to a host already.
    """
    server, duplex = _pair(registry, limits)
    try:
        default_session.adopt(duplex)
    except BaseException:
        server.close()
        duplex.close()
        raise
    try:
        yield server
    finally:
        default_session.forget()
        _end(server)


@contextmanager
def connect(registry: Registry, **limits: Any) -> Iterator[Connection]:
    """Connect to a registry; the block gets the plugin's end, which knows raw requests and replies only."""
    server, duplex = _pair(registry, limits)
    connection = Connection(duplex)
    try:
        yield connection
    finally:
        connection.close()
        _end(server)


def _pair(registry: Registry, limits: dict[str, Any]) -> tuple[Server, Duplex]:
    plugin_reads, host_writes = pipe()
    host_reads, plugin_writes = pipe()
    server = Server(registry, Channel.of_descriptors(host_reads, host_writes), **limits)
    server.start()
    return server, Duplex(FdStream(plugin_reads), FdStream(plugin_writes))


def _end(server: Server) -> None:
    # A service that still runs is not waited for: its plugin is gone.
    server.finish()
    if not server.wait(END_SECONDS):
        server.close()
        raise ServiceError(f"the connection has not ended within {END_SECONDS:g} s")


class Call(NamedTuple):
    """One call that a `FakeHost` has got."""

    namespace: str
    name: str
    args: tuple[Any, ...]


class FakeHost:
    """A host that answers as it is told. Use it in a `with` block, during which this process is hosted by it.

    `calls` are the calls that it has got, in their order, the unexpected ones, too. A service that it was not
    told of fails as with any host: `undefined service "name"`.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._lock = threading.Lock()
        self._registry = Registry()
        self._hosted: Any = None

    def define(self, namespace: str, manifest: Any = None) -> None:
        """Have a namespace, with that manifest. Raises `RegistrationError` when it is there already."""
        self._registry.define(namespace, manifest)

    def answer(self, namespace: str, name: str, *results: Any) -> None:
        """Let a service return these results: none, one or more. May be called again to change them."""
        self._put(namespace, name, lambda *args: results)

    def fail(self, namespace: str, name: str, error: str) -> None:
        """Let a service fail with that text."""

        def fails(*args: Any) -> tuple[Any, ...]:
            raise ServiceError(error)

        self._put(namespace, name, fails)

    def handle(self, namespace: str, name: str, function: Callable[..., Any]) -> None:
        """Let `function`, which may be a coroutine function, answer.

        It gets the arguments as JSON gives them, and returns one result.
        """
        if not iscoroutinefunction(function):
            self._put(namespace, name, lambda *args: (function(*args),))
            return

        async def awaited(*args: Any) -> tuple[Any, ...]:
            return (await function(*args),)

        self._put(namespace, name, awaited)

    def calls_of(self, namespace: str, name: str) -> list[tuple[Any, ...]]:
        """Return the arguments of each call of one service."""
        with self._lock:
            return [call.args for call in self.calls if call[:2] == (namespace, name)]

    def __enter__(self) -> FakeHost:
        self._hosted = hosted_by(self._registry)
        self._hosted.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        hosted, self._hosted = self._hosted, None
        hosted.__exit__(kind, error, traceback)

    def _put(self, namespace: str, name: str, function: Callable[..., Any]) -> None:
        def record(*args: Any) -> Any:
            with self._lock:
                self.calls.append(Call(namespace, name, args))
            return function(*args)

        target = self._registry.find(namespace)
        if target is None:
            self._registry.define(namespace)
            target = self._registry.find(namespace)
            assert target is not None
        service = Service(f"{namespace}/{name}", record, _UNTYPED, is_async=iscoroutinefunction(function))
        target.services = {**target.services, name: service}


class _Untyped:
    """Stands in for a signature: any number of arguments, any number of results."""

    returns_error = False
    _value = Signature.from_types([Any], [Any], side="provider", name="a fake service")

    def decode_args(self, raw: Any) -> tuple[Any, ...]:
        """Return the arguments. Raises `ArgumentError`."""
        (args,) = self._value.decode_args(b"[%b]" % bytes(raw if raw is not None else b"null"))
        if not isinstance(args, list):
            raise ArgumentError(f"expected an array of arguments, got {type(args).__name__}")
        return tuple(args)

    def encode_results(self, value: Any) -> bytes:
        """Return the results as an array. Raises `ResultError`."""
        return self._value.encode_results(list(value))[1:-1]

    def encode_outcome(self, value: Any) -> tuple[bytes | None, BaseException | None]:
        """Return the results as an array; there is no error among them. Raises `ResultError`."""
        return self.encode_results(value), None


_UNTYPED = _Untyped()
