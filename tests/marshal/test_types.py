"""Each type there and back: what fits, how it is written, and the exact text about what does not fit."""

from __future__ import annotations

import datetime
import decimal
import math
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NewType, Optional

import msgspec
import pytest

from plugsvc import marshal
from plugsvc.errors import ArgumentError, MarshalError, ResultError
from plugsvc.marshal import Raw, Signature

from .kinds import Color, Level, Node, Options, Order, Pair, Picky, Point, Renamed

UserId = NewType("UserId", int)
NAN, INF = math.nan, math.inf
UTC = datetime.UTC
I64 = 9223372036854775807
U64 = 18446744073709551615


def sent(annotation: Any, value: Any) -> bytes:
    return Signature.from_types([annotation], []).encode_args((value,))


def received(annotation: Any, data: bytes) -> Any:
    (value,) = Signature.from_types([annotation], []).decode_args(data)
    return value


ROUND_TRIPS: list[tuple[Any, Any, bytes]] = [
    (bool, True, b"true"),
    (str, 'aé\0"\\\u2028\U0001f600', b'"a\xc3\xa9\\u0000\\"\\\\\xe2\x80\xa8\xf0\x9f\x98\x80"'),
    (str, "", b'""'),
    (int, -(2**63), b"-9223372036854775808"),
    (int, I64, b"9223372036854775807"),
    (marshal.Int8, -128, b"-128"),
    (marshal.Int16, 32767, b"32767"),
    (marshal.Int32, -2147483648, b"-2147483648"),
    (marshal.Int64, I64, b"9223372036854775807"),
    (marshal.UInt8, 255, b"255"),
    (marshal.UInt16, 65535, b"65535"),
    (marshal.UInt32, 4294967295, b"4294967295"),
    (marshal.UInt64, U64, b"18446744073709551615"),
    (float, 1.5, b"1.5"),
    (float, 3.0, b"3.0"),
    (float, 5e-324, b"5e-324"),
    (float, 1.7976931348623157e308, b"1.7976931348623157e308"),
    (marshal.Float32, 3.4028234663852886e38, b"3.4028234663852886e38"),
    (marshal.Float64, 0.1, b"0.1"),
    (bytes, b"hi\xff", b'"aGn/"'),
    (bytes, b"", b'""'),
    (bytes, b"a", b'"YQ=="'),
    (bytearray, bytearray(b"a"), b'"YQ=="'),
    (type(None), None, b"null"),
    (int | None, None, b"null"),
    (Optional[int], 3, b"3"),  # noqa: UP045
    (int | str | None, "x", b'"x"'),
    (int | float, 2.5, b"2.5"),
    (list[int], [1, 2], b"[1,2]"),
    (list[list[float]], [[1.5], []], b"[[1.5],[]]"),
    (list, [1, "a"], b'[1,"a"]'),
    (Sequence[int], [1], b"[1]"),
    (tuple[int, str], (1, "a"), b'[1,"a"]'),
    (tuple[int, ...], (1, 2), b"[1,2]"),
    (set[int], {1}, b"[1]"),
    (frozenset[str], frozenset(["a"]), b'["a"]'),
    (dict[str, int], {"a": 1}, b'{"a":1}'),
    (dict[int, str], {-5: "a"}, b'{"-5":"a"}'),
    (dict[str, list[float]], {"a": [0.5]}, b'{"a":[0.5]}'),
    (dict, {"a": None}, b'{"a":null}'),
    (Mapping[str, bool], {"a": True}, b'{"a":true}'),
    (Literal["a", 1, None], "a", b'"a"'),
    (Color, Color.RED, b'"red"'),
    (Level, Level.HIGH, b"2"),
    (dict[Color, int], {Color.RED: 1}, b'{"red":1}'),
    (Point, Point(1, 2.5, "p"), b'{"x":1,"y":2.5,"label":"p"}'),
    (Point | None, None, b"null"),
    (list[Point], [Point()], b'[{"x":0,"y":0.0,"label":""}]'),
    (Renamed, Renamed([1], b"a"), b'{"someList":[1],"someBytes":"YQ=="}'),
    (Node, Node(1, Node(2)), b'{"value":1,"next":{"value":2,"next":null}}'),
    (
        Order,
        Order(1, [Point(1)]),
        b'{"number":1,"points":[{"x":1,"y":0.0,"label":""}],"extra":null,"big":0}',
    ),
    (Order | int, Order(1, big=U64), b'{"number":1,"points":[],"extra":null,"big":18446744073709551615}'),
    (Pair, Pair(1, "x"), b'[1,"x"]'),
    (Options, {"depth": 1}, b'{"depth":1}'),
    (Options, {"depth": 1, "name": "n"}, b'{"depth":1,"name":"n"}'),
    (datetime.datetime, datetime.datetime(2024, 5, 6, 7, 8, 9, 10, UTC), b'"2024-05-06T07:08:09.000010Z"'),
    (datetime.date, datetime.date(2024, 5, 6), b'"2024-05-06"'),
    (datetime.time, datetime.time(7, 8, 9), b'"07:08:09"'),
    (uuid.UUID, uuid.UUID(int=5), b'"00000000-0000-0000-0000-000000000005"'),
    (decimal.Decimal, decimal.Decimal("1.10"), b'"1.10"'),
    (UserId, 7, b"7"),
    (Annotated[str, msgspec.Meta(min_length=1)], "a", b'"a"'),
    (Any, {"a": [1, 1.5, "x", None, True, {}]}, b'{"a":[1,1.5,"x",null,true,{}]}'),
    (Any, 2**64, b"18446744073709551616"),
    (Any, -(2**200), str(-(2**200)).encode()),
    (Any, None, b"null"),
]


