"""Steps that a failure does not need: what hypothesis cannot take out of the middle of a plan.

A plan is bytes of a fixed number when it is drawn, so that hypothesis makes them smaller, and cannot leave one out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from conformance.fuzz.batches import Batch
from conformance.fuzz.prototypes import Prototypes
from conformance.fuzz.styles import Talk
from conformance.fuzz.walks import Walk

_STEP: dict[type[Any], int] = {Walk: 2, Prototypes: 3}
"""Bytes of one step of a plan, where it is not one."""


def smaller(example: Any) -> Iterator[Any]:
    """Examples like this one with steps of a plan left out, many at first; then with fewer values to choose from."""
    if isinstance(example, tuple):
        for index, part in enumerate(example):
            for other in smaller(part):
                yield (*example[:index], other, *example[index + 1 :])
    elif isinstance(example, Batch | Talk | Walk | Prototypes):
        for plan in _shorter(example.plan, _STEP.get(type(example), 1)):
            yield replace(example, plan=plan)
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
