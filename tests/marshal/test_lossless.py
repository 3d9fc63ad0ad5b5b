"""Values that JSON would carry as something else, without anybody noticing, are refused."""

from __future__ import annotations

import array
import dataclasses
import datetime
import decimal
import math
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from zoneinfo import ZoneInfo

import msgspec
import pytest
from msgspec import Meta

from plugsvc.errors import ArgumentError, SignatureError
from plugsvc.marshal import Signature

from .kinds import Color, Level, Options, Pair, Point

LOCAL_MEAN_TIME = datetime.datetime(1890, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))
ODD = datetime.timezone(datetime.timedelta(hours=5, minutes=30, seconds=7))


class Point3(Point):
    z: int = 0


@dataclasses.dataclass
class Parent:
    a: int


@dataclasses.dataclass
class Child(Parent):
    b: int = 2


class OtherPair(Pair):
    """Adds nothing, and is another class."""


class SamePair(NamedTuple):
    left: int
    right: str = "r"


class SameOptions(TypedDict):
    depth: int


class Defaults(msgspec.Struct):
    a: int = 3


@dataclasses.dataclass
class Bounded:
    ratio: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    names: Annotated[list[str], Meta(min_length=1)] = dataclasses.field(default_factory=lambda: ["n"])
    table: Annotated[dict[str, int], Meta(max_length=1)] = dataclasses.field(default_factory=dict)
    data: Annotated[bytes, Meta(min_length=0, max_length=3)] = b""
    step: Annotated[int, Meta(multiple_of=5)] = 5
    word: Annotated[str, Meta(pattern="^[a-z]*$")] = ""


LONE = {chr(0xD800): 1, chr(0xD801): 2}
IN_MINUTES = "expected an offset from UTC in whole minutes, got"

