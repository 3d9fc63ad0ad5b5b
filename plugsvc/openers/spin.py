"""Spins for a short while before a thread goes to sleep: asks again and again whether its input is there.

A sleep and the wake-up after it cost more than a small call, so where the other side is quick it is cheaper to spin
until its message is there. That is wrong when it is slow, when there is one CPU only, and when other processes want
this one: then a process that sleeps is served first. So it is tried as long as it pays.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from time import monotonic

__all__ = ["MISSES", "PAUSE", "PAUSE_MAX", "SPAN", "TRIES", "WORTH", "Spin", "several_cpus"]

SPAN = 80e-6
"""Seconds to spin for: about what a sleep and a wake-up cost, on both sides together."""

TRIES = 16
"""How often to ask between two looks at the clock: one may be a system call, or a look into the memory."""

WORTH = 200e-6
"""Seconds; spinning that took longer was interrupted by others, who would have let a sleeper go first."""

MISSES = 4
"""After so many vain attempts in a row spinning stops, at first for `PAUSE` sleeps, longer each time."""
PAUSE, PAUSE_MAX = 8, 1024


class Spin:
    """Decides when to spin, and spins. For one thread at a time.

    `enabled`: by default where this process may use more than one CPU. `pause` is the number of sleeps that are left
    without spinning, `next_pause` how many they are after the next run of misses.
    """

    def __init__(self, enabled: bool | None = None) -> None:
        self._enabled = several_cpus() if enabled is None else enabled
        self._misses = 0
        self.pause: int = 0
        self.next_pause: int = PAUSE

    def until(self, ready: Callable[[], object]) -> bool:
        """Spin for a short while, or not at all; return whether `ready` came true."""
        if not self._enabled:
            return False
        if self.pause:
            self.pause -= 1
            return False
        before = monotonic()
        found = _spin(ready, before + SPAN)
        if not found:
            self._misses += 1
        elif monotonic() - before < WORTH:
            self._misses = 0
            if self.next_pause > PAUSE:
                self.next_pause = max(self.next_pause // 2, PAUSE)
            return True
        else:
            self._misses = MISSES
        if self._misses >= MISSES:
            # One more miss after the pause is enough for the next one, which is longer.
            self._misses = MISSES - 1
            self.pause = self.next_pause
            self.next_pause = min(self.next_pause * 2, PAUSE_MAX)
        return found


def _spin(ready: Callable[[], object], end: float) -> bool:
    while True:
        for _ in range(TRIES):
            if ready():
                return True
        if monotonic() >= end:
            return False


def several_cpus() -> bool:
    """Whether this process may use more than one CPU."""
    try:
        return len(os.sched_getaffinity(0)) > 1
    except AttributeError:
        return (os.cpu_count() or 1) > 1
