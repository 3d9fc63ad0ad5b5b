"""Where a call runs: inline in the thread that reads while its service is quick, in a worker or in a loop otherwise.

To hand a call to another thread costs more than a small call. So the reader answers quick calls itself. Quick is what
was quick so far. This is a policy without threads or clock: `roles` asks it, and reports what calls took.
"""

from __future__ import annotations

import enum

__all__ = ["Pace", "Place", "place"]

QUICK_SECONDS = 0.001
FIRST_PENALTY = 4
LARGEST_PENALTY = 4096


class Place(enum.Enum):
    """Who carries out a call."""

    INLINE = "the thread that reads"
    WORKER = "a worker thread"
    LOOP = "a task in an event loop"


INLINE, WORKER, LOOP = Place


class Pace:
    """What is known about how quick a service is.

    A service counts as quick until a call was slow. Then it must be quick many times in a row before it counts as quick
    again, twice as many each time that it held up the reader. Threads change the counters without a lock: a lost update
    costs one hand-over between threads, nothing else.
    """

    __slots__ = ("_good", "_penalty", "quick")

    quick: bool

    def __init__(self) -> None:
        self.quick = True
        self._good = 0
        self._penalty = FIRST_PENALTY

    def note(self, seconds: float) -> None:
        """Record how long a call took."""
        if seconds > QUICK_SECONDS:
            self.quick = False
            self._good = 0
        elif not self.quick:
            self._good += 1
            if self._good >= self._penalty:
                self.quick = True

    def disappoint(self) -> None:
        """Record that a call which counted as quick held up the reader."""
        self.quick = False
        self._good = 0
        self._penalty = min(self._penalty * 2, LARGEST_PENALTY)


def place(pace: Pace, is_async: bool, has_room: bool) -> Place:
    """Decide where a call runs. `has_room`: fewer calls run than are allowed to."""
    if is_async:
        return LOOP
    return INLINE if pace.quick and has_room else WORKER
