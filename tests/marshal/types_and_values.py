"""Generated types that a signature may have, each with a strategy for its values."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import struct
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import (
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    Required,
    TypedDict,
    TypeVar,
)

import msgspec
from hypothesis import strategies as st
from msgspec import Meta

from plugsvc import marshal
from plugsvc.marshal import Raw

T = TypeVar("T")
UserId = NewType("UserId", int)
Values = st.SearchStrategy[Any]
Typed = tuple[Any, Values]
"""An annotation and what draws its values."""


class Suit(enum.Enum):
    HEARTS = "h"
    SPADES = "s"
    CUPS = "h"  # noqa: PIE796 - an alias


class Grade(enum.Enum):
    BEST = 1
    WORST = -6


class Number(enum.IntEnum):
    ONE = 1
    MANY = 2**63 - 1


class Word(enum.StrEnum):
    YES = "yes"
    EMPTY = ""


class Mixed(str, enum.Enum):  # noqa: UP042 - differs from StrEnum
    A = "a"
    B = "b"


class Permission(enum.Flag):
    READ = 1
    WRITE = 2
    RUN = 4


class Kept(enum.IntFlag):
    LOW = 1
    HIGH = 64


class Lenient(enum.Enum):
    KNOWN = "known"

    @classmethod
    def _missing_(cls, value: object) -> Lenient:
        return cls.KNOWN


@dataclasses.dataclass
class Plain:
    number: int
    ratio: float
    text: str = "t"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Slotted:
    a: int
    _hidden: list[str] = dataclasses.field(default_factory=lambda: ["x"])
    constant: ClassVar[int] = 4
    more: dict[str, float] | None = None


@dataclasses.dataclass
class Later:
    first: int
    second: int = dataclasses.field(init=False, default=7)
    third: list[int] = dataclasses.field(init=False, default_factory=list)


@dataclasses.dataclass(slots=True)
class Child(Plain):
    further: Suit | None = None


@dataclasses.dataclass(eq=False)
class NoEquality:
    value: Plain | None = None


@dataclasses.dataclass
class Box(Generic[T]):
    inside: T
    others: list[T] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Chain:
    value: int
    next: Chain | None = None
    branches: list[Chain] = dataclasses.field(default_factory=list)


class Omitting(msgspec.Struct, omit_defaults=True, rename="camel"):
    some_number: int = 0
    some_float: float = 0.0
    some_list: list[int] = msgspec.field(default_factory=lambda: [1])
    some_any: Any = 1
    some_option: int | None = 5
    some_flag: bool = False


class Cat(msgspec.Struct, tag=True):
    lives: int = 9


class Dog(msgspec.Struct, tag="dog"):
    name: str


class Array(msgspec.Struct, array_like=True, omit_defaults=True, frozen=True):
    x: int = 0
    y: float = 0.0


class TaggedArray(msgspec.Struct, array_like=True, tag=3):
    x: int


class Unset(msgspec.Struct):
    a: int | msgspec.UnsetType = msgspec.UNSET
    b: str | msgspec.UnsetType | None = msgspec.UNSET


class StructBox(msgspec.Struct, Generic[T], kw_only=True, forbid_unknown_fields=True):
    inside: T
    id: UserId = UserId(3)


class Named(NamedTuple):
    left: int
    right: tuple[float, str] = (0.5, "r")


class Total(TypedDict):
    depth: int
    name: NotRequired[str]


class Partial(TypedDict, total=False):
    depth: Required[float]
    name: str | None
    inner: Total


def _float32() -> Values:
    return st.floats(width=32, allow_nan=False, allow_infinity=False)


_texts = st.text()
_ints = st.integers(-(2**63), 2**63 - 1)
_floats = st.floats(allow_nan=False, allow_infinity=False)
_offsets = st.timedeltas(datetime.timedelta(hours=-23, minutes=-59), datetime.timedelta(hours=23, minutes=59)).map(
    datetime.timezone
)
_minutes = st.integers(-1439, 1439).map(lambda n: datetime.timezone(datetime.timedelta(minutes=n)))
zones = st.just(datetime.UTC) | _minutes | _offsets | st.timezones()
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | _floats | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)

HASHABLE: list[Typed] = [
    (bool, st.booleans()),
    (str, _texts),
    (int, _ints),
    (float, _floats),
    (marshal.Int8, st.integers(-128, 127)),
    (marshal.UInt64, st.integers(0, 2**64 - 1)),
    (marshal.Float32, _float32()),
    (bytes, st.binary()),
    (datetime.datetime, st.datetimes(timezones=zones)),
    (datetime.date, st.dates()),
    (datetime.time, st.times(timezones=st.none() | zones)),
    (uuid.UUID, st.uuids(allow_nil=True)),
    (decimal.Decimal, st.decimals(allow_nan=False)),
    (Suit, st.sampled_from(Suit)),
    (Grade, st.sampled_from(Grade)),
    (Number, st.sampled_from(Number)),
    (Word, st.sampled_from(Word)),
    (Mixed, st.sampled_from(Mixed)),
    (Permission, st.integers(0, 7).map(Permission)),
    (Kept, st.integers(0, 255).map(Kept)),
    (Lenient, st.just(Lenient.KNOWN)),
    (Literal["a", "b", 3, None], st.sampled_from(["a", "b", 3, None])),
    (UserId, _ints),
    (Annotated[int, Meta(ge=3, lt=10)], st.integers(3, 9)),
    (Annotated[int, Meta(multiple_of=7)], st.integers(-99, 99).map(lambda n: 7 * n)),
    (Annotated[float, Meta(gt=0, le=1)], st.floats(0, 1, exclude_min=True)),
    (Annotated[str, Meta(min_length=1, max_length=3, pattern="^[a-z]+$")], st.text("abc", min_size=1, max_size=3)),
    (Annotated[bytes, Meta(max_length=2)], st.binary(max_size=2)),
    (tuple[int, str], st.tuples(_ints, _texts)),
    (Array, st.builds(Array, x=_ints, y=_floats)),
    (Named, st.builds(Named, left=_ints, right=st.tuples(_floats, _texts))),
    (int | str, _ints | _texts),
    (int | float | None, _ints | _floats | st.none()),
    (Suit | int | None, st.sampled_from(Suit) | _ints | st.none()),
    (bytes | int, st.binary() | _ints),
    (bool | float, st.booleans() | _floats),
]
"""Types whose values can be elements of sets."""

OTHERS: list[Typed] = [
    (type(None), st.none()),
    (Any, _json),
    (dict, st.dictionaries(_texts, _json, max_size=3)),
    (list, st.lists(_json, max_size=3)),
    (bytearray, st.binary().map(bytearray)),
    (memoryview, st.binary().map(memoryview)),
    (Raw, _json.map(lambda value: Raw(msgspec.json.encode(value)))),
    (Plain, st.builds(Plain, _ints, _floats, _texts)),
    (Slotted, st.builds(Slotted, a=_ints, _hidden=st.lists(_texts), more=st.none() | st.dictionaries(_texts, _floats))),
    (Child, st.builds(Child, _ints, _floats, _texts, st.sampled_from(Suit) | st.none())),
    (NoEquality, st.builds(NoEquality, st.builds(Plain, _ints, _floats))),
    (Omitting, st.builds(Omitting, st.integers(0, 1), st.sampled_from([0.0, -0.0, 1.0]),
                         st.lists(st.just(1), max_size=2), st.sampled_from([1, 1.0, True, None]),
                         st.sampled_from([5, None]), st.booleans())),
    (Cat | Dog, st.builds(Cat, _ints) | st.builds(Dog, _texts)),
    (TaggedArray | None, st.builds(TaggedArray, _ints) | st.none()),
    (Unset, st.builds(Unset, st.just(msgspec.UNSET) | _ints, st.sampled_from([msgspec.UNSET, None, "b"]))),
    (Total, st.fixed_dictionaries({"depth": _ints}, optional={"name": _texts})),
    (Partial, st.fixed_dictionaries({"depth": _floats}, optional={
        "name": _texts | st.none(), "inner": st.fixed_dictionaries({"depth": _ints})})),
    (Chain, st.recursive(st.builds(Chain, _ints), lambda inner: st.builds(Chain, _ints, inner, st.lists(inner)),
                         max_leaves=5)),
    (list[int] | dict[str, int] | str, st.lists(_ints) | st.dictionaries(_texts, _ints) | _texts),
    (Plain | int | None, st.builds(Plain, _ints, _floats) | _ints | st.none()),
    (Annotated[list[int], Meta(max_length=2)], st.lists(_ints, max_size=2)),
]  # fmt: skip


@st.composite
def _later(draw: Callable[[Values], Any]) -> Later:
    value = Later(draw(_ints))
    value.second, value.third = draw(_ints), draw(st.lists(_ints))
    return value


OTHERS.append((Later, _later()))
KEYS: list[Typed] = [
    (str, _texts), (int, _ints), (float, _floats), (Suit, st.sampled_from(Suit)), (Number, st.sampled_from(Number)),
    (Permission, st.integers(0, 7).map(Permission)), (datetime.date, st.dates()), (uuid.UUID, st.uuids()),
    (decimal.Decimal, st.decimals(allow_nan=False)), (Literal["a", "b"], st.sampled_from("ab")),
    (datetime.datetime, st.datetimes(timezones=zones)), (int | float, _ints | _floats),
]  # fmt: skip


# As values, since a type checker takes no variable within an annotation.
_list: Any = list
_tuple: Any = tuple
_dict: Any = dict
_set: Any = set
_frozenset: Any = frozenset
_sequence: Any = Sequence
_mapping: Any = Mapping
_optional: Any = Optional
_box: Any = Box
_struct_box: Any = StructBox


def _containers(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    hashable = st.sampled_from(HASHABLE)

    def fixed(parts: list[Typed]) -> Typed:
        return _tuple[tuple(of for of, _ in parts)], st.tuples(*(values for _, values in parts))

    return st.one_of(
        inner.map(lambda typed: (_list[typed[0]], st.lists(typed[1], max_size=20))),
        inner.map(lambda typed: (_sequence[typed[0]], st.lists(typed[1], max_size=3))),
        inner.map(lambda typed: (_tuple[typed[0], ...], st.lists(typed[1], max_size=3).map(tuple))),
        inner.map(lambda typed: (_optional[typed[0]], typed[1] | st.none())),
        inner.map(lambda typed: (_box[typed[0]], st.builds(Box, typed[1], st.lists(typed[1], max_size=2)))),
        inner.map(lambda typed: (_struct_box[typed[0]], st.builds(StructBox, inside=typed[1], id=_ints))),
        st.lists(inner, min_size=1, max_size=3).map(fixed),
        st.tuples(st.sampled_from(KEYS), inner).map(
            lambda pair: (_dict[pair[0][0], pair[1][0]], st.dictionaries(pair[0][1], pair[1][1], max_size=20))
        ),
        inner.map(lambda typed: (_mapping[str, typed[0]], st.dictionaries(_texts, typed[1], max_size=3))),
        hashable.map(lambda typed: (_set[typed[0]], st.sets(typed[1], max_size=4))),
        hashable.map(lambda typed: (_frozenset[typed[0]], st.frozensets(typed[1], max_size=4))),
    )


TYPED: st.SearchStrategy[Typed] = st.recursive(st.sampled_from(HASHABLE + OTHERS), _containers, max_leaves=4)


def same(sent: Any, came: Any) -> bool:
    """Return whether two values are equal and of the same type, with all that is inside of them."""
    if type(sent) is not type(came):
        return False
    if isinstance(sent, float):
        return struct.pack("d", sent) == struct.pack("d", came)
    if isinstance(sent, (datetime.datetime, datetime.time)):
        bare = sent.replace(tzinfo=None, fold=0) == came.replace(tzinfo=None, fold=0)
        return bare and sent.utcoffset() == came.utcoffset() and (sent.tzinfo is None) == (came.tzinfo is None)
    if isinstance(sent, decimal.Decimal):
        return str(sent) == str(came)
    if isinstance(sent, Raw):
        return bytes(sent) == bytes(came)
    if isinstance(sent, dict):
        return len(sent) == len(came) and all(
            same(a, b) and same(sent[a], came[b]) for a, b in zip(sent, came, strict=True)
        )
    if isinstance(sent, (list, tuple)):
        return len(sent) == len(came) and all(map(same, sent, came))
    if isinstance(sent, (set, frozenset)):
        return len(sent) == len(came) and all(any(same(a, b) for b in came) for a in sent)
    if dataclasses.is_dataclass(sent):
        return all(same(getattr(sent, f.name), getattr(came, f.name)) for f in dataclasses.fields(sent))
    if isinstance(sent, msgspec.Struct):
        return all(same(getattr(sent, name), getattr(came, name)) for name in sent.__struct_fields__)
    return bool(sent == came)
