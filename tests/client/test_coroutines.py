"""Stubs to be awaited, and the functions of `plugsvc.aio` that plugins use."""

from __future__ import annotations

import asyncio
import inspect
import os
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Protocol

import pytest

import plugsvc
from plugsvc import aio
from plugsvc.client import default_session
from plugsvc.errors import (
    ArgumentError,
    CallTimeout,
    ConnectionLost,
    MisuseError,
    NotHosted,
    OpenError,
    RemoteError,
    ResultError,
    SignatureError,
)
from plugsvc.openers import URL, registry as openers

from .hosts import PipeHost, reply
from .loops import Run


@plugsvc.service("n")
async def add(a: int, b: int = 3) -> int:
    """Add two numbers."""
    raise NotImplementedError


def local(a: int, b: int = 3) -> int:
    return a - b


async def alocal(a: int, b: int = 3) -> int:
    await asyncio.sleep(0)
    return a - b


def handed_on(a: int, b: int = 3) -> Coroutine[Any, Any, int]:
    return alocal(a, b)


def test_it_looks_like_its_prototype() -> None:
    assert inspect.iscoroutinefunction(add)
    assert (add.__name__, add.__doc__) == ("add", "Add two numbers.")
    assert list(inspect.signature(add).parameters) == ["a", "b"]


def test_calls(adopted: PipeHost, run: Run) -> None:
    adopted.serve(lambda request: [reply(request["sequence"], sum(request["args"]))])

    async def main() -> None:
        assert await add(1, 2) == 3
        assert await add(a=1) == 4
        assert await asyncio.gather(*(add(number) for number in range(20))) == list(range(3, 23))

    run(main())


def test_errors(adopted: PipeHost, run: Run) -> None:
    def answer(request: dict[str, Any]) -> list[bytes]:
        if request["args"][0] == 1:
            return [b'{"sequence":%d,"error":"boom"}' % request["sequence"]]
        return [reply(request["sequence"], "text")]

    adopted.serve(answer)

    async def main() -> None:
        with pytest.raises(RemoteError, match=r"^boom$"):
            await add(1)
        with pytest.raises(ResultError, match=r"^expected int, got str, at \$\[0\]$"):
            await add(2)
        with pytest.raises(ArgumentError, match=r"^expected int, got str, at \$\[0\]$"):
            await add("x")  # type: ignore[arg-type]

    run(main())


def test_an_error_as_last_result_is_returned(adopted: PipeHost, run: Run) -> None:
    @plugsvc.service("n")
    async def half(a: int) -> tuple[int | None, Exception | None]:
        raise NotImplementedError

    adopted.serve(lambda request: [b'{"sequence":%d,"error":"boom"}' % request["sequence"]])

    async def main() -> None:
        found, error = await half(3)
        assert found is None
        assert isinstance(error, RemoteError)

    run(main())


def test_a_namespace_may_have_both(adopted: PipeHost, run: Run) -> None:
    class Numbers(Protocol):
        async def add(self, a: int, b: int) -> int: ...
        def sub(self, a: int, b: int) -> int: ...

    numbers = plugsvc.namespace_stub(Numbers, "n")  # type: ignore[type-abstract]
    adopted.serve(lambda request: [reply(request["sequence"], sum(request["args"]))])

    async def main() -> None:
        assert await numbers.add(1, 2) == 3
        assert await asyncio.to_thread(numbers.sub, 1, 2) == 3
        assert numbers.sub(1, 2) == 3

    run(main())


def test_timeouts(adopted: PipeHost, run: Run) -> None:
    limited = plugsvc.get_service("n", "add", alocal, timeout=0.02)

    async def main() -> None:
        with pytest.raises(CallTimeout, match=r"^n\.add: no reply within 0\.02 s$"):
            await limited(1)
        with pytest.raises(CallTimeout, match=r"^n\.add: no reply within 0\.01 s$"):
            await plugsvc.limit(limited, timeout=0.01)(1)
        plugsvc.set_default_timeout(0.03)
        with pytest.raises(CallTimeout, match=r"^n\.add: no reply within 0\.03 s$"):
            await add(1)
        with pytest.raises(CallTimeout, match=r"^hasNamespace 'n': no reply within 0\.03 s$"):
            await aio.has_namespace("n")
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.01):
                await plugsvc.limit(limited, timeout=None)(1)
        assert not isinstance(caught.value, CallTimeout)

    run(main())


def test_the_form_for_any_prototype(adopted: PipeHost, run: Run) -> None:
    adopted.serve(lambda request: [reply(request["sequence"], sum(request["args"]))])

    async def main() -> None:
        for stub in (
            aio.get_service("n", "add", local),
            aio.get_service("n", "add", alocal),
            aio.get_service("n", "add", ..., fallback=alocal),  # type: ignore[call-overload]
        ):
            assert inspect.iscoroutinefunction(stub)
            assert await stub(1) == 4
        untyped = aio.get_service("n", "add")
        assert untyped.__name__ == "n.add"
        assert await untyped(1, 2, 3) == 6
        with pytest.raises(MisuseError, match=r"^a service without a prototype takes no keyword arguments$"):
            await untyped(a=1)

    run(main())


