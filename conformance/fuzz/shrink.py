"""Steps and values that a failure does not need: what hypothesis cannot take out of the middle.

A plan is bytes of a fixed number when it is drawn, so that hypothesis makes them smaller, and cannot leave one out; and
values that are drawn together cannot be left out one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from conformance.fuzz.batches import Batch
from conformance.fuzz.json_formatting import MessageSession
from conformance.fuzz.prototypes import Prototypes
from conformance.fuzz.state_machine import Scenario

_FEW = 4
"""Values are left out of plans of so many steps at most: with fewer values, each step means something else."""


def smaller(example: Any) -> Iterator[Any]:
    """Examples like this one with steps of a plan left out, many at first; then with fewer values to choose from."""
    if isinstance(example, tuple):
        for index, part in enumerate(example):
            for other in smaller(part):
                yield (*example[:index], other, *example[index + 1 :])
        yield from _with_fewer_values(example)
    elif isinstance(example, Batch | MessageSession | Scenario | Prototypes):
        for plan in _shorter(example.plan, example.STEP):
            yield replace(example, plan=plan)
        if isinstance(example, Batch | MessageSession):
            for plan, pool in _fewer(example.plan, example.pool, example.STEP):
                yield replace(example, plan=plan, pool=tuple(pool))
    elif isinstance(example, bytes):
        yield from _shorter(example, 1)


def _shorter(plan: bytes, step: int) -> Iterator[bytes]:
    count = -(-len(plan) // step)
    size = count // 2
    while size >= 1:
        for at in range(0, count, size):
            rest = plan[: at * step] + plan[(at + size) * step :]
            if rest:
                yield rest
        size //= 2


def _with_fewer_values(example: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """The same of a plan and a list of values that stand beside each other in an example."""
    if len(example) >= 2 and isinstance(example[-2], bytes) and isinstance(example[-1], list):
        for plan, pool in _fewer(example[-2], example[-1], 1):
            yield (*example[:-2], plan, pool)


def _fewer(plan: bytes, pool: Any, size: int) -> Iterator[tuple[bytes, list[Any]]]:
    """Fewer values, and plans that may do the same with them; the run tells whether they do.

    A step is made of which value, or values, and of what is done with it, one in the other's remainders.
    """
    count, steps = len(pool), len(plan) // size
    if count == 1 or steps > _FEW:
        return
    numbers = [int.from_bytes(plan[at : at + size], "big") for at in range(0, steps * size, size)]
    transports: list[Callable[[int], int]] = [
        lambda number: number // count,
        lambda number: number // count**2,
        lambda number: number % 3,
        lambda number: number % 5,
    ]
    tried = [b"".join(transport(number).to_bytes(size, "big") for number in numbers) for transport in transports]
    for value in pool:
        for other in dict.fromkeys([*tried, plan]):
            yield other, [value]
    for place in range(count):
        yield plan, [*pool[:place], *pool[place + 1 :]]
