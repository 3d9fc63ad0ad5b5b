"""Checks of Python values against types.

JSON encoders write what they are given. So a value is checked against its type before it is encoded (`full`); and after
decoding, which msgspec does by type, the little that it lets through is checked here (`residual`): integers inside of
classes that are not int64, uint64 beyond its range, floats that do not fit 32 bits.

A check is a function that returns for a value that fits and raises `Mismatch` for one that does not.
"""

from __future__ import annotations

import datetime
import decimal
import math
import typing
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, inspect

from .mismatch import Mismatch, from_msgspec, kind
from .raw import check_raw
from .tree import INT64_MAX, INT64_MIN, extra, is_loose, reaches, show, unwrap
from .types import FLOAT32, UINT64

__all__ = ["Check", "full", "residual"]

Check = Callable[[Any], None]

_FLOAT32_LIMIT = (2.0 - 2.0**-24) * 2.0**127
"""The least number that rounds to infinity in 32 bits."""

# What msgspec.convert checks exactly as we would, and at the speed of C.
_BY_CONVERT = (
    inspect.AnyType, inspect.NoneType, inspect.BoolType, inspect.IntType, inspect.StrType, inspect.BytesType,
    inspect.ByteArrayType, inspect.DateType, inspect.LiteralType, inspect.ListType, inspect.SetType,
    inspect.FrozenSetType, inspect.VarTupleType, inspect.TupleType, inspect.DictType, inspect.UnionType,
    inspect.TypedDictType, inspect.Metadata,
)  # fmt: skip
_CONTAINERS = (inspect.CollectionType, inspect.TupleType, inspect.DictType, inspect.TypedDictType)
_BUILTIN = (bytes, bytearray, datetime.date)


def full(node: inspect.Type, annotation: Any) -> Check | None:
    """Return the check that a value is of this type before it is encoded, or None when everything is.

    `annotation` is what `node` describes.
    """
    bare = unwrap(node)
    if isinstance(bare, inspect.AnyType):
        return None
    needs_convert = isinstance(bare, _CONTAINERS) or _is_constrained(bare)
    if needs_convert and not reaches(node, lambda part: not isinstance(part, _BY_CONVERT)):
        return _converting(annotation, residual(node), careful=_Builder().check(node))
    return _Builder().check(node)


def residual(node: inspect.Type) -> Check | None:
    """Return the check of what msgspec does not check when it decodes this type, or None when that is nothing."""
    return _Residual().check(node) if reaches(node, is_loose) else None


def _is_constrained(node: inspect.Type) -> bool:
    if isinstance(node, inspect.StrType):
        return (node.min_length, node.max_length, node.pattern) != (None, None, None)
    return isinstance(node, inspect.IntType) and node.multiple_of is not None


def _converting(annotation: Any, then: Check | None, careful: Check) -> Check:
    # A struct, since msgspec analyses the fields of a struct only once.
    holder = msgspec.defstruct("Holder", [("value", annotation)], array_like=True, gc=False)

    def check(value: Any) -> None:
        try:
            msgspec.convert((value,), holder, builtin_types=_BUILTIN)
        except msgspec.ValidationError as error:
            mismatch = from_msgspec(error)
            raise Mismatch(mismatch.text, mismatch.path.removeprefix("[0]")) from None
        except UnicodeEncodeError:
            careful(value)  # text with lone surrogates, which msgspec does not take
        if then is not None:
            then(value)

    return check


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


def _datetime(value: Any) -> None:
    if not isinstance(value, datetime.datetime):
        raise Mismatch(f"expected datetime, got {kind(value)}")
    if value.tzinfo is None:
        raise Mismatch("expected datetime with a time zone, got one without")


