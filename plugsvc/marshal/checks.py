"""Checks of Python values against types, which say what is wrong and where.

JSON encoders write what they are given. So a value is checked against its type when it is encoded (`full`, after a
quick check has failed); and after decoding, which msgspec does by type, the little that it lets through is checked here
(`residual`): integers inside of classes that are not int64, uint64 beyond its range, floats that do not fit 32 bits.

What arrives is what was sent: where JSON would carry something else in silence (the fields of a subclass, seconds of an
offset from UTC, an integer that no float equals), the value does not fit.

A check is a function that returns for a value that fits and raises `Mismatch` for one that does not.
"""

from __future__ import annotations

import datetime
import decimal
import math
import re
import typing
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, inspect

from .mismatch import Mismatch, kind
from .raw import check_raw
from .typeinfo import INT64_MAX, INT64_MIN, extra, is_unbounded, reaches, show, unwrap
from .types import FLOAT32, UINT64

__all__ = ["FLOAT32_LIMIT", "Check", "check_offset", "full", "integer_bounds", "is_constrained", "residual"]

Check = Callable[[Any], None]

FLOAT32_LIMIT = (2.0 - 2.0**-24) * 2.0**127
"""The least number that rounds to infinity in 32 bits."""


def full(node: inspect.Type) -> Check:
    """Return the check that a value is of this type before it is encoded."""
    return _Builder().check(node)


def residual(node: inspect.Type) -> Check | None:
    """Return the check of what msgspec does not check when it decodes this type, or None when that is nothing."""
    return _Residual().check(node) if reaches(node, is_unbounded) else None


def integer_bounds(node: inspect.IntType, mark: str | None) -> tuple[int, int]:
    """Return the least and the greatest integer of a type. `mark`: what `typeinfo.extra` says of it."""
    low = INT64_MIN if node.ge is None else node.ge
    high = (2**64 - 1 if mark == UINT64 else INT64_MAX) if node.le is None else node.le
    if node.gt is not None:
        low = node.gt + 1
    if node.lt is not None:
        high = node.lt - 1
    return low, high


def is_constrained(node: inspect.Type) -> bool:
    """Return whether a type has constraints (`msgspec.Meta`) besides the bounds of an integer."""
    if isinstance(node, inspect.IntType):
        return node.multiple_of is not None
    return any(getattr(node, name, None) is not None for name in _CONSTRAINTS)


def _nothing(value: Any) -> None:
    """Accept any value."""


def _instance(kinds: type | tuple[type, ...], name: str) -> Check:
    def check(value: Any) -> None:
        if not isinstance(value, kinds):
            raise Mismatch(f"expected {name}, got {kind(value)}")

    return check


def _null(value: Any) -> None:
    if value is not None:
        raise Mismatch(f"expected null, got {kind(value)}")


def _date(value: Any) -> None:
    if not isinstance(value, datetime.date) or isinstance(value, datetime.datetime):
        raise Mismatch(f"expected date, got {kind(value)}")


def _datetime(node: inspect.DateTimeType) -> Check:
    def check(value: Any) -> None:
        if not isinstance(value, datetime.datetime):
            raise Mismatch(f"expected datetime, got {kind(value)}")
        if value.tzinfo is None:
            raise Mismatch("expected datetime with a time zone, got one without")
        check_offset(value)

    return check


def _time(node: inspect.TimeType) -> Check:
    def check(value: Any) -> None:
        if not isinstance(value, datetime.time):
            raise Mismatch(f"expected time, got {kind(value)}")
        if node.tz is not None and node.tz != (value.tzinfo is not None):
            zone, other = ("with", "without") if node.tz else ("without", "with")
            raise Mismatch(f"expected time {zone} a time zone, got one {other}")
        check_offset(value)

    return check


def check_offset(value: datetime.datetime | datetime.time) -> None:
    """Raise `Mismatch` for an offset from UTC that RFC 3339 cannot write, since it has hours and minutes only."""
    if value.tzinfo is not None:
        offset = value.utcoffset()
        if offset is None:
            raise Mismatch(f"expected a fixed offset from UTC, got {value.tzinfo}")
        if offset % datetime.timedelta(minutes=1):
            raise Mismatch(f"expected an offset from UTC in whole minutes, got {offset}")


