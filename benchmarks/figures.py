"""What was measured: figures of works and peers, and what is missing and why."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Figure", "Figures"]


@dataclass
class Figure:
    """One work of one peer: a value for each round, in `unit`: "s" seconds, "B" bytes, "n" a count.

    `best`: the least that was seen, in whatever short time; what a machine gives that has nothing else to do.
    """

    unit: str
    values: list[float] = field(default_factory=list)
    best: float = math.inf

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """The distance between the least and the greatest value, as a part of the median."""
        return (max(self.values) - min(self.values)) / self.median if self.median else 0.0


@dataclass
class Figures:
    """All of one run. `figures` and `absent` by work and peer; `unprepared` by peer, with the reason."""

    figures: dict[str, dict[str, Figure]] = field(default_factory=dict)
    absent: dict[str, dict[str, str]] = field(default_factory=dict)
    unprepared: dict[str, str] = field(default_factory=dict)

    def add(self, work: str, peer: str, value: float, unit: str = "s", *, best: float | None = None) -> None:
        """Add what came of one round; `best`: the least that was seen in it, where that is less."""
        figure = self.figures.setdefault(work, {}).setdefault(peer, Figure(unit))
        figure.values.append(value)
        figure.best = min(figure.best, value if best is None else best)

    def miss(self, work: str, peer: str, reason: str) -> None:
        """Take note that there is no value, and why."""
        self.absent.setdefault(work, {})[peer] = reason

    def get(self, work: str, peer: str) -> Figure | None:
        """Return a figure, None where there is none."""
        return self.figures.get(work, {}).get(peer)

    def ratios(self, over: tuple[str, str], under: tuple[str, str]) -> list[float]:
        """The ratio of two figures, each (work, peer), for each round; empty when one is missing."""
        one, other = self.get(*over), self.get(*under)
        if one is None or other is None:
            return []
        return [a / b for a, b in zip(one.values, other.values, strict=False) if b]

    def as_json(self) -> dict[str, Any]:
        """Everything, for a machine to read."""
        return {
            "figures": [
                {
                    "work": work,
                    "peer": peer,
                    "unit": figure.unit,
                    "median": figure.median,
                    "best": figure.best,
                    "values": figure.values,
                }
                for work, peer, figure in self
            ],
            "absent": [
                {"work": work, "peer": peer, "reason": reason}
                for work, row in self.absent.items()
                for peer, reason in row.items()
            ],
            "unprepared": [{"peer": peer, "reason": reason} for peer, reason in self.unprepared.items()],
        }

    def __iter__(self) -> Iterator[tuple[str, str, Figure]]:
        for work, row in self.figures.items():
            for peer, figure in row.items():
                yield work, peer, figure