REFUSED: list[tuple[Any, Any, str]] = [
    (datetime.datetime, LOCAL_MEAN_TIME, f"{IN_MINUTES} 0:53:28, at $[0]"),
    (list[datetime.datetime], [LOCAL_MEAN_TIME], f"{IN_MINUTES} 0:53:28, at $[0][0]"),
    (datetime.time, datetime.time(1, tzinfo=ODD), f"{IN_MINUTES} 5:30:07, at $[0]"),
    (
        datetime.time,
        datetime.time(1, tzinfo=ZoneInfo("Europe/Berlin")),
        "expected a fixed offset from UTC, got Europe/Berlin, at $[0]",
    ),
    (dict[datetime.datetime, int], {LOCAL_MEAN_TIME: 1},
     f"key: {IN_MINUTES} 0:53:28, at $[0]"),
    (Any, [LOCAL_MEAN_TIME], f"{IN_MINUTES} 0:53:28, at $[0][0]"),
    (Any, {"a": datetime.time(1, tzinfo=ODD)}, f"{IN_MINUTES} 5:30:07, at $[0].a"),
    (Point, Point3(1, 2.0, "", 3), "expected Point, got an instance of its subclass Point3, at $[0]"),
    (list[Parent], [Child(1, 5)], "expected Parent, got an instance of its subclass Child, at $[0][0]"),
    (Pair, OtherPair(1), "expected Pair, got an instance of its subclass OtherPair, at $[0]"),
    (Pair, SamePair(1), "expected Pair, got SamePair, at $[0]"),
    (Pair, (1, "a"), "expected Pair, got array, at $[0]"),
    (Options, {"depth": 1, "other": 2}, "object has unknown field other, at $[0]"),
    (SameOptions, {"depth": 1, "name": "n"}, "object has unknown field name, at $[0]"),
    (Defaults, Defaults(msgspec.UNSET), "object missing required field a, at $[0]"),  # type: ignore[arg-type]
    (dict, {1: "a", "1": "b"}, "the keys 1 and '1' are the same in JSON, at $[0]"),
    (Any, [{1.5: 1, "1.5": 2}], "the keys 1.5 and '1.5' are the same in JSON, at $[0][0]"),
    (Any, {math.inf: 1}, "key: expected a finite float, got inf, at $[0]"),
    (dict[float, int], {math.nan: 1}, "key: expected a finite float, got nan, at $[0]"),
    (dict[str, int], LONE, "two keys are equal without their lone surrogates"),
    (Any, LONE, "two keys are equal without their lone surrogates"),
    (set[str], set(LONE), "two elements of a set are equal without their lone surrogates"),
    (set[int], [1, 1], "expected set, got array, at $[0]"),
    (float, 2**53 + 1, "expected float, got int 9007199254740993, which no float equals, at $[0]"),
    (list[float], [1.0, -(2**53) - 1], "expected float, got int -9007199254740993, which no float equals, at $[0][1]"),
    (bytes, memoryview(array.array("I", [1])), "expected contiguous bytes, got a memoryview of format 'I', at $[0]"),
    (memoryview, memoryview(b"abcd")[::2], "expected contiguous bytes, got a memoryview of format 'B', at $[0]"),
    (Bounded, Bounded(ratio=1.0), "expected float < 1.0, at $[0].ratio"),
    (Bounded, Bounded(ratio=-0.5), "expected float >= 0.0, at $[0].ratio"),
    (Bounded, Bounded(names=[]), "expected array of length >= 1, at $[0].names"),
    (Bounded, Bounded(table={"a": 1, "b": 2}), "expected object of length <= 1, at $[0].table"),
    (Bounded, Bounded(data=b"1234"), "expected bytes of length <= 3, at $[0].data"),
    (Bounded, Bounded(step=7), "expected int that's a multiple of 5, at $[0].step"),
    (Bounded, Bounded(word="A"), "expected str matching regex '^[a-z]*$', at $[0].word"),
    (Annotated[datetime.time, Meta(tz=True)], datetime.time(1),
     "expected time with a time zone, got one without, at $[0]"),
    (Color, "red", "expected Color, got str, at $[0]"),
    (str, Color.RED, "expected str, got Color, at $[0]"),
    (Level, 1, "expected Level, got int, at $[0]"),
    (str, b"aa", "expected str, got bytes, at $[0]"),
    (bytes, "YWE=", "expected bytes, got str, at $[0]"),
    (decimal.Decimal, 1, "expected Decimal, got int, at $[0]"),
    (list[str], "ab", "expected array, got str, at $[0]"),
    (Point, {"x": 1}, "expected Point, got object, at $[0]"),
    (dict, Point(), "expected object, got Point, at $[0]"),
    (Any, 10**5000, "JSON cannot carry int: it has more digits than Python writes, at $[0]"),
    (Any, {"a": [10**5000]}, "JSON cannot carry int: it has more digits than Python writes, at $[0].a[0]"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("of", "value", "text"), REFUSED, ids=lambda item: ascii(item)[:50] if isinstance(item, str) else ""
)
def test_what_would_arrive_as_something_else_is_refused(of: Any, value: Any, text: str) -> None:
    signature = Signature.from_types([of], [of])
    with pytest.raises(ArgumentError) as caught:
        signature.encode_args((value,))
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "key", [int | str, Color | int, Literal[1, "1"], datetime.datetime | int, decimal.Decimal | float], ids=str
)
def test_keys_of_types_that_text_does_not_tell_apart_are_refused(key: Any) -> None:
    with pytest.raises(SignatureError, match="keys of several types cannot be told apart"):
        Signature.from_types([dict[key, int]], [])


@pytest.mark.parametrize("of", [decimal.Decimal, list[decimal.Decimal]])
def test_a_decimal_keeps_the_sign_of_zero(of: Any) -> None:
    (value,) = Signature.from_types([of], []).decode_args(b"[-0]" if of is decimal.Decimal else b"[[-0]]")
    assert (value if of is decimal.Decimal else value[0]).is_signed()


def test_values_that_were_never_unset_are_sent() -> None:
    class Options(msgspec.Struct):
        a: int | msgspec.UnsetType = msgspec.UNSET

    assert Signature.from_types([Options], []).encode_args((Options(),)) == b"[{}]"
