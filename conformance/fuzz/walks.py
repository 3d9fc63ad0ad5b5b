"""Walks through a conversation: a plan of steps that a model carries out, predicting what must come of each.

A step is two bytes, what is done and with what, so that a walk is drawn at once, shrinks byte by byte, and replays.
The byte 0 does nothing: a step that is not needed for a failure shrinks to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

from conformance.fuzz import values
from conformance.fuzz.batches import planned
from conformance.outcomes import CaseProblem

M = TypeVar("M")
STEPS = 160
"""Steps of a whole walk."""
TOLD = 40
"""Steps that a failure tells, the last ones."""


@dataclass(frozen=True)
class Walk:
    """The plan of a walk and the values that it uses; a relative place, 0 to 1, to break it off, and how it ends."""

    plan: bytes
    pool: tuple[Any, ...]
    place: float = 1.0
    end: int = 0

    def value(self, number: int) -> Any:
        """One of the values."""
        return self.pool[number % len(self.pool)]

    def text(self, number: int) -> str:
        """One of the values as a text."""
        value = self.value(number)
        return value if isinstance(value, str) else repr(value)

    def steps(self) -> Iterator[tuple[int, int]]:
        """What is done and with what, a byte each."""
        yield from zip(self.plan[::2], self.plan[1::2], strict=False)

    def cut(self, data: bytes) -> bytes:
        """The data up to the relative place."""
        return data[: round(self.place * len(data))]


def walks(steps: int = STEPS) -> st.SearchStrategy[Walk]:
    """Walks of so many steps, and few when they shrink."""
    pool = st.lists(st.one_of(values.TEXT, values.ANY), min_size=1, max_size=6).map(tuple)
    place = st.one_of(st.just(1.0), st.floats(0, 1, width=32))
    end = st.integers(0, 11)
    return planned(lambda plan, place, end, pool: Walk(plan, pool, place, end), 2 * steps, place, end, pool)


class Teller(Protocol):
    """A model that remembers what it did, in words."""

    story: list[str]


def walk_through(model: M, walk: Walk, table: Sequence[Callable[[M, int], None]]) -> None:
    """Carry the steps of a walk out; ``table`` holds what a model can do, the frequent things more than once."""
    for what, how in walk.steps():
        if what:
            table[(what - 1) % len(table)](model, how)


@contextmanager
def telling(model: Teller) -> Iterator[None]:
    """Put what the model did below the message of a problem inside."""
    try:
        yield
    except CaseProblem as problem:
        story = model.story if len(model.story) <= TOLD else ["…", *model.story[-TOLD:]]
        problem.note = "\n".join(filter(None, [problem.note, "what was done:", *(f"  {line}" for line in story)]))
        raise
