"""Who answers what: quick calls the reader, slow ones others; and the reading is taken over where that goes wrong."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import Raw

from plugsvc.host.calls import FIRST_PENALTY, QUICK_SECONDS, Service
from plugsvc.host.channel import Channel
from plugsvc.host.dispatch import MAX_IDLE, Dispatcher
from plugsvc.host.outbox import Outbox
from plugsvc.host.registry import Registry
from plugsvc.marshal import Signature
from plugsvc.wire import Request

from .conftest import PATIENCE, Peer

Connect = Callable[..., Peer]


@pytest.fixture
def threads_of(registry: Registry) -> list[str]:
    """The names of the threads that the service `where` ran in."""
    seen: list[str] = []

    @registry.service("test")
    def where() -> None:
        seen.append(threading.current_thread().name)

    return seen


def test_quick_calls_are_answered_where_they_are_read(
    registry: Registry, connect: Connect, threads_of: list[str]
) -> None:
    peer = connect(registry)
    for _ in range(200):
        peer.call("where")
    # Not all, on a busy machine: a call that was not seen to end in time counts as slow.
    assert "plugsvc-leader" in Counter(threads_of)


def test_a_stuck_call_loses_the_reading(registry: Registry, connect: Connect, threads_of: list[str]) -> None:
    release = threading.Event()

    @registry.service("test")
    def wait() -> str:
        assert release.wait(PATIENCE)
        return threading.current_thread().name

    peer = connect(registry)
    slow = peer.start("wait")
    for _ in range(20):
        peer.call("where")
    assert "plugsvc-sentinel" in Counter(threads_of)
    release.set()
    # The first leader itself got stuck, for nothing was known about the service.
    assert peer.reply() == {"sequence": slow, "reply": ["plugsvc-leader"]}


def test_a_service_seen_to_be_slow_goes_to_workers(
    registry: Registry, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in the thread that reads: there each would cost the time until somebody takes the reading over.

    That is counted, not seen by the names of threads: who lost the reading works, whatever it is called.
    """
    release = threading.Event()
    running = threading.Semaphore(0)

    @registry.service("test")
    def wait(seconds: float) -> None:
        running.release()
        release.wait(seconds)

    peer = connect(registry)
    assert peer.call("wait", QUICK_SECONDS * 2) == {"reply": []}
    held_up: list[Service] = []
    monkeypatch.setattr(Service, "disappoint", held_up.append)
    for _ in range(10):
        peer.start("wait", PATIENCE)
    for _ in range(11):
        assert running.acquire(timeout=PATIENCE)
    peer.request("hasNamespace")
    assert peer.reply()["ok"] is True
    release.set()
    for _ in range(10):
        assert peer.reply()["reply"] == []
    assert held_up == []


def test_many_services_that_become_slow_at_once(registry: Registry, connect: Connect) -> None:
    """Each is taken for quick at first, so one leader after the other gets stuck."""
    release = threading.Event()
    for number in range(12):

        @registry.service("test", f"wait{number}")
        def wait() -> bool:
            return release.wait(PATIENCE)

    @registry.service("test")
    def quick() -> None: ...

    peer = connect(registry)
    slow = [peer.start(f"wait{number}") for number in range(12)]
    assert peer.call("quick") == {"reply": []}
    release.set()
    assert sorted(peer.reply()["sequence"] for _ in slow) == slow


def test_leaders_that_were_taken_over_from_do_not_pile_up(registry: Registry, connect: Connect) -> None:
    takeovers = 3 * MAX_IDLE
    released = [threading.Event() for _ in range(takeovers)]
    for number, event in enumerate(released):
        # A new one each time: it is taken for quick until it has been seen.
        registry.add_service("test", f"wait{number}", lambda event=event: event.wait(PATIENCE))

    @registry.service("test")
    def quick() -> None: ...

    peer = connect(registry)
    before = set(threading.enumerate())
    for number, event in enumerate(released):
        slow = peer.start(f"wait{number}")
        assert peer.call("quick") == {"reply": []}  # so another thread reads now
        event.set()
        assert peer.reply()["sequence"] == slow
    deadline = time.monotonic() + PATIENCE
    while len(more := set(threading.enumerate()) - before) > MAX_IDLE + 2:  # and a leader and a sentinel
        assert time.monotonic() < deadline, sorted(thread.name for thread in more)
        peer.call("quick")


