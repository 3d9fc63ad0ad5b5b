"""The types of the testee contract: their names, and when a value that came is the value that was meant."""

from __future__ import annotations

import math
import struct
from fractions import Fraction
from typing import Any, TypeAlias

from conformance.oracle.strict import Lexeme, Pairs, dumps

Type: TypeAlias = "str | dict[str, Any]"

INTEGER_RANGES: dict[str, tuple[int, int]] = {
    **{f"int{bits}": (-(1 << bits - 1), (1 << bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (0, (1 << bits) - 1) for bits in (8, 16, 32, 64)},
}
FLOATS = ("float32", "float64")
SCALARS = ("bool", "string", *INTEGER_RANGES, *FLOATS, "bytes", "any", "raw", "point")


def type_name(of: Type) -> str:
    """The flat name of a type: ``{"list": "int64"}`` is ``list_int64``."""
    if isinstance(of, str):
        return of
    ((kind, inner),) = of.items()
    return f"{kind}_{type_name(inner)}"


def to_float32(value: float) -> float:
    """The nearest single-precision number; raises OverflowError for a number that is too large for one."""
    return float(struct.unpack("<f", struct.pack("<f", float(value)))[0])


def nearest_float32(written: str) -> float:
    """The single-precision number nearest to a decimal number that is not rounded to a float64 on the way."""
    exact = Fraction(written)
    near = to_float32(float(written))
    (bits,) = struct.unpack("<I", struct.pack("<f", near))
    places = (bits - 1, bits, bits + 1) if near else (0, 1, 1 << 31 | 1)
    found = [float(struct.unpack("<f", struct.pack("<I", place))[0]) for place in places]
    return min(filter(math.isfinite, found), key=lambda value: abs(Fraction(value) - exact))


def rounding(written: str, came: Any) -> str | None:
    """What is wrong with the float32 that came for a number as it is written, or None.

    An implementation may carry a float32 as a float64 that it does not round: then it is the nearest float64.
    """
    if not _is_number(came):
        return f"{came!r}, which is no number"
    return None if _as_float32(came) == nearest_float32(written) or came == float(written) else repr(came)


def difference(of: Type, meant: Any, came: Any, path: str = "$") -> str | None:
    """None when ``came`` is the value ``meant`` of type ``of``, else one line that says what differs, and where.

    JSON types are compared too: true is not 1. A number without a fraction may be written with or without one for
    a float, an any and the y of a point, never for an integer type. The sign of zero is not compared (TYP-05 has a
    comparison of its own).
    """
    todo: list[tuple[Type, Any, Any, str]] = [(of, meant, came, path)]
    while todo:  # not recursive: values are nested hundreds of levels deep
        problem = _compare(*todo.pop(), todo)
        if problem:
            return problem
    return None


def _compare(of: Type, meant: Any, came: Any, path: str, todo: list[tuple[Type, Any, Any, str]]) -> str | None:
    if isinstance(of, dict):
        ((kind, inner),) = of.items()
        if kind == "optional":
            if meant is None or came is None:
                return None if meant is came else _says(path, meant, came)
            todo.append((inner, meant, came, path))
            return None
        return _containers(inner, meant, came, path, todo)
    if of == "point":
        return _point(meant, came, path)
    if of == "float32":
        if _is_number(came) and _is_number(meant) and _as_float32(came) == _as_float32(meant):
            return None
        return _says(path, meant, came)
    if of in ("any", "raw", "float64") and _is_number(meant):
        return None if _same_number(meant, came) else _says(path, meant, came)
    if of in ("any", "raw") and isinstance(meant, list | dict):
        return _containers(of, meant, came, path, todo)
    if type(meant) is not type(came) or meant != came:
        return _says(path, meant, came)
    return None


def _containers(inner: Type, meant: Any, came: Any, path: str, todo: list[tuple[Type, Any, Any, str]]) -> str | None:
    if type(meant) is not type(came):
        return _says(path, meant, came)
    if isinstance(meant, list):
        if len(meant) != len(came):
            return f"at {path}: expected {len(meant)} elements, got {len(came)}: {_short(came)}"
        pairs = zip(meant, came, strict=True)
        todo.extend((inner, m, c, f"{path}[{i}]") for i, (m, c) in enumerate(pairs))
        return None
    if meant.keys() != came.keys():
        return f"at {path}: expected the keys {_short(sorted(meant))}, got {_short(sorted(came))}"
    todo.extend((inner, meant[key], came[key], f"{path}.{key}") for key in meant)
    return None


def _point(meant: Any, came: Any, path: str) -> str | None:
    if not isinstance(came, dict):
        return _says(path, meant, came)
    unknown = came.keys() - {"x", "y", "label"}
    if unknown:
        return f"at {path}: unknown fields {sorted(unknown)}"
    x, y, label = came.get("x"), came.get("y"), came.get("label", "")
    if type(x) is not int or x != meant["x"]:
        return _says(path + ".x", meant["x"], x)
    if not _same_number(meant["y"], y):
        return _says(path + ".y", meant["y"], y)
    return None if label == meant.get("label", "") else _says(path + ".label", meant.get("label", ""), label)


def same_written(meant: Any, came: Any) -> bool:
    """Whether two values of `strict.loads_written` were written alike, white space and escapes aside."""
    todo = [(meant, came)]
    while todo:
        one, other = todo.pop()
        if type(one) is not type(other):
            return False
        if isinstance(one, Pairs):
            if [key for key, _ in one] != [key for key, _ in other]:
                return False
            todo.extend((a, b) for (_, a), (_, b) in zip(one, other, strict=True))
        elif isinstance(one, list):
            if len(one) != len(other):
                return False
            todo.extend(zip(one, other, strict=True))
        elif isinstance(one, Lexeme):
            if str(one) != str(other):
                return False
        elif one != other:
            return False
    return True


def is_negative_zero(value: Any) -> bool:
    """Whether a number is zero with a minus sign."""
    return isinstance(value, float) and value == 0 and math.copysign(1, value) < 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same_number(meant: float, came: Any) -> bool:
    """An integer that was meant is compared exactly; a float also with digits that read back as the same float."""
    if not _is_number(came):
        return False
    try:
        return bool(float(came) == meant if isinstance(meant, float) else came == meant)
    except OverflowError:
        return False


def _as_float32(value: float) -> float | None:
    try:
        return to_float32(value)
    except OverflowError:
        return None


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python writes
        text = dumps(value).decode()
    return text if len(text) <= 120 else f"{text[:100]}… ({len(text)} characters)"


def _says(path: str, meant: Any, came: Any) -> str:
    return f"at {path}: expected {_short(meant)} ({type(meant).__name__}), got {_short(came)} ({type(came).__name__})"
