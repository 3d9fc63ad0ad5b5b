"""Services that are coroutine functions: no thread for a call, bounds, cancellation, and the loop waits for nobody."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvloop

from plugsvc.errors import ProtocolError, ServiceError
from plugsvc.host.registry import Registry
from plugsvc.host.tasks import Venue, own_loop

from .conftest import ROOT, TIMEOUT, Peer

Connect = Callable[..., Peer]
Factory = Callable[[], asyncio.AbstractEventLoop]

uvloop.new_event_loop().close()  # from the first loop on its library has a pipe for the signals of the process


@contextmanager
def running(factory: Factory = asyncio.new_event_loop) -> Iterator[asyncio.AbstractEventLoop]:
    """Run a loop in a thread."""
    loop = factory()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(TIMEOUT)
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


@pytest.fixture(params=["own", "asyncio", "uvloop"])
def place(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Where coroutines run, as argument of a server."""
    if request.param == "own":
        yield {}
        return
    with running({"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}[request.param]) as loop:
        yield {"venue": Venue.here(loop)}


class Gate:
    """Opens for coroutines of any loop, and knows who waits."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._changed = threading.Condition()
        self._open = False

    async def wait(self, who: Any = None) -> None:
        """Wait until it opens."""
        event = asyncio.Event()
        with self._changed:
            self.waiting.append(who)
            self._waiters.append((asyncio.get_running_loop(), event))
            if self._open:
                event.set()
            self._changed.notify_all()
        await event.wait()

    def until(self, count: int) -> None:
        """Wait, in the test, until so many have come to wait."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.waiting) >= count, TIMEOUT)

    def open(self) -> None:
        """Let all through, also those who are yet to come."""
        with self._changed:
            self._open = True
            for loop, event in self._waiters:
                loop.call_soon_threadsafe(event.set)


@pytest.fixture
def gate(registry: Registry) -> Gate:
    """What the service `wait` waits for."""
    made = Gate()

    @registry.service("test")
    async def wait(number: int) -> int:
        await made.wait(number)
        return number

    return made


# Answers


def test_an_answer(registry: Registry, connect: Connect, place: dict[str, Any]) -> None:
    @registry.service("test")
    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    peer = connect(registry, **place)
    for number in range(50):
        assert peer.call("double", number) == {"reply": [2 * number]}


def test_whatever_is_awaited(registry: Registry, connect: Connect) -> None:
    class Counter:
        async def count(self, by: int = 1) -> int:
            return by

        async def __call__(self, by: int) -> int:
            return -by

    registry.add_service("test", "method", Counter().count)
    registry.add_service("test", "object", Counter())
    registry.add_service("test", "partial", functools.partial(Counter().count, by=5))
    peer = connect(registry)
    assert peer.call("method", 3) == {"reply": [3]}
    assert peer.call("object", 3) == {"reply": [-3]}
    assert peer.call("partial") == {"reply": [5]}


def test_a_wrapper_around_a_coroutine_function(registry: Registry, connect: Connect, place: dict[str, Any]) -> None:
    """What a function returns is awaited if it is awaitable, whatever the function looks like."""

    async def triple(number: int) -> int:
        await asyncio.sleep(0)
        return 3 * number

    @functools.wraps(triple)
    def wrapped(*args: Any) -> Any:
        return triple(*args)

    def plain(number: int) -> Any:
        return triple(number) if number else 0

    registry.add_service("test", "wrapped", wrapped)
    registry.add_service("test", "plain", plain)
    peer = connect(registry, **place)
    assert peer.call("wrapped", 3) == {"reply": [9]}
    assert peer.call("plain", 4) == {"reply": [12]}
    assert peer.call("plain", 0) == {"reply": [0]}
    assert peer.call("wrapped", "x") == {"error": "expected int, got str, at $[0]"}
    sequences = [peer.start("wrapped", number) for number in range(200)]
    assert sorted(peer.reply()["sequence"] for _ in sequences) == sequences


def test_a_task_that_somebody_cancels_is_answered(registry: Registry, connect: Connect, gate: Gate) -> None:
    with running() as loop:
        peer = connect(registry, venue=Venue.here(loop))
        peer.start("wait", 1)
        gate.until(1)

        async def cancel_all() -> None:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

        asyncio.run_coroutine_threadsafe(cancel_all(), loop).result(TIMEOUT)
        assert peer.reply()["error"] == "panic in service: CancelledError"
        peer.close()
        peer.end()


def test_many_at_once_need_no_threads(registry: Registry, connect: Connect, gate: Gate, place: dict[str, Any]) -> None:
    peer = connect(registry, **place)
    peer.start("wait", 0)
    gate.until(1)
    before = threading.active_count()
    for number in range(1, 500):
        peer.start("wait", number)
    gate.until(500)
    # On a busy machine the reading may be taken over, which makes a worker of a thread.
    assert threading.active_count() < before + 20
    gate.open()
    assert sorted(peer.reply()["reply"][0] for _ in range(500)) == list(range(500))


def test_replies_come_as_they_are_ready(registry: Registry, connect: Connect, gate: Gate) -> None:
    @registry.service("test")
    async def quick() -> str:
        return "quick"

    @registry.service("test")
    def plain() -> str:
        return "plain"

    peer = connect(registry)
    slow = peer.start("wait", 1)
    assert peer.call("quick") == {"reply": ["quick"]}
    assert peer.call("plain") == {"reply": ["plain"]}
    gate.open()
    assert peer.reply() == {"sequence": slow, "reply": [1]}


def test_failures(registry: Registry, connect: Connect, place: dict[str, Any]) -> None:
    @registry.service("test")
    async def fail(kind: str) -> int:
        await asyncio.sleep(0)
        raise {
            "service": ServiceError("on purpose"),
            "panic": ValueError("aargh"),
            "exit": SystemExit(3),
            "interrupt": KeyboardInterrupt(),
            "cancelled": asyncio.CancelledError(),
        }[kind]

    @registry.service("test")
    async def partly() -> tuple[str, Exception | None]:
        return "half", ServiceError("the disk is full")

    @registry.service("test")
    async def wrong() -> int:
        return "text"  # type: ignore[return-value]

    peer = connect(registry, **place)
    for kind, text in (
        ("service", "on purpose"),
        ("panic", "panic in service: aargh"),
        ("exit", "panic in service: SystemExit: 3"),
        ("interrupt", "panic in service: KeyboardInterrupt"),
        ("cancelled", "panic in service: CancelledError"),
    ):
        assert peer.call("fail", kind) == {"error": text}
    assert peer.call("fail", 7) == {"error": "expected str, got int, at $[0]"}
    assert peer.call("partly") == {"reply": ["half"], "error": "the disk is full"}
    assert peer.call("wrong") == {"error": "expected int, got str, at $[0]"}


def test_each_call_has_a_context_of_its_own(registry: Registry, connect: Connect) -> None:
    var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="none")

    @registry.service("test")
    async def swap(value: str) -> str:
        before = var.get()
        var.set(value)
        await asyncio.sleep(0)
        assert var.get() == value
        return before

    with running() as loop:
        var.set("the host's")
        peer = connect(registry, venue=Venue.here(loop))
        var.set("later")
        assert [peer.call("swap", value)["reply"] for value in ("a", "b")] == [["the host's"], ["the host's"]]
        peer.close()
        peer.end()
    assert connect(registry).call("swap", "c") == {"reply": ["none"]}


def test_one_loop_for_the_whole_process(registry: Registry, connect: Connect) -> None:
    loops = []

    @registry.service("test")
    async def where() -> str:
        loops.append(asyncio.get_running_loop())
        return threading.current_thread().name

    assert connect(registry).call("where") == connect(registry).call("where") == {"reply": ["plugsvc-loop"]}
    assert loops == [own_loop()] * 2


def test_no_coroutines_no_asyncio() -> None:
    code = "import sys, plugsvc.host.server, plugsvc.host.registry; print('asyncio' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT, check=True
    )
    assert done.stdout == "False\n"


