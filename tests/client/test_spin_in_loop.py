"""Spinning in an event loop: as long as that pays off, and without holding up others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from plugsvc.client import spin_in_loop
from plugsvc.client.asyncio_driver import driver_of
from plugsvc.client.spin_in_loop import SpinInLoop
from plugsvc.openers.spin import MISSES, PAUSE, SPAN, WORTH

from .hosts import PipeHost
from .loops import Run, acall


class Loop:
    """Stands in for a loop: iterates when it is told to, and its clock goes on by 10 µs each time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.iterations = 0
        self._ready: list[Callable[[], None]] = []
        monkeypatch.setattr(spin_in_loop, "monotonic", lambda: self.now)

    def call_soon(self, callback: Callable[[], None]) -> None:
        self._ready.append(callback)

    def run(self, until: Callable[[], bool] = lambda: False) -> int:
        """Iterate until nothing is ready or something happens; return how often."""
        count = 0
        while self._ready and not until():
            ready, self._ready = self._ready, []
            self.now += 10e-6
            for callback in ready:
                callback()
            count += 1
        return count


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    return Loop(monkeypatch)


def made(loop: Any, waiting: Callable[[], object] = lambda: True, enabled: bool | None = True) -> SpinInLoop:
    return SpinInLoop(loop, waiting, enabled)


def test_it_ends_when_nobody_waits(loop: Loop) -> None:
    waiting = [1]
    spin = made(loop, lambda: waiting)
    spin.begin()
    assert loop.run(lambda: loop.now > 35e-6) == 4
    waiting.clear()
    assert loop.run() == 1


def test_it_ends_after_a_while(loop: Loop) -> None:
    spin = made(loop)
    spin.begin()
    spin.begin()  # once is enough
    assert loop.run() == pytest.approx(SPAN / 10e-6, abs=1)


def test_each_reply_gives_it_more_time(loop: Loop) -> None:
    spin = made(loop)
    spin.begin()
    for _ in range(10):
        before = loop.now
        loop.run(lambda: loop.now > before + SPAN / 2)  # noqa: B023
        spin.found()
    assert loop.run() > 0


def test_it_stops_when_it_does_not_pay_off(loop: Loop) -> None:
    spin = made(loop)
    for _ in range(MISSES):
        spin.begin()
        assert loop.run() > 0
    for _ in range(PAUSE):
        spin.begin()
        assert loop.run() == 0
    spin.begin()
    assert loop.run() > 0  # one more attempt, then a longer pause
    for _ in range(2 * PAUSE):
        spin.begin()
        assert loop.run() == 0
    spin.begin()
    spin.found()
    loop.run()
    spin.begin()
    assert loop.run() > 0


def test_spinning_that_was_interrupted_counts_as_a_miss(loop: Loop) -> None:
    spin = made(loop)
    spin.begin()
    loop.now += WORTH
    spin.found()
    assert loop.run() == 1
    spin.begin()
    assert loop.run() == 0


def test_found_without_spinning(loop: Loop) -> None:
    spin = made(loop)
    spin.found()
    assert loop.run() == 0


def test_switched_off(loop: Loop) -> None:
    spin = made(loop, enabled=False)
    spin.begin()
    assert loop.run() == 0


def test_a_loop_that_waits_in_vain_stops_spinning(host: PipeHost, run: Run) -> None:
    connection = host.connection(spin=True)
    spinning: list[bool] = []

    async def main() -> None:
        task = asyncio.ensure_future(acall(connection, 1))
        while not spinning or spinning[-1]:
            await asyncio.sleep(0)
            spinning.append(driver_of(connection).spin.spinning)
            if True not in spinning:
                spinning.clear()
        task.cancel()

    run(main())


def test_without_spinning(host: PipeHost, run: Run) -> None:
    connection = host.connection(spin=False)
    host.echo()

    async def main() -> None:
        for number in range(20):
            assert await acall(connection, number) == [number]
            assert not driver_of(connection).spin.spinning

    run(main())
