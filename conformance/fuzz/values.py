"""Strategies for the types of the contract and their values, with the edges where implementations slip."""

from __future__ import annotations

import base64
import functools
import math
import struct
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

from conformance.oracle.values import FLOATS, INTEGER_RANGES, Type, to_float32

T = TypeVar("T")
EDGE_CASES_AT_ONCE = 10
"""How many edge cases are drawn together."""


def edge_cases(known: Sequence[T]) -> st.SearchStrategy[list[T]]:
    """Some of these values, neighbours in the list; none at the simplest.

    What is drawn one by one misses one of a hundred edge_cases in many a run; what is drawn by the handful does not.
    """
    return st.sampled_from(
        [[], *(list(known[at : at + EDGE_CASES_AT_ONCE]) for at in range(0, len(known), EDGE_CASES_AT_ONCE))]
    )


NASTY_TEXT = [
    "",
    "\0",
    '"',
    "\\",
    '\\"',
    "}{",
    "[]",
    "\n",
    "\r\n",
    "\u2028\u2029",
    "\x7f\x80",
    "<&>",
    "é",
    "e\u0301",
    "\ufeff",
    "\uffff\ufffe",
    "\ufdd0\ufdef\U0001ffff",
    "😀",
    "\U0010ffff",
    "null",
    '{"sequence":1,"error":"x"}',
]
FIELDS = ["sequence", "type", "namespace", "name", "args", "ok", "services", "reply", "error", ""]

TEXT = st.one_of(
    st.text(max_size=12),
    st.sampled_from(NASTY_TEXT),
    st.lists(st.sampled_from(NASTY_TEXT), max_size=4).map("".join),
    st.builds(lambda text, size: (text * size)[:size], st.sampled_from(NASTY_TEXT), st.integers(1, 300)),
)
"""Text of Unicode scalar values: lone surrogates are a matter of hostile bytes, not of values."""

TEXTS = st.builds(list.__add__, st.lists(TEXT, min_size=1, max_size=8), edge_cases(NASTY_TEXT))
"""Several texts."""

KEYS = st.one_of(st.sampled_from(FIELDS), TEXT)

_FLOAT_EDGES = [
    0.0, -0.0, 5e-324, -5e-324, 2.225073858507201e-308, 2.2250738585072014e-308, 1.7976931348623157e308, -1e300, 0.1,
    1e21, 1e-7, 1e22, 3.0, 9007199254740991.0, 9007199254740992.0, 1e16, 123456789012345680.0,
]  # fmt: skip
_FLOAT32_EDGES = [to_float32(edge) for edge in (0.0, -0.0, 1e-45, -1e-45, 1.1754944e-38, 3.4028234e38, 0.1, 16777216.0)]


def _patterns(form: str) -> st.SearchStrategy[float]:
    """Finite floats of any bit pattern: those that hypothesis draws by itself are mostly round."""
    size = struct.calcsize(form)
    return st.binary(min_size=size, max_size=size).map(lambda data: struct.unpack(form, data)[0]).filter(math.isfinite)


FLOAT64 = st.one_of(st.sampled_from(_FLOAT_EDGES), st.floats(allow_nan=False, allow_infinity=False), _patterns(">d"))
FLOAT32 = st.one_of(
    st.sampled_from(_FLOAT32_EDGES),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(to_float32),
    _patterns(">f"),
)

_SAFE = (1 << 53) - 1
SAFE_INTEGERS = st.one_of(st.sampled_from([0, -1, 1, _SAFE, -_SAFE, 1 << 31, 1 << 32]), st.integers(-_SAFE, _SAFE))
"""Integers that an untyped value carries exactly in every implementation (TYP-11)."""


def integers(name: str) -> st.SearchStrategy[int]:
    """Integers of a named type, its limits and what is next to them more often than not."""
    low, high = INTEGER_RANGES[name]
    return st.one_of(st.sampled_from(_integer_edges(name)), st.integers(low, high), _evenly(low, high))


def _integer_edges(name: str) -> list[int]:
    low, high = INTEGER_RANGES[name]
    around = [sign * ((1 << 53) + step) for sign in (1, -1) for step in (-1, 0, 1)]
    return [value for value in (low, low + 1, -1, 0, 1, high - 1, high, *around) if low <= value <= high]


def _evenly(low: int, high: int) -> st.SearchStrategy[int]:
    """Integers of any bit pattern: those that hypothesis draws by itself are mostly small."""
    span = high - low + 1

    def wrap(data: bytes) -> int:
        value = int.from_bytes(data, "big") % span
        return value if value <= high else value - span

    return st.binary(min_size=8, max_size=8).map(wrap)


def beyond(name: str) -> st.SearchStrategy[int]:
    """Integers that are just, or far, out of the range of a named type."""
    low, high = INTEGER_RANGES[name]
    return st.sampled_from([low - 1, high + 1, low - (1 << 40), high + (1 << 40), (1 << 64) + high, -(1 << 65)])


_LEAF = st.one_of(st.none(), st.booleans(), SAFE_INTEGERS, FLOAT64, TEXT)
_TREE = st.recursive(
    _LEAF,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=8,
)
DEEPEST = 110
"""Levels that a value is wrapped in at most, besides its own: every implementation takes 128 (LIM-03)."""


def _wrapped(value: Any, keys: list[str], levels: int) -> Any:
    """The value inside so many arrays and objects; the keys are used in turn, and an empty one makes an array."""
    for level in range(levels):
        key = keys[level % len(keys)]
        value = {key: value} if key else [value]
    return value


