"""Scenarios through a conversation: a plan of steps that a model carries out, predicting what must come of each.

A step is two bytes, what is done and with what, so that a scenario is drawn at once, shrinks byte by byte, and replays.
The byte 0 does nothing: a step that is not needed for a failure shrinks to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from hypothesis import strategies as st

from conformance.fuzz import values
from conformance.fuzz.batches import planned
from conformance.outcomes import CaseProblem

M = TypeVar("M")
STEPS = 160
"""Steps of a whole scenario."""
TOLD = 40
"""Steps that a failure tells, the last ones."""


@dataclass(frozen=True)
class Scenario:
    """The plan of a scenario and the values that it uses; a relative place, 0 to 1, to break it off, and how it ends.

    With ``beside`` it is broken off so many bytes behind the end of the message that the place is in.
    """

    STEP: ClassVar[int] = 2
    """Bytes of one step of the plan."""

    plan: bytes
    pool: tuple[Any, ...]
    place: float = 1.0
    end: int = 0
    beside: int | None = None

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

    def cut(self, stream: bytes) -> Cut:
        """Messages, each with a line feed behind it, up to where they are broken off."""
        at = round(self.place * len(stream))
        if self.beside is not None and stream:
            end = stream.find(b"\n", min(at, len(stream) - 1))
            at = min(end + self.beside, len(stream))
        # The end of a message is its brace: the line feed behind it is no part of it.
        return Cut(stream[:at], stream.count(b"\n", 0, at + 1), at == 0 or b"\n" in stream[at - 1 : at + 1])


@dataclass(frozen=True)
class Cut:
    """A stream that was broken off: its bytes, how many whole messages they hold, and whether they hold no other."""

    stream: bytes
    whole: int
    complete: bool


def scenarios(steps: int = STEPS) -> st.SearchStrategy[Scenario]:
    """Scenarios of so many steps, and few when they shrink."""
    pool = st.lists(st.one_of(values.TEXT, values.ANY), min_size=1, max_size=6).map(tuple)
    place = st.one_of(st.just(1.0), st.floats(0, 1, width=32))
    end = st.integers(0, 11)
    beside = st.sampled_from((None, -1, 0, 1, 2))
    return planned(
        lambda plan, place, end, beside, pool: Scenario(plan, pool, place, end, beside),
        steps,
        place,
        end,
        beside,
        pool,
        step=Scenario.STEP,
    )


class Teller(Protocol):
    """A model that remembers what it did, in words."""

    story: list[str]


def run_scenario(model: M, scenario: Scenario, table: Sequence[Callable[[M, int], None]]) -> None:
    """Carry the steps of a scenario out; ``table`` holds what a model can do, the frequent things more than once."""
    for what, how in scenario.steps():
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
