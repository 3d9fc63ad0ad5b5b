"""When a thread spins, and when it stops."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from plugsvc.openers.spin import MISSES, PAUSE, PAUSE_MAX, SPAN, TRIES, Spin


def counted(results: Iterator[bool]) -> tuple[list[int], Callable[[], bool]]:
    """Return a counter of looks, and what looks."""
    looks = [0]

    def ready() -> bool:
        looks[0] += 1
        return next(results)

    return looks, ready


def forever(value: bool) -> Iterator[bool]:
    while True:
        yield value


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What time it is, and how fast it passes."""
    now = [0.0, SPAN]

    def monotonic() -> float:
        now[0] += now[1]
        return now[0]

    monkeypatch.setattr("plugsvc.openers.spin.monotonic", monotonic)
    return now


def test_it_is_enough_to_be_there_in_time(clock: list[float]) -> None:
    spin = Spin(True)
    looks, ready = counted(iter([False, False, True]))
    assert spin.until(ready)
    assert looks == [3]


def test_pauses_grow_while_it_does_not_pay_off(clock: list[float]) -> None:
    spin = Spin(True)
    looks, ready = counted(forever(False))
    pauses = []
    pause = 0
    for _ in range(10_000):
        before = looks[0]
        assert not spin.until(ready)
        if looks[0] == before:
            pause += 1
        else:
            assert looks[0] - before == TRIES
            pauses.append(pause)
            pause = 0
    expected = [0] * MISSES + [PAUSE * 2**n for n in range(8)]
    assert pauses[: len(expected)] == expected
    assert set(pauses[len(expected) :]) == {PAUSE_MAX}


def test_success_makes_pauses_shorter(clock: list[float]) -> None:
    spin = Spin(True)
    never, always = forever(False).__next__, forever(True).__next__
    while spin.next_pause < PAUSE_MAX:
        spin.until(never)
    while spin.pause:
        spin.until(never)
    for _ in range(10):
        assert spin.until(always)
    assert spin.next_pause == PAUSE


def test_spinning_that_was_interrupted_by_others_does_not_pay_off(clock: list[float]) -> None:
    spin = Spin(True)
    clock[1] = 1e-3
    always = forever(True).__next__
    assert spin.until(always), "what is there is there"
    assert [spin.until(always) for _ in range(PAUSE + 1)] == [False] * PAUSE + [True]


def test_one_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3})
    assert not Spin().until(lambda: True)
    assert Spin(True).until(lambda: True)


def test_several_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 4})
    assert Spin().until(lambda: True)
    assert not Spin(False).until(lambda: True)
