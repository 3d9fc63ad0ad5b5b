"""What generated examples are made of: counted, so that a campaign can say what it tried, and what it never did."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from conformance.fuzz.batches import Batch, Typed
from conformance.fuzz.json_formatting import DAMAGES, Damage, Formatting, MessageSession
from conformance.fuzz.prototypes import UNMARSHALABLE, Prototypes
from conformance.fuzz.state_machine import Scenario
from conformance.fuzz.values import FIELDS
from conformance.oracle.values import INTEGER_RANGES, SCALARS

DEEP = 50
LARGE = 200
_LIMITS = {limit for limits in INTEGER_RANGES.values() for limit in limits}

INTEGERS = ("zero", "negative", "limit of a type", "one past a limit", "next to 2^53", "beyond 2^53")
FLOATS = ("negative zero", "subnormal", "integral", "next to the largest", "any other")
TEXTS = (
    "empty", "control characters", "quotes and backslashes", "combining", "noncharacter", "astral", "other non-ASCII",
    "name of a protocol field", "looks like JSON", "long",
)  # fmt: skip
CONTAINERS = ("empty list", "empty object", "large", "deep", "key like a protocol field", "nested")

ALL: tuple[str, ...] = (
    *(f"type {name}" for name in (*SCALARS, UNMARSHALABLE)),
    *(f"type {kind} of" for kind in ("list", "map", "optional")),
    "boolean",
    "null",
    *(f"integer: {each}" for each in INTEGERS),
    *(f"float: {each}" for each in FLOATS),
    *(f"text: {each}" for each in TEXTS),
    *(f"container: {each}" for each in CONTAINERS),
    *(f"damage: {each}" for each in DAMAGES),
    "formatting: ASCII only",
    "formatting: unknown keys",
    "bytes cut into pieces",
    "scenario",
    "scenario broken off",
    "plan of one call",
    "plan of hundreds of calls",
)
"""Every feature that is counted."""


def features(example: Any) -> set[str]:
    """The features that an example has, out of `ALL`."""
    return set(_walk(example))


def _walk(example: Any) -> Iterator[str]:
    todo: list[tuple[Any, int]] = [(example, 0)]
    while todo:
        value, depth = todo.pop()
        if isinstance(value, Prototypes):
            for of in (*value.good, *value.bad):
                yield from _of_type(of)
        elif isinstance(value, Typed):
            yield from _of_type(value.of)
            todo.append((value.value, 0))
        elif isinstance(value, Batch | MessageSession | Scenario):
            yield from _of_plan(value)
            todo += [(item, 0) for item in value.pool]
            todo += [(item, 0) for item in getattr(value, "formattings", ())]
        elif isinstance(value, Damage):
            yield from (f"damage: {kind}" for kind in value.kinds())
        elif isinstance(value, Formatting):
            yield from ["formatting: ASCII only"] * value.ascii + ["formatting: unknown keys"] * value.unknown
        elif isinstance(value, list | tuple | dict):
            inner = [*value.values()] if isinstance(value, dict) else value
            if not isinstance(value, tuple):
                yield from _of_container(value, depth)
            todo += [(item, depth + 1) for item in inner[:LARGE]]
        else:
            yield from _of_scalar(value)


def _of_type(of: Any) -> Iterator[str]:
    while isinstance(of, dict):
        ((kind, of),) = of.items()
        yield f"type {kind} of"
    yield f"type {of}"


def _of_plan(value: Batch | MessageSession | Scenario) -> Iterator[str]:
    steps = len(value.plan) // value.STEP
    if steps == 1:
        yield "plan of one call"
    if steps >= LARGE:
        yield "plan of hundreds of calls"
    if isinstance(value, MessageSession) and any(value.cuts):
        yield "bytes cut into pieces"
    if isinstance(value, Scenario):
        yield "scenario" if value.place == 1 and value.beside is None else "scenario broken off"


def _of_container(value: list[Any] | dict[str, Any], depth: int) -> Iterator[str]:
    if not value:
        yield "container: empty list" if isinstance(value, list) else "container: empty object"
    if len(value) >= LARGE:
        yield "container: large"
    if depth >= DEEP:
        yield "container: deep"
    elif depth:
        yield "container: nested"
    if isinstance(value, dict) and not value.keys().isdisjoint(FIELDS):
        yield "container: key like a protocol field"
    if isinstance(value, dict):
        for key in value:
            yield from _of_text(key)


def _of_scalar(value: Any) -> Iterator[str]:
    if value is None:
        yield "null"
    elif isinstance(value, bool):
        yield "boolean"
    elif isinstance(value, int):
        yield from _of_integer(value)
    elif isinstance(value, float):
        yield from _of_float(value)
    elif isinstance(value, str):
        yield from _of_text(value)


def _of_integer(value: int) -> Iterator[str]:
    if value == 0:
        yield "integer: zero"
    if value < 0:
        yield "integer: negative"
    if value in _LIMITS - {0}:
        yield "integer: limit of a type"
    if value not in _LIMITS and (value - 1 in _LIMITS - {0} or value + 1 in _LIMITS - {0}):
        yield "integer: one past a limit"
    if abs(abs(value) - (1 << 53)) <= 1:
        yield "integer: next to 2^53"
    elif abs(value) > 1 << 53:
        yield "integer: beyond 2^53"


def _of_float(value: float) -> Iterator[str]:
    size = abs(value)
    if value == 0 and math.copysign(1, value) < 0:
        yield "float: negative zero"
    elif 0 < size < 2.2250738585072014e-308:
        yield "float: subnormal"
    elif size > 1e308:
        yield "float: next to the largest"
    elif value.is_integer():
        yield "float: integral"
    else:
        yield "float: any other"


def _of_text(text: str) -> Iterator[str]:
    if not text:
        yield "text: empty"
    if text in FIELDS:
        yield "text: name of a protocol field"
    if len(text) > 100:
        yield "text: long"
    if text[:1] in ("{", "[") or text in ("null", "true"):
        yield "text: looks like JSON"
    if '"' in text or "\\" in text:
        yield "text: quotes and backslashes"
    for char in set(text):
        code = ord(char)
        if code < 32 or 127 <= code < 160:
            yield "text: control characters"
        elif code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF:
            yield "text: noncharacter"
        elif code > 0xFFFF:
            yield "text: astral"
        elif code > 127:
            yield "text: combining" if unicodedata.combining(char) else "text: other non-ASCII"


def never(counts: Counter[str], relevant: Iterable[str] = ALL) -> list[str]:
    """The features that nothing generated had."""
    return [name for name in relevant if not counts[name]]
