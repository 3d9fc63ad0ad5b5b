"""Prototypes of consumers, acceptable ones and others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hypothesis import strategies as st

from conformance.fuzz import values
from conformance.fuzz.batches import planned
from conformance.oracle.values import Type

UNMARSHALABLE = "unmarshalable"
"""The type of the contract that stands for one whose values JSON cannot carry."""


@dataclass(frozen=True)
class Prototypes:
    """Types that JSON carries, types that it does not, and a plan of prototypes made of them, three bytes each."""

    STEP: ClassVar[int] = 3
    """Bytes of one step of the plan."""

    plan: bytes
    good: list[Type]
    bad: list[Type]

    def all(self) -> list[tuple[list[Type], list[Type]]]:
        """Parameters and results of each; a third of them has one type that JSON does not carry, somewhere."""
        found = []
        for counts, which, flaw in zip(self.plan[::3], self.plan[1::3], self.plan[2::3], strict=False):
            split = counts % 5
            types = [self.good[(which + place) % len(self.good)] for place in range(split + counts // 5 % 4)]
            if types and flaw % 3 == 2:
                types[flaw // 3 % len(types)] = self.bad[which % len(self.bad)]
            found.append((types[:split], types[split:]))
        return found


def prototypes(declared: tuple[str, ...]) -> st.SearchStrategy[Prototypes]:
    """Prototypes of the types that a testee declares."""
    good = st.lists(values.types(declared), min_size=1, max_size=8)
    bad = st.lists(values.types((UNMARSHALABLE,), depth=3), min_size=1, max_size=4)
    return planned(Prototypes, 40, good, bad, step=Prototypes.STEP)