def test_a_leader_that_lost_the_reading_does_not_work_beyond_the_bound() -> None:
    """It may lose it while it runs nothing, only held up on a busy machine; then as many others as allowed may run."""
    wait = service_of_function()
    wait.disappoint()
    over, release, taken = threading.Event(), threading.Event(), threading.Event()
    running = threading.Semaphore(0)
    requests = [[Request(sequence=number, args=Raw(b"[]")) for number in range(1, 5)]]

    def run() -> int:
        running.release()
        release.wait(PATIENCE)
        return 0

    def read() -> list[Request] | None:
        if requests:
            return requests.pop()
        taken.set()
        over.wait(PATIENCE)
        return None

    def lookup(request: Request) -> Service:
        if request.sequence == 4:
            assert taken.wait(PATIENCE)
        return wait

    wait.function = run
    channel = Channel.of_descriptors(*os.pipe())
    dispatcher = Dispatcher(read, lookup, Outbox(channel), lambda error: None, max_running=2)
    try:
        dispatcher.start()
        assert taken.wait(PATIENCE)
        for _ in range(2):
            assert running.acquire(timeout=PATIENCE)
        assert not running.acquire(timeout=0.2), "a third call runs"
        release.set()
        for _ in range(2):
            assert running.acquire(timeout=PATIENCE), "the calls that waited are left lying"
    finally:
        release.set()
        over.set()
        dispatcher.stop()
        channel.close()


def service_of_function() -> Service:
    service = Service("x", int, Signature.from_types([], [], side="provider"))
    assert service.quick
    return service


def quick_after(service: Service, seconds: float) -> bool:
    """Whether it is taken for quick after a call that took so long."""
    service.note(seconds)
    return service.quick


def test_slowness_is_remembered_and_forgiven() -> None:
    service = service_of_function()
    service.note(QUICK_SECONDS * 2)
    assert [quick_after(service, 0) for _ in range(FIRST_PENALTY)] == [False] * (FIRST_PENALTY - 1) + [True]


def test_disappointment_doubles_the_penalty() -> None:
    service = service_of_function()
    for penalty in (FIRST_PENALTY * 2, FIRST_PENALTY * 4):
        service.disappoint()
        assert [quick_after(service, 0) for _ in range(penalty)] == [False] * (penalty - 1) + [True]


def test_one_slow_call_starts_the_count_anew() -> None:
    service = service_of_function()
    service.disappoint()
    for _ in range(FIRST_PENALTY * 2 - 1):
        service.note(0)
    service.note(1.0)
    service.note(0)
    assert not service.quick


def test_an_idle_connection_does_not_wake_up(registry: Registry, connect: Connect) -> None:
    @registry.service("test")
    def quick() -> None: ...

    def switches() -> int:
        total = 0
        for task in Path("/proc/self/task").iterdir():
            if task.name == str(threading.get_native_id()):
                continue
            status = (task / "status").read_text()
            total += int(status.partition("voluntary_ctxt_switches:")[2].split()[0])
        return total

    peer = connect(registry)
    for _ in range(50):
        peer.call("quick")
    # Wait until it has come to rest, then see that it stays there: not one wake-up in a tenth of a second.
    deadline = time.monotonic() + PATIENCE
    pause = threading.Event()
    while True:
        before = switches()
        pause.wait(0.1)
        if switches() == before:
            break
        assert time.monotonic() < deadline, "an idle connection keeps waking up"
    assert peer.call("quick") == {"reply": []}


def test_every_call_is_answered_once_whatever_happens(registry: Registry, connect: Connect) -> None:
    """Services that are quick most of the time and slow now and then, called by several pipelines at once."""
    chance = random.Random(7)
    pause = threading.Event()

    @registry.service("test")
    def moody(number: int, milliseconds: float) -> int:
        if milliseconds:
            pause.wait(milliseconds / 1000)
        return number

    @registry.service("test")
    def spinning(number: int, milliseconds: float) -> int:
        end = time.perf_counter() + milliseconds / 1000
        while time.perf_counter() < end:
            continue
        return number

    peer = connect(registry, max_running=8, max_queued=64)
    calls = 3000
    plan = [
        ("spinning" if chance.random() < 0.2 else "moody", chance.choice([0, 0, 0, 0, 0, 0, 0, 0, 1, 8]))
        for _ in range(calls)
    ]

    def send() -> None:
        for number, (name, milliseconds) in enumerate(plan):
            peer.start(name, number, milliseconds if number % 5 == 0 else 0)

    sender = threading.Thread(target=send)
    sender.start()
    answered = Counter[int]()
    for _ in range(calls):
        reply = peer.reply()
        assert reply["reply"] == [reply["sequence"] - 1]
        answered[reply["sequence"]] += 1
    sender.join(PATIENCE)
    assert set(answered.values()) == {1}
    assert len(answered) == calls
    peer.close()
    assert peer.end() is None


def test_connections_that_end_amid_calls(registry: Registry, connect: Connect) -> None:
    """The end may come while a call is running, waiting, being taken over, or being answered."""
    pause = threading.Event()

    @registry.service("test")
    def moody(milliseconds: float) -> str:
        pause.wait(milliseconds / 1000)
        return "x" * 1000

    chance = random.Random(11)
    for attempt in range(60):
        peer = connect(registry, max_running=4, max_queued=16)
        for _ in range(chance.randrange(40)):
            peer.start("moody", chance.choice([0, 0, 0, 2, 6]))
        if attempt % 3 == 0:
            peer.server.finish()
        elif attempt % 3 == 1:
            peer.server.close()
        peer.close()
        assert peer.end() is None