@pytest.mark.parametrize(("annotation", "value", "data"), ROUND_TRIPS, ids=lambda item: repr(item)[:60])
def test_there_and_back(annotation: Any, value: Any, data: bytes) -> None:
    assert sent(annotation, value) == b"[" + data + b"]"
    back = received(annotation, b" [ " + data + b" ] ")
    assert back == value
    assert type(back) is type(value)


def test_negative_zero_keeps_its_sign() -> None:
    for annotation in (float, Any, marshal.Float32, list[float]):
        value = [-0.0] if annotation == list[float] else -0.0
        data = sent(annotation, value)
        assert data in (b"[-0.0]", b"[[-0.0]]")
        back = received(annotation, data)
        assert math.copysign(1, back[0] if isinstance(back, list) else back) == -1


@pytest.mark.parametrize(
    ("annotation", "value", "data"),
    [
        (float, 3, b"3"),
        (float, 2**60, b"1152921504606846976"),
        (list[int], (1, 2), b"[1,2]"),
        (list[float], {1}, b"[1]"),
        (tuple[int, ...], [1], b"[1]"),
        (bytes, bytearray(b"a"), b'"YQ=="'),
        pytest.param(bytes, memoryview(b"a"), b'"YQ=="', id="bytes-memoryview"),
        (Any, b"a", b'"YQ=="'),
        (Any, (1, {2}), b"[1,[2]]"),
        (Any, {1: 2}, b'{"1":2}'),
        (Any, Color.BLUE, b'"blue"'),
        (Any, Point(1), b'{"x":1,"y":0.0,"label":""}'),
        (Any, datetime.date(2024, 5, 6), b'"2024-05-06"'),
        (Any, type("Text", (str,), {})("x"), b'"x"'),
        (Any, [type("Whole", (int,), {})(5), type("Real", (float,), {})(1.5)], b"[5,1.5]"),
        (int, type("Whole", (int,), {})(5), b"5"),
        (str, type("Text", (str,), {})("x"), b'"x"'),
        (int, Level.LOW, b"1"),
    ],
    ids=lambda item: repr(item)[:50],
)
def test_what_else_may_be_given(annotation: Any, value: Any, data: bytes) -> None:
    assert sent(annotation, value) == b"[" + data + b"]"


@pytest.mark.parametrize(
    ("annotation", "data", "value"),
    [
        (float, b"3", 3.0),
        (float, b"12345678901234567890123", 1.2345678901234568e22),
        (int, b"-0", 0),
        (Point, b'{"x":1,"unknown":[{}]}', Point(1)),
        (Point, b"{}", Point()),
        (Point, b'{"x":1,"x":2}', Point(2)),
        (datetime.datetime, b'"2024-05-06T07:08:09.123456789+05:30"', None),
        (Pair, b"[1]", Pair(1)),
        (Any, b"1e2", 100.0),
        (Any, b"12345678901234567890", 12345678901234567890),
        (str, rb'"\ud83d\ude00"', "\U0001f600"),
    ],
)
def test_what_else_is_read(annotation: Any, data: bytes, value: Any) -> None:
    back = received(annotation, b"[" + data + b"]")
    if value is not None:
        assert back == value
        assert type(back) is type(value)


