"""An event loop that looks for replies before it sleeps: as long as that pays off, and with an eye to others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from plugsvc.client import glancing
from plugsvc.client.glancing import Glancing
from plugsvc.client.ports import Port
from plugsvc.openers.looking import MISSES, PAUSE, SPAN, WORTH

from .hosts import PipeHost
from .loops import Run, acall


class Loop:
    """Stands in for a loop: iterates when it is told to, and its clock goes on by 10 µs each time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.iterations = 0
        self._ready: list[Callable[[], None]] = []
        monkeypatch.setattr(glancing, "monotonic", lambda: self.now)

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


def made(loop: Any, waiting: Callable[[], object] = lambda: True, enabled: bool | None = True) -> Glancing:
    return Glancing(loop, waiting, enabled)


def test_it_ends_when_nobody_waits(loop: Loop) -> None:
    waiting = [1]
    looks = made(loop, lambda: waiting)
    looks.begin()
    assert loop.run(lambda: loop.now > 35e-6) == 4
    waiting.clear()
    assert loop.run() == 1


def test_it_ends_after_a_while(loop: Loop) -> None:
    looks = made(loop)
    looks.begin()
    looks.begin()  # once is enough
    assert loop.run() == pytest.approx(SPAN / 10e-6, abs=1)


def test_each_reply_gives_it_more_time(loop: Loop) -> None:
    looks = made(loop)
    looks.begin()
    for _ in range(10):
        before = loop.now
        loop.run(lambda: loop.now > before + SPAN / 2)  # noqa: B023
        looks.found()
    assert loop.run() > 0


def test_it_stops_when_it_does_not_pay_off(loop: Loop) -> None:
    looks = made(loop)
    for _ in range(MISSES):
        looks.begin()
        assert loop.run() > 0
    for _ in range(PAUSE):
        looks.begin()
        assert loop.run() == 0
    looks.begin()
    assert loop.run() > 0  # one more attempt, then a longer pause
    for _ in range(2 * PAUSE):
        looks.begin()
        assert loop.run() == 0
    looks.begin()
    looks.found()
    loop.run()
    looks.begin()
    assert loop.run() > 0


def test_looking_that_was_interrupted_is_none(loop: Loop) -> None:
    looks = made(loop)
    looks.begin()
    loop.now += WORTH
    looks.found()
    assert loop.run() == 1
    looks.begin()
    assert loop.run() == 0


def test_found_without_looking(loop: Loop) -> None:
    looks = made(loop)
    looks.found()
    assert loop.run() == 0


def test_switched_off(loop: Loop) -> None:
    looks = made(loop, enabled=False)
    looks.begin()
    assert loop.run() == 0


def test_a_loop_that_waits_in_vain_stops_looking(host: PipeHost, run: Run) -> None:
    connection = host.connection(spin=True)
    looks: list[bool] = []

    async def main() -> None:
        task = asyncio.ensure_future(acall(connection, 1))
        while not looks or looks[-1]:
            await asyncio.sleep(0)
            port = connection.ports.get(asyncio.get_running_loop())
            looks.append(isinstance(port, Port) and port._glancing._began is not None)
            if True not in looks:
                looks.clear()
        task.cancel()

    run(main())


def test_without_looking(host: PipeHost, run: Run) -> None:
    connection = host.connection(spin=False)
    host.echo()

    async def main() -> None:
        for number in range(20):
            assert await acall(connection, number) == [number]
            port = connection.ports[asyncio.get_running_loop()]
            assert isinstance(port, Port)
            assert port._glancing._began is None

    run(main())
