"""Who answers what: quick calls the reader, slow ones others; and the reading is taken over where that goes wrong."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from plugsvc.host.dispatch import FIRST_PENALTY, QUICK_SECONDS, Pace, Place, place
from plugsvc.host.registry import Registry
from plugsvc.host.roles import MAX_IDLE

from .conftest import TIMEOUT, Peer

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
    assert "plugsvc-reader" in Counter(threads_of)


def test_a_stuck_call_loses_the_reader_role(registry: Registry, connect: Connect, threads_of: list[str]) -> None:
    release = threading.Event()

    @registry.service("test")
    def wait() -> str:
        assert release.wait(TIMEOUT)
        return threading.current_thread().name

    peer = connect(registry)
    slow = peer.start("wait")
    for _ in range(20):
        peer.call("where")
    assert "plugsvc-watchdog" in Counter(threads_of)
    release.set()
    # The first reader itself got stuck, for nothing was known about the service.
    assert peer.reply() == {"sequence": slow, "reply": ["plugsvc-reader"]}


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
    held_up: list[Pace] = []
    monkeypatch.setattr(Pace, "disappoint", held_up.append)
    for _ in range(10):
        peer.start("wait", TIMEOUT)
    for _ in range(11):
        assert running.acquire(timeout=TIMEOUT)
    peer.request("hasNamespace")
    assert peer.reply()["ok"] is True
    release.set()
    for _ in range(10):
        assert peer.reply()["reply"] == []
    assert held_up == []


def test_many_services_that_become_slow_at_once(registry: Registry, connect: Connect) -> None:
    """Each is taken for quick at first, so one reader after the other gets stuck."""
    release = threading.Event()
    for number in range(12):

        @registry.service("test", f"wait{number}")
        def wait() -> bool:
            return release.wait(TIMEOUT)

    @registry.service("test")
    def quick() -> None: ...

    peer = connect(registry)
    slow = [peer.start(f"wait{number}") for number in range(12)]
    assert peer.call("quick") == {"reply": []}
    release.set()
    assert sorted(peer.reply()["sequence"] for _ in slow) == slow


def test_readers_that_were_taken_over_from_do_not_pile_up(registry: Registry, connect: Connect) -> None:
    takeovers = 3 * MAX_IDLE
    released = [threading.Event() for _ in range(takeovers)]
    for number, event in enumerate(released):
        # A new one each time: it is taken for quick until it has been seen.
        registry.add_service("test", f"wait{number}", lambda event=event: event.wait(TIMEOUT))

    @registry.service("test")
    def quick() -> None: ...

    peer = connect(registry)
    before = set(threading.enumerate())
    for number, event in enumerate(released):
        slow = peer.start(f"wait{number}")
        assert peer.call("quick") == {"reply": []}  # so another thread reads now
        event.set()
        assert peer.reply()["sequence"] == slow
    deadline = time.monotonic() + TIMEOUT
    while len(more := set(threading.enumerate()) - before) > MAX_IDLE + 2:  # and a reader and a watchdog
        assert time.monotonic() < deadline, sorted(thread.name for thread in more)
        peer.call("quick")


def quick_after(pace: Pace, seconds: float) -> bool:
    """Whether a service counts as quick after a call that took so long."""
    pace.note(seconds)
    return pace.quick


def test_slowness_is_remembered_and_forgiven() -> None:
    pace = Pace()
    pace.note(QUICK_SECONDS * 2)
    assert [quick_after(pace, 0) for _ in range(FIRST_PENALTY)] == [False] * (FIRST_PENALTY - 1) + [True]


def test_disappointment_doubles_the_penalty() -> None:
    pace = Pace()
    for penalty in (FIRST_PENALTY * 2, FIRST_PENALTY * 4):
        pace.disappoint()
        assert [quick_after(pace, 0) for _ in range(penalty)] == [False] * (penalty - 1) + [True]


def test_one_slow_call_starts_the_count_anew() -> None:
    pace = Pace()
    pace.disappoint()
    for _ in range(FIRST_PENALTY * 2 - 1):
        pace.note(0)
    pace.note(1.0)
    pace.note(0)
    assert not pace.quick


@pytest.mark.parametrize(
    ("quick", "is_async", "has_room", "expected"),
    [
        (True, False, True, Place.INLINE),
        (True, False, False, Place.WORKER),
        (False, False, True, Place.WORKER),
        (False, False, False, Place.WORKER),
        (True, True, True, Place.LOOP),
        (False, True, False, Place.LOOP),
    ],
)
def test_where_a_call_runs(quick: bool, is_async: bool, has_room: bool, expected: Place) -> None:
    pace = Pace()
    if not quick:
        pace.disappoint()
    assert place(pace, is_async, has_room) is expected


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
    deadline = time.monotonic() + TIMEOUT
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
    sender.join(TIMEOUT)
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
