"""Many calls from few drawn values: a pool of values and a plan of what to do with them.

Drawing is the slow part of generating; so each example draws a handful of values and combines them into dozens of
calls. Everything that is combined comes from the example alone, so that it shrinks and replays.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st

from conformance.fuzz import values
from conformance.oracle.values import Type

T = TypeVar("T")
POOL = 8
LARGE = 1000
"""Bytes from which on a value is not repeated inside of a container."""
PLAN = 256
"""Steps of a plan: as many as a byte can tell apart."""

MOST = 300_000
"""Bytes of the values of one example; what is made of them is larger by a factor."""


def size_of(value: Any) -> int:
    """About how many bytes a value has on the wire."""
    return len(json.dumps(value))


AT_ONCE = st.sampled_from([False, True, True])
"""Whether calls are made at once, where the testee can: simpler is one after the other."""

_SHARES = (0.004, 0.01, 0.03, 0.1, 0.5, *[1] * 15)
"""Shares of a full plan, few first: an example shrinks towards them."""


def plans(size: int = PLAN, step: int = 1) -> st.SearchStrategy[bytes]:
    """A byte, or ``step`` of them, for each thing to do: mostly ``size`` things, and few when an example shrinks."""
    return st.builds(
        lambda share, plan: plan[: max(1, int(share * size)) * step],
        st.sampled_from(_SHARES),
        st.binary(min_size=size * step, max_size=size * step),
    )


def planned(build: Callable[..., T], size: int, *parts: st.SearchStrategy[Any], step: int = 1) -> st.SearchStrategy[T]:
    """``build(plan, *parts)`` with a plan of ``size`` steps.

    The plan is drawn first: hypothesis makes half of its examples by changing a part of an earlier one, and what is
    drawn behind the change is apt to become as simple as can be, that is, a plan of hardly anything.
    """
    return st.builds(build, plans(size, step), *parts)


@dataclass(frozen=True)
class Typed:
    """A value with the type that it is of."""

    of: Type
    value: Any

    @cached_property
    def size(self) -> int:
        """About how many bytes the value has on the wire."""
        return size_of(self.value)


@dataclass(frozen=True)
class Batch:
    """A pool of values, and a plan: two bytes a call."""

    STEP: ClassVar[int] = 2
    """Bytes of one step of the plan."""

    pool: tuple[Typed, ...]
    plan: bytes

    def picks(self) -> list[tuple[int, Typed, Typed]]:
        """For each call of the plan: a number to choose what is done, and two values to do it with.

        There are fewer where the values are large.
        """
        found: list[tuple[int, Typed, Typed]] = []
        count = len(self.pool)
        sizes = [item.size for item in self.pool]
        size = 0
        for high, low in zip(self.plan[::2], self.plan[1::2], strict=False):
            rest, one = divmod(high << 8 | low, count)  # by the step alone: one that is left out changes no other
            choice, two = divmod(rest, count)
            size += sizes[one] + sizes[two]
            if found and size > MOST:
                break
            found.append((choice, self.pool[one], self.pool[two]))
        return found


def enclosed(choice: int, item: Typed, takes: Callable[[Type], bool]) -> Typed:
    """The value as it is, or inside a list, a map or an optional, by ``choice``, where the testee takes such a type.

    So each value that is drawn is tried in each place, for the price of one.
    """
    kind = ("list", "map", "optional", "")[choice % 4]
    of: Type = {kind: item.of}
    if (
        not kind
        or item.size > LARGE
        or not isinstance(item.of, str)
        or (kind == "optional" and item.of in ("any", "raw"))
        or not takes(of)
    ):
        return item
    made = {"list": [item.value] * 2, "map": dict.fromkeys(values.NASTY_TEXT, item.value), "optional": item.value}
    return Typed(of, made[kind])


def typed(types: st.SearchStrategy[Type]) -> st.SearchStrategy[Typed]:
    """A type and a value of it."""
    return types.flatmap(lambda of: values.of_type(of).map(lambda value: Typed(of, value)))


def batches(types: st.SearchStrategy[Type], names: Iterable[str]) -> st.SearchStrategy[Batch]:
    """Batches of values of these types, and of the edge cases of the scalar types of these names."""
    pool = st.lists(typed(types), min_size=3, max_size=POOL)
    edge_cases = values.edge_cases([Typed(*edge) for edge in values.edges(names)])

    def build(plan: bytes, *parts: list[Typed]) -> Batch:
        return Batch(tuple(item for part in reversed(parts) for item in part), plan)

    return planned(build, PLAN, edge_cases, edge_cases, edge_cases, pool, step=Batch.STEP)


def safe_as_any(item: Typed) -> bool:
    """Whether an untyped parameter carries the value exactly in every implementation (integers up to 2^53)."""
    todo = [item.value]
    while todo:
        value = todo.pop()
        if isinstance(value, int) and abs(value) > 1 << 53:
            return False
        if isinstance(value, list):
            todo.extend(value)
        elif isinstance(value, dict):
            todo.extend(value.values())
    return True