NOT_SENT: list[tuple[Any, Any, str]] = [
    (bool, 1, "expected bool, got int, at $[0]"),
    (int, True, "expected int, got bool, at $[0]"),
    (int, "1", "expected int, got str, at $[0]"),
    (int, 1.0, "expected int, got float, at $[0]"),
    (int, None, "expected int, got null, at $[0]"),
    (int, 2**63, "expected int <= 9223372036854775807, at $[0]"),
    (int, -(2**63) - 1, "expected int >= -9223372036854775808, at $[0]"),
    (marshal.Int8, 128, "expected int <= 127, at $[0]"),
    (marshal.UInt8, -1, "expected int >= 0, at $[0]"),
    (marshal.UInt64, 2**64, "expected int <= 18446744073709551615, at $[0]"),
    (list[marshal.UInt64], [1, 2**64], "expected int <= 18446744073709551615, at $[0][1]"),
    (Annotated[int, msgspec.Meta(gt=0)], 0, "expected int >= 1, at $[0]"),
    (Annotated[int, msgspec.Meta(gt=0)], 2**63, "expected int <= 9223372036854775807, at $[0]"),
    (Annotated[int, msgspec.Meta(multiple_of=2)], 3, "expected int that's a multiple of 2, at $[0]"),
    (Annotated[str, msgspec.Meta(min_length=1)], "", "expected str of length >= 1, at $[0]"),
    (UserId, 2**63, "expected int <= 9223372036854775807, at $[0]"),
    (float, "1", "expected float, got str, at $[0]"),
    (float, True, "expected float, got bool, at $[0]"),
    (float, NAN, "expected a finite float, got nan, at $[0]"),
    (float, INF, "expected a finite float, got inf, at $[0]"),
    (float, -INF, "expected a finite float, got -inf, at $[0]"),
    (float, 10**400, "number out of range, at $[0]"),
    (float, decimal.Decimal(1), "expected float, got Decimal, at $[0]"),
    (list[float], [1.0, NAN], "expected a finite float, got nan, at $[0][1]"),
    (list[float], [1.0, decimal.Decimal(1)], "expected float, got Decimal, at $[0][1]"),
    (dict[str, float], {"a": INF}, "expected a finite float, got inf, at $[0].a"),
    (float | None, NAN, "expected a finite float, got nan, at $[0]"),
    (float | str, NAN, "expected a finite float, got nan, at $[0]"),
    (tuple[str, float], ("a", NAN), "expected a finite float, got nan, at $[0][1]"),
    (marshal.Float32, 3.4028236e38, "number out of range for 32 bits, at $[0]"),
    (marshal.Float32, NAN, "expected a finite float, got nan, at $[0]"),
    (str, 1, "expected str, got int, at $[0]"),
    (str, b"a", "expected str, got bytes, at $[0]"),
    (bytes, "YQ==", "expected bytes, got str, at $[0]"),
    (list[bytes], ["YQ=="], "expected bytes, got str, at $[0][0]"),
    (int | str, 1.5, "expected int | str, got float, at $[0]"),
    (int | str | None, [], "expected int | str | null, got array, at $[0]"),
    (Point | str, 1, "expected Point | str, got int, at $[0]"),
    (Point | None, Point("a"), "expected int, got str, at $[0].x"),  # type: ignore[arg-type]
    (list[int] | None, [1, "a"], "expected int, got str, at $[0][1]"),
    (list[int], "12", "expected array, got str, at $[0]"),
    (list[int], range(3), "expected array, got range, at $[0]"),
    (list[int], [1, [2]], "expected int, got array, at $[0][1]"),
    (list[int], [2**63], "expected int <= 9223372036854775807, at $[0][0]"),
    (list[Color], [Color.RED, "red"], "expected Color, got str, at $[0][1]"),
    (tuple[int, str], (1,), "expected array of length 2, got 1, at $[0]"),
    (tuple[Color, int], (Color.RED,), "expected array of length 2, got 1, at $[0]"),
    (dict[str, int], {"a": "b"}, "expected int, got str, at $[0].a"),
    (dict[str, int], {1: 1}, "key: expected str, got int, at $[0]"),
    (dict[str, float], {1: 1.5}, "key: expected str, got int, at $[0]"),
    (dict[int, int], {"1": 1}, "key: expected int, got str, at $[0]"),
    (dict[str, int], [], "expected object, got array, at $[0]"),
    (Literal["a", "b"], "c", "invalid enum value 'c', at $[0]"),
    (Color, "red", "expected Color, got str, at $[0]"),
    (Level, 1, "expected Level, got int, at $[0]"),
    (Point, {"x": 1}, "expected Point, got object, at $[0]"),
    (Point, None, "expected Point, got null, at $[0]"),
    (Point, Point(1, NAN), "expected a finite float, got nan, at $[0].y"),
    (Point, Point(2**63), "expected int <= 9223372036854775807, at $[0].x"),
    (list[Point], [Point(), Point(1, "a")], "expected float, got str, at $[0][1].y"),  # type: ignore[arg-type]
    (Node, Node(1, Node(2, Node("x"))), "expected int, got str, at $[0].next.next.value"),  # type: ignore[arg-type]
    (Order, Order(1, [Point(1), Point(2, NAN)]), "expected a finite float, got nan, at $[0].points[1].y"),
    (Order, Order(1, big=2**64), "expected int <= 18446744073709551615, at $[0].big"),
    (Order, Order(1, extra=[NAN]), "expected a finite float, got nan, at $[0].extra[0]"),
    (Pair, (1, "x"), "expected Pair, got array, at $[0]"),
    (Pair, Pair("a"), "expected int, got str, at $[0].left"),  # type: ignore[arg-type]
    (Options, {"name": "n"}, "object missing required field depth, at $[0]"),
    (Options, {"depth": "x"}, "expected int, got str, at $[0].depth"),
    (datetime.datetime, datetime.datetime(2024, 5, 6), "expected datetime with a time zone, got one without, at $[0]"),
    (datetime.datetime, "2024-05-06T00:00:00Z", "expected datetime, got str, at $[0]"),
    (datetime.date, "2024-05-06", "expected date, got str, at $[0]"),
    (uuid.UUID, "x", "expected UUID, got str, at $[0]"),
    (Raw, b"1", "expected Raw, got bytes, at $[0]"),
]


