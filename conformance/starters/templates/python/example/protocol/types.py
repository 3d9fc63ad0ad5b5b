"""Types: every value is checked where it leaves and where it arrives.

A type is a name, or an object with one member: `"int64"`, `{"list": "int64"}`. Values are in their JSON form: bytes are
base64 text, a point is an object, an optional is None or its value.
"""

from __future__ import annotations

import math
import re
import struct
from fractions import Fraction
from typing import Any

from exactjson import Literal

Type = Any
INTEGERS = {f"int{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)}
INTEGERS |= {f"uint{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)}
NAMES = ["any", "raw", "bool", "string", *INTEGERS, "float32", "float64", "bytes", "point"]
KINDS = ("list", "map", "optional")
SMALLEST = 1e-50  # what is nearer to zero is zero as a float32
BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")  # in fours


class Mismatch(Exception):
    """A value does not fit its type."""


def is_type(of: Type) -> bool:
    """Whether JSON can carry the values of a type."""
    if isinstance(of, dict) and len(of) == 1:
        ((kind, inner),) = of.items()
        return kind in KINDS and is_type(inner)
    return isinstance(of, str) and of in NAMES


def check_all(types: list[Type], values: Any, what: str) -> list[Any]:
    """As many values as types, each checked; `what` they are is said in the error."""
    if not isinstance(values, list):
        raise Mismatch(f"expected an array of {what}, got {_shown(values)}")
    if len(values) != len(types):
        raise Mismatch(f"expected {len(types)} {what}, got {len(values)}")
    return [check(of, value, f"$[{i}]") for i, (of, value) in enumerate(zip(types, values, strict=True))]


def check(of: Type, value: Any, where: str) -> Any:
    """The value as its type has it; raises Mismatch with the place."""
    if isinstance(of, dict):
        ((kind, inner),) = of.items()
        return _check_compound(kind, inner, value, where)
    if of == "any" or of == "raw":
        return value
    if of in INTEGERS:
        return _check_integer(of, value, where)
    if of in ("float32", "float64"):
        return _check_float(of, value, where)
    if of == "point" and isinstance(value, dict):
        return _check_point(value, where)
    if of == "bool" and isinstance(value, bool):
        return value
    if of == "string" and isinstance(value, str):
        return value
    if of == "bytes" and isinstance(value, str) and BASE64.fullmatch(value) and len(value) % 4 == 0:
        return value
    raise _mismatch(of, value, where)


def _check_compound(kind: str, inner: Type, value: Any, where: str) -> Any:
    if kind == "optional":
        return None if value is None else check(inner, value, where)
    if kind == "list" and isinstance(value, list):
        return [check(inner, item, f"{where}[{i}]") for i, item in enumerate(value)]
    if kind == "map" and isinstance(value, dict):
        return {key: check(inner, item, f"{where}.{key}") for key, item in value.items()}
    raise _mismatch(kind, value, where)


def _check_integer(of: str, value: Any, where: str) -> int:
    if isinstance(value, Literal) and value.text == "-0":
        return 0
    low, high = INTEGERS[of]
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _mismatch(of, value, where)
    return value


def _check_float(of: str, value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _mismatch(of, value, where)
    try:
        number = float(value)
        if of == "float32" and math.isfinite(number):
            number = _single(number, value)
    except OverflowError:
        raise _mismatch(of, value, where) from None
    if not math.isfinite(number):
        raise _mismatch(of, value, where)
    return number


def _single(number: float, value: Any) -> float:
    """The float32 that is nearest to a value. By way of a float it is rounded twice, so its neighbours count."""
    exact = Fraction(value.text if isinstance(value, Literal) else value) if abs(number) > SMALLEST else Fraction(0)
    (bits,) = struct.unpack("<I", struct.pack("<f", number))
    neighbours = (struct.unpack("<f", struct.pack("<I", bits + step))[0] for step in (0, -1, 1) if bits + step >= 0)
    nearest: float = min(filter(math.isfinite, neighbours), key=lambda one: abs(Fraction(one) - exact))
    return nearest


def _check_point(value: dict[str, Any], where: str) -> dict[str, Any]:
    """Unknown fields are left out, and so is an empty label."""
    label = check("string", value.get("label", ""), f"{where}.label")
    point = {
        "x": _check_integer("int64", value.get("x", 0), f"{where}.x"),
        "y": _check_float("float64", value.get("y", 0.0), f"{where}.y"),
    }
    return point | ({"label": label} if label else {})


def _mismatch(of: str, value: Any, where: str) -> Mismatch:
    return Mismatch(f"expected {of}, got {_shown(value)}, at {where}")


def _shown(value: Any) -> str:
    if isinstance(value, Literal):
        return value.text[:40]
    if isinstance(value, bool | int | None):
        return {True: "true", False: "false", None: "null"}.get(value, str(value))
    return {str: "a string", list: "an array", dict: "an object"}.get(type(value), f"{type(value).__name__}")