def test_asking_the_host(adopted: PipeHost, run: Run) -> None:
    answers = {
        "hasNamespace": b'"ok":true',
        "listServices": b'"services":["a","b"]',
        "getManifest": b'"reply":{"version":2}',
    }
    adopted.serve(lambda request: [b'{"sequence":%d,%b}\n' % (request["sequence"], answers[request["type"]])])

    async def main() -> None:
        assert await aio.has_namespace("n") is True
        assert await aio.list_services("n") == ["a", "b"]
        assert await aio.get_manifest("n") == {"version": 2}
        with pytest.raises(ResultError, match=r"^the manifest of 'n': expected array, got object, at \$$"):
            await aio.get_manifest("n", list[int])
        with pytest.raises(MisuseError, match=r"^the name of a namespace is a string, got 7$"):
            await aio.has_namespace(7)  # type: ignore[arg-type]

    run(main())


# Without a host


def test_fallbacks(run: Run) -> None:
    stubs: list[Any] = [
        plugsvc.get_service("n", "s", alocal, fallback=alocal),
        plugsvc.service("n")(alocal),
        aio.get_service("n", "s", local, fallback=local),
        aio.get_service("n", "s", local, fallback=alocal),
        aio.get_service("n", "s", local, fallback=handed_on),
    ]

    async def main() -> None:
        for stub in stubs:
            assert await stub(5) == 2

    run(main())


def test_empty_bodies_are_no_fallback(run: Run) -> None:
    async def dots() -> None: ...

    async def documented() -> None:
        """Say something."""

    async def passed() -> None:
        pass

    async def not_implemented() -> None:
        """Say something."""
        raise NotImplementedError

    async def main() -> None:
        for function in (dots, documented, passed, not_implemented):
            with pytest.raises(NotHosted):
                await plugsvc.service("n")(function)()

    run(main())


def test_fallbacks_that_cannot_work() -> None:
    wrong: Any = 42
    with pytest.raises(SignatureError, match=r"^n\.s: expected a function as fallback, got 42$"):
        plugsvc.get_service("n", "s", alocal, fallback=wrong)


# Connecting


def test_connecting_blocks_no_loop_and_is_done_once(run: Run) -> None:
    host = PipeHost()
    opened: list[str] = []

    def opener(url: URL, mode: str, deadline: float) -> int:
        opened.append(mode)
        time.sleep(0.1)
        return os.dup((host.duplex.reader if mode == "r" else host.duplex.writer).fileno())

    ticks: list[int] = []

    async def tick() -> None:
        while len(opened) < 2 or default_session.connection is None:
            ticks.append(1)
            await asyncio.sleep(0.005)

    async def main() -> None:
        ticking = asyncio.ensure_future(tick())
        given_up = asyncio.ensure_future(add(1))
        await asyncio.sleep(0)
        given_up.cancel()  # leaves the attempt to the others
        assert await asyncio.gather(*(add(number) for number in range(10))) == list(range(3, 13))
        await ticking
        assert given_up.cancelled()

    with pytest.MonkeyPatch.context() as patch, host:
        host.serve(lambda request: [reply(request["sequence"], sum(request["args"]))])
        patch.setitem(openers._openers, "slow", opener)
        patch.setattr("sys.argv", ["plugin", "--host", "slow:in", "--host", "slow:out"])
        run(main())
        default_session.forget()
    assert opened == ["r", "w"]
    assert len(ticks) > 5


def test_a_failed_attempt(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.argv", ["plugin", "--host", f"file://{tmp_path}/none"])

    async def main() -> None:
        found = await asyncio.gather(*(add(number) for number in range(3)), return_exceptions=True)
        assert len({id(error) for error in found}) == 3
        for error in found:
            assert isinstance(error, OpenError)
            assert error.url == f"file://{tmp_path}/none"
        with pytest.raises(OpenError):
            await aio.init_service_client()
        with pytest.raises(MisuseError, match=r"^expected a list of one or two URLs, got a string$"):
            await aio.init_service_client("file:///dev/null")

    run(main())


def test_a_connection_that_was_lost_can_be_made_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        with pytest.raises(ConnectionLost, match=r"^the host closed the connection$"):
            await add(1)
        with PipeHost() as second:
            second.serve(lambda request: [reply(request["sequence"], sum(request["args"]))])
            fds = [os.dup(each.fileno()) for each in (second.duplex.reader, second.duplex.writer)]
            # The inherited descriptors belong to the connection from here on.
            await aio.init_service_client([f"file:///dev/fd/{fd}" for fd in fds])
            assert await add(1) == 4
            plugsvc.close()
            with pytest.raises(ConnectionLost, match=r"^the connection was closed by this program$"):
                await add(1)

    with PipeHost() as first:
        default_session.adopt(first.duplex)
        first.stop_writing()
        run(main())


def typed() -> Coroutine[Any, Any, int]:
    """For the type checker: stubs have the types of their prototypes."""
    stub = plugsvc.get_service("n", "s", alocal)
    other = aio.get_service("n", "s", local)
    coroutine: Coroutine[Any, Any, int] = other(1, 2)
    coroutine.close()
    return stub(1, b=2)


def test_not_hosted(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(NotHosted):
            await typed()

    run(main())
