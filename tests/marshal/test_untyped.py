"""Values of type Any and Raw: what JSON cannot carry is refused with its place, before anything is sent."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from plugsvc.errors import ArgumentError, ResultError
from plugsvc.marshal import Raw, Signature

from .kinds import Carrier, Node, Point

NAN = math.nan
UNTYPED = Signature.from_types([str, Any], [Any])


def sent(value: Any) -> bytes:
    return UNTYPED.encode_args(("a", value))


class Exploding:
    """Raises when msgspec looks at it as a mapping."""

    def __iter__(self) -> Any:
        raise RuntimeError("no")


class Slots:
    __slots__ = ("a",)


@dataclasses.dataclass
class Box:
    inside: Any


def deep(levels: int, of: Any = None) -> Any:
    value: Any = [] if of is None else of
    for level in range(levels):
        value = [value] if level % 2 else {"k": value}
    return value


def endless() -> Any:
    value: list[Any] = [1]
    value.append({"again": value})
    return value


BIG = [{"id": i, "name": "n", "nothing": None, "tags": ["a", "b"]} for i in range(1000)]

REFUSED: list[tuple[Any, str]] = [
    (NAN, "expected a finite float, got nan, at $[1]"),
    (-math.inf, "expected a finite float, got -inf, at $[1]"),
    ([1, {"a": [0.5, math.inf]}], "expected a finite float, got inf, at $[1][1].a[1]"),
    ({"a": {"b": (1, NAN)}}, "expected a finite float, got nan, at $[1].a.b[1]"),
    ([type("Real", (float,), {})(NAN)], "expected a finite float, got nan, at $[1][0]"),
    (Point(1, NAN), "expected a finite float, got nan, at $[1].y"),
    (Box([Box(NAN)]), "expected a finite float, got nan, at $[1].inside[0].inside"),
    ([*BIG, NAN], "expected a finite float, got nan, at $[1][1000]"),
    ([*BIG, {"x": Point(1, NAN)}], "expected a finite float, got nan, at $[1][1000].x.y"),
    (object(), "JSON cannot carry object, at $[1]"),
    ({"a": [1, object()]}, "JSON cannot carry object, at $[1].a[1]"),
    ([print], "JSON cannot carry builtin_function_or_method, at $[1][0]"),
    (range(3), "JSON cannot carry range, at $[1]"),
    (Box(1j), "JSON cannot carry complex, at $[1].inside"),
    (Slots(), "JSON cannot carry Slots, at $[1]"),
    ([Exploding()], "JSON cannot carry Exploding, at $[1][0]"),
    (ValueError("x"), "JSON cannot carry ValueError, at $[1]"),
    (msgspec.UNSET, "JSON cannot carry UnsetType, at $[1]"),
    ({"a": {None: 1}}, "expected str as a key, got null, at $[1].a"),
    ({(1, 2): 1}, "expected str as a key, got array, at $[1]"),
    ({True: 1}, "expected str as a key, got bool, at $[1]"),
    (Raw(b"1,2"), "a Raw has more than one JSON value in it, from its byte 1 on, at $[1]"),
    (Raw(b"[1] x"), "a Raw has more than one JSON value in it, from its byte 4 on, at $[1]"),
    (Raw(b""), "a Raw is not JSON at its byte 0: the value ends too early, at $[1]"),
    (Raw(b"[1"), "a Raw is not JSON at its byte 2: the value ends too early, at $[1]"),
    ({"a": [Raw(b"[1,]")]}, 'a Raw is not JSON at its byte 3: trailing comma before "]", at $[1].a[0]'),
    ([Raw(b"NaN")], 'a Raw is not JSON at its byte 0: expected a value, got "N", at $[1][0]'),
    (Box(Raw(b"nul")), "a Raw is not JSON at its byte 0: the value ends too early, at $[1].inside"),
    ([*BIG, Raw(b"}")], 'a Raw is not JSON at its byte 0: expected a value, got "}", at $[1][1000]'),
    (Raw(b'"\xff"'), "a Raw is not UTF-8 at its byte 1, at $[1]"),
    (deep(100_000), "nested too deeply, or contains itself"),
    (endless(), "nested too deeply, or contains itself"),
    (Box(endless()), "nested too deeply, or contains itself"),
]


@pytest.mark.parametrize(("value", "text"), REFUSED, ids=[str(i) for i in range(len(REFUSED))])
def test_what_json_cannot_carry(value: Any, text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        sent(value)
    assert str(caught.value) == text
    with pytest.raises(ResultError) as result:
        UNTYPED.encode_results(value)
    assert str(result.value) == text.replace("$[1]", "$[0]", 1)


@pytest.mark.parametrize(
    "raw",
    [b"1", b" [1, 2] ", b'{"a":1}', rb'"\ud800"', b"null", b"1e999", b"[" * 400 + b"]" * 400, '"é"'.encode(), b"0"],
)
def test_raw_json_is_passed_through_as_it_is(raw: bytes) -> None:
    typed = Signature.from_types([Raw, list[Raw], dict[str, Raw]], [Raw])
    data = typed.encode_args((Raw(raw), [Raw(raw)], {"a": Raw(raw)}))
    assert data == b'[%b,[%b],{"a":%b}]' % (raw, raw, raw)
    assert sent([Raw(raw)]) == b'["a",[%b]]' % raw
    one, (two,), three = typed.decode_args(data)
    read = raw.strip().replace(rb"\ud800", rb"\ufffd")
    assert bytes(one) == bytes(two) == bytes(three["a"]) == read
    assert bytes(typed.decode_results(b"[%b]" % raw)) == read
    carried = Signature.from_types([Carrier], []).decode_args(b'[{"raw":%b}]' % raw)
    assert bytes(carried[0].raw) == read


@pytest.mark.parametrize("raw", [b"", b"1,2", b"nul", b"[1", b'{"a":}', b"\xef\xbb\xbf1", b"1\x00"])
def test_a_raw_must_be_one_json_value(raw: bytes) -> None:
    for annotation, value in ((Raw, Raw(raw)), (list[Raw], [Raw(raw)]), (Any, [Raw(raw)])):
        with pytest.raises(ArgumentError, match=r"^a Raw "):
            Signature.from_types([annotation], []).encode_args((value,))
    with pytest.raises(ArgumentError, match=r"^a Raw .*, at \$\[0\]\.raw$"):
        Signature.from_types([Carrier], []).encode_args((Carrier(Raw(raw)),))


def test_a_null_does_not_make_other_values_suspicious() -> None:
    values: list[Any] = [None, {"a": None, "b": 1.5}, BIG, Point(), Box(None), "null", ["null", 0.5]]
    for value in values:
        assert json.loads(sent(value)) == ["a", json.loads(msgspec.json.encode(value))]


def test_what_is_ordinary_is_found_so_in_any_size() -> None:
    big = [{"a": [1.5, None, b"x", Box(Point())]} for _ in range(3000)]
    assert sent(big) == msgspec.json.encode(["a", big])
    assert len(sent(MappingProxyType({"a": 1}))) == 13


def test_a_sum_that_overflows_does_not_make_its_terms_infinite() -> None:
    values = [1.7e308, 1.7e308]
    assert json.loads(sent(values)) == ["a", values]
    assert json.loads(Signature.from_types([list[float]], []).encode_args((values,))) == [values]


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ("\ud800", '"\ufffd"'),
        ("a\ud83d\ude00\udc00", '"a\U0001f600\ufffd"'),
        ({"\udfff": ["\ud800", 1, None, b"x", (True,)]}, '{"\ufffd":["\ufffd",1,null,"eA==",[true]]}'),
        (Point(1, 2.0, "\ud800"), '{"x":1,"y":2.0,"label":"\ufffd"}'),
        (Box(["\ud800", Point()]), '{"inside":["\ufffd",{"x":0,"y":0.0,"label":""}]}'),
        (Box(["\ud800", Raw(b"[1]")]), '{"inside":["\ufffd",[1]]}'),
    ],
)
def test_lone_surrogates_are_replaced(value: Any, data: str) -> None:
    assert sent(value) == f'["a",{data}]'.encode()


def test_lone_surrogates_do_not_hide_anything_else() -> None:
    with pytest.raises(ArgumentError, match=r"^expected a finite float, got nan, at \$\[1\]\[1\]$"):
        sent(["\ud800", NAN])
    with pytest.raises(ArgumentError, match=r"^JSON cannot carry object, at \$\[1\]\[1\]$"):
        sent(["\ud800", object()])
    with pytest.raises(ArgumentError, match=r"^nested too deeply"):
        sent(["\ud800", deep(5000)])


def test_lone_surrogates_do_not_disturb_the_checks() -> None:
    signature = Signature.from_types([dict[str, int]], [])
    assert signature.encode_args(({"\ud800": 1},)) == '[{"\ufffd":1}]'.encode()
    for annotation, text in (
        (list[int], r"^expected int, got str, at \$\[0\]\[0\]$"),
        (dict[int, str], "^expected object, got array, at "),
    ):
        with pytest.raises(ArgumentError, match=text):
            Signature.from_types([annotation], []).encode_args((["\ud800"],))
    with pytest.raises(ArgumentError, match=r"^key: expected int, got str, at \$\[0\]$"):
        Signature.from_types([dict[int, str]], []).encode_args(({"\ud800": "a"},))


def test_typed_text_is_replaced_as_well() -> None:
    signature = Signature.from_types([str, list[str], Point], [])
    data = signature.encode_args(("\ud800", ["\udc00"], Point(1, 1.0, "\ud800")))
    assert json.loads(data) == ["\ufffd", ["\ufffd"], {"x": 1, "y": 1.0, "label": "\ufffd"}]


@pytest.mark.parametrize("levels", [128, 490])
def test_nesting_there_and_back(levels: int) -> None:
    data = b"[" * levels + b"1" + b"]" * levels
    (value,) = Signature.from_types([Any], []).decode_args(b"[" + data + b"]")
    assert Signature.from_types([], [Any], side="provider").encode_results(value) == b"[" + data + b"]"


def test_a_hundred_thousand_levels_are_an_error_of_the_call() -> None:
    data = b"[" * 100_000 + b"]" * 100_000
    for annotation in (Any, list[Any], dict[str, Any] | list[Any]):
        with pytest.raises(ArgumentError, match=r"^nested too deeply, or contains itself$"):
            Signature.from_types([annotation], []).decode_args(data)


def test_typed_nesting_without_end_is_an_error_of_the_call() -> None:
    node = Node(1)
    node.next = node
    with pytest.raises(ArgumentError, match=r"^nested too deeply, or contains itself"):
        Signature.from_types([Node], []).encode_args((node,))
    long = None
    for i in range(sys.getrecursionlimit() * 2):
        long = Node(i, long)
    with pytest.raises(ArgumentError, match=r"^nested too deeply, or contains itself"):
        Signature.from_types([Node], []).encode_args((long,))


def test_a_class_whose_attributes_raise_fails_the_call() -> None:
    class Bad(msgspec.Struct):
        x: Any

    bad = Bad(1)
    del bad.x
    with pytest.raises(ArgumentError, match=r"^JSON cannot carry "):
        sent([bad])