_DEEP = st.builds(_wrapped, _LEAF, st.lists(KEYS, min_size=1, max_size=3), st.integers(1, DEEPEST))
_WIDE = st.builds(lambda value, count: [value] * count, st.one_of(st.none(), FLOAT64, KEYS), st.integers(1, 300))
ANY = st.one_of(_TREE, _TREE, _TREE, _TREE, _DEEP, _WIDE)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


POINT = st.fixed_dictionaries(
    {"x": integers("int64"), "y": FLOAT64}, optional={"label": TEXT.filter(bool)}
)  # an empty label is left out by those who keep to the contract

_SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "string": TEXT,
    "float32": FLOAT32,
    "float64": FLOAT64,
    "bytes": st.binary(max_size=40).map(_base64),
    "any": ANY,
    "raw": ANY,
    "point": POINT,
    **{name: integers(name) for name in INTEGER_RANGES},
}


_TREE_EDGES: list[Any] = [
    None, True, False, 0, -1, _SAFE, -_SAFE, 1e-7, -2.5e-300, 1e300, 0.1, [], {}, [[]], [{}], [None], {"": None},
    {"a": {"a": {}}}, [0, [1, [2]]], {"sequence": 1, "type": "call"}, {"error": "x", "reply": []}, "\\", '"', "]}",
    "\u2028", "😀", "\uffff", "\0", {"\u2028": 1}, {"😀": []}, {'"': "\\"}, {"constructor": 1, "__proto__": {}},
    ["", ""],
]  # fmt: skip
ANYS = st.builds(list.__add__, st.lists(ANY, min_size=1, max_size=8), edge_cases(_TREE_EDGES))
"""Several untyped values."""

_EDGES: dict[str, Sequence[Any]] = {
    "bool": (False, True),
    "string": NASTY_TEXT,
    "float32": _FLOAT32_EDGES,
    "float64": _FLOAT_EDGES,
    "bytes": [_base64(data) for data in (b"", b"\0", b"\xff\xfe", b"abc", b">>>???", bytes(range(256)))],
    "any": _TREE_EDGES,
    "raw": _TREE_EDGES,
    "point": [{"x": 0, "y": -0.0}, {"x": -1, "y": 5e-324}, {"x": _SAFE + 2, "y": 1e-7, "label": "}{"}],
    **{name: _integer_edges(name) for name in INTEGER_RANGES},
}


def edges(names: Iterable[str]) -> list[tuple[str, Any]]:
    """The values of these scalar types at which implementations slip, each with its type."""
    return [(name, value) for name in names for value in _EDGES[name]]


@functools.cache
def _scalar(name: str) -> st.SearchStrategy[Any]:
    return _SCALARS[name]


def of_type(of: Type) -> st.SearchStrategy[Any]:
    """Values of a type, as the JSON that carries them."""
    if isinstance(of, str):
        return _scalar(of)
    ((kind, inner),) = of.items()
    if kind == "list":
        return st.lists(of_type(inner), max_size=5)
    if kind == "map":
        return st.dictionaries(KEYS, of_type(inner), max_size=4)
    if inner == "any" or inner == "raw":
        return of_type(inner)
    return st.none() | of_type(inner)


def edgy_first(names: Iterable[str]) -> list[Type]:
    """The types with the most edges first: what comes first is drawn by far the most often."""
    edgy = ("int64", "string", "float64")
    return sorted(names, key=lambda name: edgy.index(name) if name in edgy else len(edgy))


@functools.cache
def types(declared: tuple[str, ...], *, depth: int = 2) -> st.SearchStrategy[Type]:
    """Types that a testee with these declared scalar types takes, nested up to ``depth`` constructors.

    An optional of an optional, of an any or of a raw says nothing that the inner type does not say, and is left out.
    """
    scalars: list[Type] = edgy_first(declared)
    found: st.SearchStrategy[Type] = st.sampled_from(scalars)
    if declared == ("any",):
        return found
    for _ in range(depth):
        inner = found
        found = st.one_of(
            st.sampled_from(scalars),
            st.builds(lambda kind, of: {kind: of}, st.sampled_from(["list", "map"]), inner),
            inner.filter(_says_something_when_optional).map(lambda of: {"optional": of}),
        )
    return found


def _says_something_when_optional(of: Type) -> bool:
    return of not in ("any", "raw") and not (isinstance(of, dict) and "optional" in of)


@functools.cache
def misfits(name: str) -> st.SearchStrategy[Any]:
    """JSON values that no value of a scalar type is written as."""
    others: dict[str, st.SearchStrategy[Any]] = {
        "bool": st.one_of(st.integers(-2, 2), TEXT, st.lists(st.booleans(), max_size=2)),
        "string": st.one_of(st.booleans(), SAFE_INTEGERS, st.lists(TEXT, max_size=2), st.dictionaries(KEYS, TEXT)),
        "bytes": st.one_of(st.booleans(), SAFE_INTEGERS, st.sampled_from(["aGk", "a", "====", "a-_b", "aGk=\u00e9"])),
        "point": st.one_of(st.booleans(), SAFE_INTEGERS, TEXT, st.lists(SAFE_INTEGERS, max_size=2)),
    }
    if name in INTEGER_RANGES:
        fraction = st.floats(-1e6, 1e6).filter(lambda value: not value.is_integer())
        return st.one_of(st.booleans(), TEXT, fraction, beyond(name), st.lists(SAFE_INTEGERS, max_size=2))
    if name in FLOATS:
        return st.one_of(st.booleans(), TEXT, st.lists(FLOAT64, max_size=2), st.dictionaries(KEYS, FLOAT64, max_size=1))
    return others[name]


MISFITTED = ("bool", "string", "bytes", "point", *INTEGER_RANGES, *FLOATS)
"""The scalar types that some JSON value does not fit."""