# Bounds


def test_no_more_than_the_bound_run_at_once(registry: Registry, connect: Connect, gate: Gate) -> None:
    running = [0, 0]

    @registry.service("test")
    async def counted() -> None:
        running[0] += 1
        running[1] = max(running)
        await gate.wait()
        running[0] -= 1

    peer = connect(registry, max_awaiting=3)
    for _ in range(20):
        peer.start("counted")
    gate.until(3)
    gate.open()
    assert sorted(peer.reply()["sequence"] for _ in range(20)) == list(range(1, 21))
    assert running == [0, 3]


def test_reading_stops_when_too_many_wait(registry: Registry, connect: Connect, gate: Gate) -> None:
    peer = connect(registry, max_awaiting=1, max_queued=5)
    os.set_blocking(peer.writer, False)
    message = json.dumps({"type": "call", "namespace": "test", "name": "wait", "args": [1], "sequence": 1}).encode()
    sent = 0
    while sent < 1_000_000:
        try:
            # Less than PIPE_BUF, so it is written whole or not at all.
            sent += os.write(peer.writer, message) == len(message)
        except BlockingIOError:
            break
    else:
        pytest.fail("everything is read, however many calls wait")
    gate.open()
    for _ in range(sent):
        assert peer.reply()["sequence"] == 1


def test_a_plugin_that_does_not_read_holds_up_no_loop(
    registry: Registry, connect: Connect, place: dict[str, Any]
) -> None:
    @registry.service("test")
    async def blob(size: int) -> str:
        return "x" * size

    lazy, other = connect(registry, **place), connect(registry, **place)
    for _ in range(5):
        lazy.start("blob", 1_000_000)
    for _ in range(50):
        assert other.call("blob", 3) == {"reply": ["xxx"]}
    assert [lazy.reply() for _ in range(5)] == [
        {"sequence": number, "reply": ["x" * 1_000_000]} for number in range(1, 6)
    ]
    assert lazy.call("blob", 1) == {"reply": ["x"]}


