"""Spinning in an event loop: it keeps iterating for a moment before it sleeps, while a reply is due.

A sleep and the wake-up after it cost more than a small call. A loop has other work as well, which spinning must not
delay: what is repeated is an iteration of the loop, in which everything runs that is ready. Spinning stops for a while
when it has not found replies, as it does for threads in `openers.spin`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from ..openers.spin import MISSES, PAUSE, PAUSE_MAX, SPAN, WORTH, several_cpus

__all__ = ["SpinInLoop"]


class SpinInLoop:
    """Keeps a loop awake as long as `waiting()` and that pays off.

    `enabled`: by default where this process may use more than one CPU. `spinning`: whether it keeps the loop awake now.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, waiting: Callable[[], object], enabled: bool | None = None
    ) -> None:
        self._call_soon, self._waiting = loop.call_soon, waiting
        self._enabled = several_cpus() if enabled is None else enabled
        self._began: float | None = None
        self._misses = 0
        self._pause, self._next_pause = 0, PAUSE

    @property
    def spinning(self) -> bool:
        return self._began is not None

    def begin(self) -> None:
        """Spin, beginning with the next iteration, unless that has not paid off lately."""
        if self._began is not None or not self._enabled:
            return
        if self._pause:
            self._pause -= 1
            return
        self._began = monotonic()
        self._call_soon(self._again)

    def found(self) -> None:
        """Take note that a reply has come."""
        if self._began is None:
            return
        now = monotonic()
        if now - self._began < WORTH:
            self._misses = 0
            if self._next_pause > PAUSE:
                self._next_pause = max(self._next_pause // 2, PAUSE)
            self._began = now  # there may be others to wait for
        else:
            # Interrupted by others, who would have let a sleeper go first.
            self._misses = MISSES
            self._give_up()

    def _again(self) -> None:
        if self._began is None:
            return
        if not self._waiting():
            self._began = None
        elif monotonic() - self._began < SPAN:
            self._call_soon(self._again)
        else:
            self._misses += 1
            self._give_up()

    def _give_up(self) -> None:
        self._began = None
        if self._misses >= MISSES:
            # One more miss after the pause is enough for the next one, which is longer.
            self._misses = MISSES - 1
            self._pause = self._next_pause
            self._next_pause = min(self._next_pause * 2, PAUSE_MAX)
