"""What is measured: a row for each kind of work that a peer's caller is told to do."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["SIZES", "WORKS", "Work", "size_text"]

KIB, MIB = 1024, 1024 * 1024
SIZES = (KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB)
CALLERS = 16
UNDER_WAY = 1000
STRUCTURES = 100
SLOW_MS = 1000


@dataclass(frozen=True)
class Work:
    """One kind of work. What comes of a round is `summary` of its samples, in seconds.

    `told`: what the caller is told. `groups`: of which peers it is asked. `share`: of the usual time for one round.
    """

    name: str
    title: str
    told: dict[str, Any]
    groups: frozenset[str]
    share: float = 1.0
    summary: Callable[[Sequence[float]], float] = statistics.median


def size_text(size: int) -> str:
    """A size for people."""
    return f"{size // MIB} MiB" if size >= MIB else f"{size // KIB} KiB"


_ALL = frozenset({"main", "basic", "openers", "one", "mixed"})
_FEW = frozenset({"main", "openers", "mixed"})
_BIG = frozenset({"main", "basic", "openers", "mixed", "sizes"})
_MAIN = frozenset({"main", "mixed"})

WORKS: tuple[Work, ...] = (
    Work("small", "one caller, small calls", {"work": "small"}, _ALL),
    Work("threads", f"{CALLERS} callers, threads", {"work": "callers", "callers": CALLERS}, _ALL),
    Work("pipelined", "pipelined", {"work": "many", "way": "pipelined", "count": UNDER_WAY}, _MAIN),
    Work("asyncio", "asyncio", {"work": "many", "way": "asyncio", "count": UNDER_WAY}, _MAIN),
    Work("typed", f"{STRUCTURES} structures, there and back", {"work": "typed", "count": STRUCTURES}, _MAIN),
    *(
        Work(
            f"echo-{size}", f"{size_text(size)}, there and back", {"work": "echo", "size": size},
            _BIG if size in (MIB, 16 * MIB) else frozenset({"sizes"}), 1.0 if size <= MIB else 1.5,
        )
        for size in SIZES
    ),
    Work("alone", "slowest small call, alone", {"work": "beside", "slow": 0}, frozenset({"slow"}), 4, max),
    Work("beside", "slowest small call, beside a slow one", {"work": "beside", "slow": SLOW_MS}, frozenset({"slow"}),
         0, max),
)  # fmt: skip
"""In the order in which they are done."""