def test_too_much_unsent(registry: Registry, connect: Connect) -> None:
    """Reading stops, and goes on when the plugin has read."""

    @registry.service("test")
    async def blob(size: int) -> str:
        return "x" * size

    peer = connect(registry, max_unsent=500_000)
    for _ in range(40):
        peer.start("blob", 100_000)
    assert sorted(peer.reply()["sequence"] for _ in range(40)) == list(range(1, 41))


# Ends


def test_the_plugin_is_gone(registry: Registry, connect: Connect, place: dict[str, Any]) -> None:
    started, ended = threading.Event(), threading.Event()

    @registry.service("test")
    async def endless() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    peer = connect(registry, **place)
    peer.start("endless")
    assert started.wait(TIMEOUT)
    peer.close()
    assert peer.end() is None
    assert ended.wait(TIMEOUT)


def test_what_waits_is_dropped_with_the_plugin(registry: Registry, connect: Connect, gate: Gate) -> None:
    peer = connect(registry, max_awaiting=1)
    for number in range(5):
        peer.start("wait", number)
    gate.until(1)
    peer.server.close()
    assert peer.end() is None
    gate.open()
    assert peer.line() == b""
    assert gate.waiting == [0]


def test_a_plugin_that_only_stops_asking_gets_its_replies(
    registry: Registry, connect: Connect, gate: Gate, place: dict[str, Any]
) -> None:
    peer = connect(registry, **place)
    for number in range(3):
        peer.start("wait", number)
    gate.until(3)
    peer.close(peer.writer)
    gate.open()
    assert sorted(peer.reply()["reply"][0] for _ in range(3)) == [0, 1, 2]
    assert peer.line() == b""
    assert peer.end() is None


def test_what_came_before_nonsense_is_answered(
    registry: Registry, connect: Connect, gate: Gate, place: dict[str, Any]
) -> None:
    peer = connect(registry, **place)
    for number in range(3):
        peer.start("wait", number)
    peer.send(b"]")
    gate.until(3)
    gate.open()
    assert sorted(peer.reply()["reply"][0] for _ in range(3)) == [0, 1, 2]
    assert peer.line() == b""
    assert isinstance(peer.end(), ProtocolError)


def test_a_loop_that_is_closed(registry: Registry, connect: Connect, gate: Gate) -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    peer = connect(registry, venue=Venue.here(loop))
    assert peer.call("wait", 1) == {"error": "panic in service: Event loop is closed"}
    assert peer.call("wait", 2) == {"error": "panic in service: Event loop is closed"}


def test_a_loop_that_runs_later(registry: Registry, connect: Connect, gate: Gate) -> None:
    loop = asyncio.new_event_loop()
    peer = connect(registry, venue=Venue.here(loop))
    peer.start("wait", 1)

    async def later() -> None:
        await asyncio.to_thread(gate.until, 1)
        gate.open()
        assert (await asyncio.to_thread(peer.reply))["reply"] == [1]

    loop.run_until_complete(later())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


DEADLY = """
import asyncio, os, signal, sys, threading
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
from plugsvc.host import Channel, Registry, Server
from plugsvc.host.tasks import Venue
registry = Registry()
registry.define("n")

async def main():
    called, go = asyncio.Event(), asyncio.Event()

    @registry.service("n")
    async def late() -> None:
        called.set()
        await go.wait()

    plugin_reads, host_writes = os.pipe()
    host_reads, plugin_writes = os.pipe()
    server = Server(registry, Channel.of_descriptors(host_reads, host_writes), Venue.here(asyncio.get_running_loop()))
    server.start()
    os.write(plugin_writes, b'{"sequence":1,"type":"call","namespace":"n","name":"late","args":[]}')
    await called.wait()
    os.close(plugin_reads)
    go.set()
    await asyncio.sleep(0.05)
    os.close(plugin_writes)
    assert await asyncio.to_thread(server.wait, 20)

asyncio.run(main())
print("alive")
"""


def test_a_program_whom_a_closed_pipe_would_kill() -> None:
    done = subprocess.run(
        [sys.executable, "-c", DEADLY], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert (done.stdout, done.returncode) == ("alive\n", 0), done.stderr


def test_a_forked_child_has_a_loop_of_its_own(registry: Registry) -> None:
    code = """
import asyncio, os
from plugsvc.host.tasks import own_loop
first = own_loop()
child = os.fork()
if child == 0:
    found = asyncio.run_coroutine_threadsafe(asyncio.sleep(0, "there"), own_loop()).result(10)
    os._exit(0 if found == "there" and own_loop() is not first else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert done.stdout == "0\n", done.stderr