@pytest.mark.parametrize(("annotation", "value", "text"), NOT_SENT, ids=lambda item: repr(item)[:50])
def test_what_does_not_fit_is_not_sent(annotation: Any, value: Any, text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        sent(annotation, value)
    assert str(caught.value) == text
    with pytest.raises(ResultError) as result:
        Signature.from_types([], [annotation], side="provider").encode_results(value)
    assert str(result.value) == text


NOT_READ: list[tuple[Any, bytes, str]] = [
    (bool, b"1", "expected bool, got int, at $[0]"),
    (bool, b"null", "expected bool, got null, at $[0]"),
    (int, b"true", "expected int, got bool, at $[0]"),
    (int, b'"1"', "expected int, got str, at $[0]"),
    (int, b"null", "expected int, got null, at $[0]"),
    (int, b"1.5", "expected int, got float, at $[0]"),
    (int, b"1.0", "expected int, got float, at $[0]"),
    (int, b"9223372036854775808", "expected int <= 9223372036854775807, at $[0]"),
    (int, b"-9223372036854775809", "expected int >= -9223372036854775808, at $[0]"),
    (int, b"9" * 5000, "integer value out of range, at $[0]"),
    (marshal.UInt8, b"256", "expected int <= 255, at $[0]"),
    (marshal.UInt64, b"18446744073709551616", "expected int <= 18446744073709551615, at $[0]"),
    (marshal.UInt64, b"-1", "expected int >= 0, at $[0]"),
    (UserId, b"9223372036854775808", "expected int <= 9223372036854775807, at $[0]"),
    (list[int | None], b"[null,9223372036854775808]", "expected int <= 9223372036854775807, at $[0][1]"),
    (dict[str, marshal.UInt64], b'{"a":18446744073709551616}', "expected int <= 18446744073709551615, at $[0].a"),
    (float, b"1e999", "number out of range, at $[0]"),
    (float, b"null", "expected float, got null, at $[0]"),
    (marshal.Float32, b"1e39", "number out of range for 32 bits, at $[0]"),
    (list[marshal.Float32], b"[1,-1e39]", "number out of range for 32 bits, at $[0][1]"),
    (str, b"1", "expected str, got int, at $[0]"),
    (str, b"null", "expected str, got null, at $[0]"),
    (bytes, b'"!"', "invalid base64 encoded string, at $[0]"),
    (bytes, b'"YQ"', "invalid base64 encoded string, at $[0]"),
    (bytes, b"1", "expected bytes, got int, at $[0]"),
    (list[int], b"{}", "expected array, got object, at $[0]"),
    (list[int], b'[1,"a"]', "expected int, got str, at $[0][1]"),
    (dict[str, int], b'{"a":"b"}', "expected int, got str, at $[0][...]"),
    (dict[int, int], b'{"a":1}', "key: expected int, got str, at $[0]"),
    (tuple[int, str], b"[1]", "expected array of length 2, at $[0]"),
    (int | str, b"[]", "expected int | str, got array, at $[0]"),
    (Literal["a"], b'"b"', "invalid enum value 'b', at $[0]"),
    (Color, b'"green"', "invalid enum value 'green', at $[0]"),
    (Point, b'{"x":"a"}', "expected int, got str, at $[0].x"),
    (Point, b"null", "expected object, got null, at $[0]"),
    (Point, b'{"x":9223372036854775808}', "expected int <= 9223372036854775807, at $[0].x"),
    (Point, b'{"x":null}', "expected int, got null, at $[0].x"),
    (
        Node,
        b'{"value":1,"next":{"value":9223372036854775808}}',
        "expected int <= 9223372036854775807, at $[0].next.value",
    ),
    (Renamed, b"{}", "object missing required field someList, at $[0]"),
    (Order, b'{"number":1,"big":18446744073709551616}', "expected int <= 18446744073709551615, at $[0].big"),
    (Order, b'{"number":1,"big":-1}', "expected int >= 0, at $[0].big"),
    (Picky, b'{"value":-1}', "RuntimeError: negative"),
    (datetime.datetime, b'"2024-05-06"', "invalid RFC3339 encoded datetime, at $[0]"),
]


@pytest.mark.parametrize(("annotation", "data", "text"), NOT_READ, ids=lambda item: repr(item)[:50])
def test_what_does_not_fit_is_not_read(annotation: Any, data: bytes, text: str) -> None:
    for way in (
        Signature.from_types([annotation], []).decode_args,
        Signature.from_types([], [annotation]).decode_results,
    ):
        with pytest.raises(MarshalError) as caught:
            way(b"[" + data + b"]")
        assert str(caught.value) == text


def test_an_error_names_the_position() -> None:
    signature = Signature.from_types([int, str, list[Point]], [int, list[Point]])
    with pytest.raises(ArgumentError) as caught:
        signature.encode_args((1, "a", [Point(), Point(1, 2.0, 3)]))  # type: ignore[arg-type]
    assert caught.value.path == "$[2][1].label"
    assert caught.value.text == "expected str, got int"
    with pytest.raises(ResultError) as result:
        signature.decode_results(b'[1,[{"x":"a"}]]')
    assert result.value.path == "$[1][0].x"


@pytest.mark.parametrize("annotation", [Any, int, marshal.UInt64, float, int | str, str, list[int], decimal.Decimal])
def test_an_integer_that_python_does_not_read_is_an_error_of_the_call(annotation: Any) -> None:
    data = b"[%b]" % (b"9" * 5000)
    if annotation is decimal.Decimal:
        assert received(annotation, data) == decimal.Decimal("9" * 5000)
    else:
        with pytest.raises(ArgumentError, match=r"(integer value|number) out of range, at \$\[0\]"):
            received(annotation, data)


def test_an_integer_that_python_does_not_read_is_ignored_in_an_unknown_field() -> None:
    assert received(Point, b'[{"x":1,"y":2,"z":%b}]' % (b"9" * 5000)) == Point(1, 2)