def _memory(value: Any) -> None:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise Mismatch(f"expected bytes, got {kind(value)}")
    if isinstance(value, memoryview) and (value.format not in ("B", "b", "c") or not value.c_contiguous):
        raise Mismatch(f"expected contiguous bytes, got a memoryview of format {value.format!r}")


def _integer(node: inspect.IntType, mark: str | None) -> Check:
    low, high = integer_bounds(node, mark)

    def check(value: Any) -> None:
        if type(value) is not int and (not isinstance(value, int) or isinstance(value, bool)):
            raise Mismatch(f"expected int, got {kind(value)}")
        if not low <= value <= high:
            raise Mismatch(f"expected int >= {low}" if value < low else f"expected int <= {high}")

    return check


def _float(mark: str | None) -> Check:
    limit = FLOAT32_LIMIT if mark == FLOAT32 else math.inf

    def check(value: Any) -> None:
        if type(value) is not float:
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                raise Mismatch(f"expected float, got {kind(value)}")
            try:
                number = float(value)
            except OverflowError:
                raise Mismatch("number out of range") from None
            if number != value and isinstance(value, int):
                raise Mismatch(f"expected float, got int {value}, which no float equals")
            value = number
        if not -limit < value < limit:
            if math.isfinite(value):
                raise Mismatch("number out of range for 32 bits")
            raise Mismatch(f"expected a finite float, got {value}")

    return check


def _literal(node: inspect.LiteralType) -> Check:
    allowed = {(type(value), value) for value in node.values}

    def check(value: Any) -> None:
        try:
            if (type(value), value) in allowed:
                return
        except TypeError:
            raise Mismatch(f"expected {' | '.join(map(repr, node.values))}, got {kind(value)}") from None
        raise Mismatch(f"invalid enum value {value!r}")

    return check


_CONSTRAINTS = ("ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length", "pattern")


def _constrained(node: inspect.Type, check: Check) -> Check:
    """Return `check` with the constraints of the type, in the order and words of msgspec."""
    noun = _name(node)
    tests: list[tuple[Callable[[Any], bool], str]] = []

    def add(name: str, make: Callable[[Any], Callable[[Any], bool]], text: str) -> None:
        bound = getattr(node, name, None)
        if bound is not None:
            bound = float(bound) if isinstance(node, inspect.FloatType) else bound
            tests.append((make(bound), text.format(bound)))

    add("ge", lambda bound: lambda value: value >= bound, noun + " >= {}")
    add("gt", lambda bound: lambda value: value > bound, noun + " > {}")
    add("le", lambda bound: lambda value: value <= bound, noun + " <= {}")
    add("lt", lambda bound: lambda value: value < bound, noun + " < {}")
    add("multiple_of", lambda bound: lambda value: value % bound == 0, noun + " that's a multiple of {}")
    add("min_length", lambda bound: lambda value: _length(value) >= bound, noun + " of length >= {}")
    add("max_length", lambda bound: lambda value: _length(value) <= bound, noun + " of length <= {}")
    add("pattern", lambda bound: lambda value: re.search(bound, value) is not None, noun + " matching regex {!r}")

    def constrained(value: Any) -> None:
        check(value)
        for test, expected in tests:
            if not test(value):
                raise Mismatch(f"expected {expected}")

    return constrained


def _length(value: Any) -> int:
    return value.nbytes if isinstance(value, memoryview) else len(value)


