"""Ratios that have to hold: the goals of the library, and the bounds that the short run watches."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from benchmarks.figures import Figures

__all__ = ["BOUNDS", "GOALS", "Ratio", "Verdict"]

MIB = 1024 * 1024
Pick = tuple[str, str]
"""A work and a peer."""


@dataclass(frozen=True)
class Verdict:
    """What came of a ratio: the one that was found, None where it could not be measured; `best`: that of the
    least that was seen of both.
    """

    title: str
    limit: str
    found: float | None
    best: float | None
    holds: bool


@dataclass(frozen=True)
class Ratio:
    """The figure `over` divided by `under`, which must not be more than `most`.

    `factor` multiplies it first, for figures of different sizes. `lenient`: the best round counts, or the
    best that was seen of both, instead of the median of all: a loaded machine makes rounds slower, never faster.
    """

    title: str
    over: Pick
    under: Pick
    most: float
    factor: float = 1.0
    lenient: bool = False

    def judge(self, figures: Figures) -> Verdict:
        """Compare. What could not be measured does not hold."""
        ratios = [ratio * self.factor for ratio in figures.ratios(self.over, self.under)]
        limit = f"at most {self.most:.3g}"
        if not ratios:
            return Verdict(self.title, limit, None, None, False)
        over, under = figures.get(*self.over), figures.get(*self.under)
        assert over is not None
        assert under is not None
        best = over.best / under.best * self.factor
        found = min(best, *ratios) if self.lenient else statistics.median(ratios)
        return Verdict(self.title, limit, found, best, found <= self.most)


def _echo(size: int) -> str:
    return f"echo-{size}"


GOALS: tuple[Ratio, ...] = (
    Ratio("one caller, small calls: to Go", ("small", "plugsvc"), ("small", "go"), 1 / 8),
    Ratio("one caller, small calls: to the ping-pong", ("small", "plugsvc"), ("small", "pipes"), 0.5),
    Ratio("16 callers, threads: to Go", ("threads", "plugsvc"), ("threads", "go"), 1.0),
    Ratio("pipelined: to Go with 16 callers", ("pipelined", "plugsvc"), ("threads", "go"), 0.5),
    Ratio("asyncio: to Go with 16 callers", ("asyncio", "plugsvc"), ("threads", "go"), 0.5),
    Ratio("1 MiB, there and back: to Go", (_echo(MIB), "plugsvc"), (_echo(MIB), "go"), 1 / 8),
    Ratio("16 MiB, there and back: to Go", (_echo(16 * MIB), "plugsvc"), (_echo(16 * MIB), "go"), 1 / 8),
    Ratio("1 MiB, there and back: to veinmind", (_echo(MIB), "plugsvc"), (_echo(MIB), "veinmind"), 1 / 50),
    Ratio("16 MiB, there and back: to veinmind", (_echo(16 * MIB), "plugsvc"), (_echo(16 * MIB), "veinmind"), 1 / 50),
    Ratio("64 MiB to 1 MiB, a byte", (_echo(64 * MIB), "plugsvc"), (_echo(MIB), "plugsvc"), 1.5, 1 / 64),
    Ratio("64 MiB to 1 MiB, a byte, in pieces", (_echo(64 * MIB), "pieces"), (_echo(MIB), "pieces"), 1.5, 1 / 64),
    Ratio("one caller, small calls: shm to pipes", ("small", "plugsvc-shm"), ("small", "plugsvc"), 1.0),
    Ratio("on one CPU: to never looking", ("small", "one"), ("small", "one-never"), 1.05),
    Ratio("import and first call: to `python -c pass`", ("first-call", "plugsvc"), ("first-call", "pass"), 1.6),
)
"""What the library is held against. A goal that is not reached is explained in docs/benchmarks.md."""

_SMALL, _BIG, _BIGGER = ("small", "plugsvc"), (_echo(MIB), "plugsvc"), (_echo(16 * MIB), "plugsvc")
_OBJECT = ("small", "multiprocessing")

BOUNDS: tuple[Ratio, ...] = (
    Ratio("one caller, small calls: to multiprocessing", _SMALL, _OBJECT, 4, lenient=True),
    Ratio("one caller, small calls: to the ping-pong", _SMALL, ("small", "pipes"), 10, lenient=True),
    Ratio("16 callers, threads: to one of multiprocessing", ("threads", "plugsvc"), _OBJECT, 8, lenient=True),
    Ratio("1 MiB, there and back: to multiprocessing", _BIG, (_echo(MIB), "multiprocessing"), 10, lenient=True),
    Ratio("16 MiB to 1 MiB, a byte", _BIGGER, _BIG, 4, 1 / 16, lenient=True),
)
"""What no run may go beyond, on whatever machine: several times what is usual, so only a gross regression does."""