def _integer(node: inspect.IntType, mark: str | None) -> Check:
    low = INT64_MIN if node.ge is None else node.ge
    high = (2**64 - 1 if mark == UINT64 else INT64_MAX) if node.le is None else node.le
    if node.gt is not None:
        low = node.gt + 1
    if node.lt is not None:
        high = node.lt - 1

    def check(value: Any) -> None:
        if type(value) is not int and (not isinstance(value, int) or isinstance(value, bool)):
            raise Mismatch(f"expected int, got {kind(value)}")
        if not low <= value <= high:
            raise Mismatch(f"expected int >= {low}" if value < low else f"expected int <= {high}")

    return check


def _float(mark: str | None) -> Check:
    limit = _FLOAT32_LIMIT if mark == FLOAT32 else math.inf

    def check(value: Any) -> None:
        if type(value) is not float:
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                raise Mismatch(f"expected float, got {kind(value)}")
            try:
                value = float(value)
            except OverflowError:
                raise Mismatch("number out of range") from None
        if not -limit < value < limit:
            if math.isfinite(value):
                raise Mismatch("number out of range for 32 bits")
            raise Mismatch(f"expected a finite float, got {value}")

    return check


def _all_finite(values: Iterable[Any]) -> bool:
    """Return True when the values are finite floats; False when that takes a closer look."""
    kinds = set(map(type, values))
    # A sum is not finite if one of its terms is not.
    return not kinds or (kinds == {float} and math.isfinite(sum(values)))


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


class _Builder:
    """Builds checks from the type tree; classes that contain themselves are why it has a memory."""

    def __init__(self) -> None:
        self._classes: dict[int, Check] = {}

    def check(self, node: inspect.Type) -> Check:
        """Return the check for a type."""
        mark, node = extra(node), unwrap(node)
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
        floats = isinstance(node.item_type, inspect.FloatType)

        def check(value: Any) -> None:
            if not isinstance(value, (list, tuple, set, frozenset)):
                raise Mismatch(f"expected array, got {kind(value)}")
            if not (floats and _all_finite(value)):
                _items((item, element) for element in value)

        return check

    def _dict(self, node: inspect.DictType) -> Check:
        key, item = self.check(node.key_type), self.check(node.value_type)
        floats = isinstance(node.value_type, inspect.FloatType)

        def check(value: Any) -> None:
            if not isinstance(value, Mapping):
                raise Mismatch(f"expected object, got {kind(value)}")
            for name in value:
                try:
                    key(name)
                except Mismatch as mismatch:
                    raise Mismatch(f"key: {mismatch.text}") from None
            if not (floats and _all_finite(value.values())):
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
        get: Callable[[Any, str, Any], Any] = getattr if by_attribute else dict.get

        def check(value: Any) -> None:
            if not isinstance(value, cls):
                raise Mismatch(f"expected {show(cls) if by_attribute else 'object'}, got {kind(value)}")
            for name, required, one in fields:
                element = get(value, name, msgspec.UNSET)
                if element is msgspec.UNSET:
                    if required:
                        raise Mismatch(f"missing required field {name}")
                    continue
                try:
                    one(element)
                except Mismatch as mismatch:
                    raise mismatch.within(f".{name}") from None

        self._classes[id(node)] = check
        fields += [(field.name, field.required, self.check(field.type)) for field in node.fields]
        return check


class _Residual(_Builder):
    """Builds checks that look only where a decoded value can still be wrong."""

    def check(self, node: inspect.Type) -> Check:
        if not reaches(node, is_loose):
            return _nothing
        return super().check(node)

    def _union(self, node: inspect.UnionType) -> Check:
        # Which member it is has been decided: the kinds of members of a union differ.
        pairs = [(_guard(member), self.check(member)) for member in node.types if reaches(member, is_loose)]

        def check(value: Any) -> None:
            for guard, one in pairs:
                if guard(value):
                    one(value)

        return check


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
    inspect.BytesType: _instance((bytes, bytearray, memoryview), "bytes"),
    inspect.ByteArrayType: _instance((bytes, bytearray, memoryview), "bytes"),
    inspect.MemoryViewType: _instance((bytes, bytearray, memoryview), "bytes"),
    inspect.DateTimeType: _datetime,
    inspect.DateType: _date,
    inspect.TimeType: _instance(datetime.time, "time"),
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