class _Builder:
    """Builds checks from the type information; classes that contain themselves are why it has a memory."""

    def __init__(self) -> None:
        self._classes: dict[int, Check] = {}

    def check(self, node: inspect.Type) -> Check:
        """Return the check for a type."""
        mark, bare = extra(node), unwrap(node)
        check = self._unconstrained(bare, mark)
        return _constrained(bare, check) if is_constrained(bare) else check

    def _unconstrained(self, node: inspect.Type, mark: str | None) -> Check:
        if isinstance(node, inspect.UnionType):
            return self._union(node)
        if isinstance(node, inspect.TupleType):
            return self._tuple([self.check(item) for item in node.item_types], tuple)
        if isinstance(node, inspect.DictType):
            return self._dict(node)
        if isinstance(node, inspect.CollectionType):
            return self._collection(node)
        if isinstance(node, inspect.NamedTupleType):
            return self._class(node, node.cls, by_attribute=True)
        if isinstance(node, (inspect.StructType, inspect.DataclassType)):
            return self._class(node, typing.get_origin(node.cls) or node.cls, by_attribute=True)
        if isinstance(node, inspect.TypedDictType):
            return self._class(node, dict, by_attribute=False)
        return self._leaf(node, mark)

    def _leaf(self, node: inspect.Type, mark: str | None) -> Check:
        if isinstance(node, inspect.IntType):
            return _integer(node, mark)
        if isinstance(node, inspect.FloatType):
            return _float(mark)
        if isinstance(node, inspect.LiteralType):
            return _literal(node)
        if isinstance(node, inspect.EnumType):
            return _instance(node.cls, show(node.cls))
        if isinstance(node, inspect.DateTimeType):
            return _datetime(node)
        if isinstance(node, inspect.TimeType):
            return _time(node)
        return _LEAVES[type(node)]

    def _union(self, node: inspect.UnionType) -> Check:
        checks = [self.check(member) for member in node.types]
        plain = [_guard(member) for member in node.types]

        def check(value: Any) -> None:
            of_its_kind: Mismatch | None = None
            for one, guard in zip(checks, plain, strict=True):
                try:
                    return one(value)
                except Mismatch as mismatch:
                    # What is wrong inside of the member that it is meant to be tells more than that none fits.
                    if mismatch.path or guard(value):
                        of_its_kind = mismatch
            raise of_its_kind or Mismatch(f"expected {_names(node)}, got {kind(value)}")

        return check

    def _tuple(self, checks: list[Check], kinds: type) -> Check:
        count = len(checks)

        def check(value: Any) -> None:
            if not isinstance(value, (list, tuple)):
                raise Mismatch(f"expected array, got {kind(value)}")
            if len(value) != count:
                raise Mismatch(f"expected array of length {count}, got {len(value)}")
            _items(zip(checks, value, strict=True))

        return check

    def _collection(self, node: inspect.CollectionType) -> Check:
        item = self.check(node.item_type)
        is_set = isinstance(node, (inspect.SetType, inspect.FrozenSetType))

        def check(value: Any) -> None:
            if not isinstance(value, (set, frozenset) if is_set else (list, tuple, set, frozenset)):
                raise Mismatch(f"expected {'set' if is_set else 'array'}, got {kind(value)}")
            _items((item, element) for element in value)

        return check

    def _dict(self, node: inspect.DictType) -> Check:
        key, item = self.check(node.key_type), self.check(node.value_type)

        def check(value: Any) -> None:
            if not isinstance(value, Mapping):
                raise Mismatch(f"expected object, got {kind(value)}")
            for name in value:
                try:
                    key(name)
                except Mismatch as mismatch:
                    raise Mismatch(f"key: {mismatch.text}") from None
            for name, element in value.items():
                try:
                    item(element)
                except Mismatch as mismatch:
                    raise mismatch.within(f".{name}") from None

        return check

    def _class(self, node: Any, cls: type, *, by_attribute: bool) -> Check:
        known = self._classes.get(id(node))
        if known is not None:
            return known
        fields: list[tuple[str, bool, Check]] = []
        names: set[str] = set()
        wanted: Any = cls
        get: Callable[[Any, str, Any], Any] = getattr if by_attribute else dict.get

        def check(value: Any) -> None:
            if not isinstance(value, wanted):
                raise Mismatch(f"expected {show(cls) if by_attribute else 'object'}, got {kind(value)}")
            if by_attribute and type(value) is not cls:
                # JSON has no place for the class, and the receiver none for further fields.
                raise Mismatch(f"expected {show(cls)}, got an instance of its subclass {type(value).__qualname__}")
            if not by_attribute and not names.issuperset(value):
                raise Mismatch(f"object has unknown field {next(name for name in value if name not in names)}")
            for name, required, one in fields:
                element = get(value, name, msgspec.UNSET)
                if element is msgspec.UNSET:
                    if required:
                        raise Mismatch(f"object missing required field {name}")
                    continue
                try:
                    one(element)
                except Mismatch as mismatch:
                    raise mismatch.within(f".{name}") from None

        self._classes[id(node)] = check
        # A field that has a default value is never absent: the receiver would take the default for it.
        fields += [(field.name, field.required or _has_default(field), self.check(field.type)) for field in node.fields]
        names.update(field.name for field in node.fields)
        return check


class _Residual(_Builder):
    """Builds checks that look only where a decoded value can still be wrong."""

    def check(self, node: inspect.Type) -> Check:
        if not reaches(node, is_unbounded):
            return _nothing
        return super().check(node)

    def _union(self, node: inspect.UnionType) -> Check:
        # Which member it is has been decided: the kinds of members of a union differ.
        pairs = [(_guard(member), self.check(member)) for member in node.types if reaches(member, is_unbounded)]

        def check(value: Any) -> None:
            for guard, one in pairs:
                if guard(value):
                    one(value)

        return check


def _has_default(field: inspect.Field) -> bool:
    return field.default is not msgspec.NODEFAULT or field.default_factory is not msgspec.NODEFAULT


def _items(pairs: Iterable[tuple[Check, Any]]) -> None:
    for index, (check, element) in enumerate(pairs):
        try:
            check(element)
        except Mismatch as mismatch:
            raise mismatch.within(f"[{index}]") from None


_LEAVES: dict[type[inspect.Type], Check] = {
    inspect.AnyType: _nothing,
    inspect.NoneType: _null,
    inspect.BoolType: _instance(bool, "bool"),
    inspect.StrType: _instance(str, "str"),
    inspect.BytesType: _memory,
    inspect.ByteArrayType: _memory,
    inspect.MemoryViewType: _memory,
    inspect.DateType: _date,
    inspect.UUIDType: _instance(uuid.UUID, "UUID"),
    inspect.DecimalType: _instance(decimal.Decimal, "Decimal"),
    inspect.RawType: check_raw,
}


_PYTHON: dict[type[inspect.Type], Any] = {
    inspect.RawType: Raw,
    inspect.StrType: str,
    inspect.BytesType: (bytes, bytearray, memoryview),
    inspect.DateTimeType: datetime.datetime,
    inspect.DateType: datetime.date,
}


def _guard(node: inspect.Type) -> Callable[[Any], bool]:
    """Return whether a value is meant to be this member of a union, judged by its Python type alone."""
    node = unwrap(node)
    if isinstance(node, inspect.IntType):
        return lambda value: isinstance(value, int) and not isinstance(value, bool)
    if isinstance(node, inspect.FloatType):
        return lambda value: isinstance(value, float)
    if isinstance(node, (inspect.DictType, inspect.TypedDictType)):
        return lambda value: isinstance(value, dict)
    if isinstance(node, (inspect.CollectionType, inspect.TupleType)):
        return lambda value: isinstance(value, (list, tuple, set, frozenset))
    cls: Any = getattr(node, "cls", None) or _PYTHON.get(type(node), ())
    cls = typing.get_origin(cls) or cls
    return lambda value: isinstance(value, cls)


def _names(node: inspect.UnionType) -> str:
    return " | ".join(dict.fromkeys(_name(unwrap(member)) for member in node.types))


def _name(node: inspect.Type) -> str:
    cls = getattr(node, "cls", None)
    if cls is not None and not isinstance(node, inspect.TypedDictType):
        return show(cls)
    if isinstance(node, (inspect.CollectionType, inspect.TupleType)):
        return "array"
    if isinstance(node, (inspect.DictType, inspect.TypedDictType)):
        return "object"
    return {"NoneType": "null"}.get(name := type(node).__name__, name.removesuffix("Type").lower())
