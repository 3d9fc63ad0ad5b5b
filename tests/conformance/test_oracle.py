"""The judge itself: strict JSON, where messages end, when values are equal."""

from __future__ import annotations

import json
import sys
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, strategies as st

from conformance.oracle import strict
from conformance.oracle.frames import BadFrame, FrameReader
from conformance.oracle.values import (
    difference,
    is_negative_zero,
    nearest_float32,
    rounding,
    same_written,
    type_name,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"a":NaN}', "the token NaN is not JSON"),
        (b"[-Infinity]", "the token -Infinity is not JSON"),
        (b'{"a":1,"a":2}', "the key 'a' is written twice"),
        (b'"\xff"', "invalid UTF-8 at byte 1"),
        (b"[1,]", "at character"),
        (b"01", "at character"),
        (b'"a\nb"', "Invalid control character"),
        (b"{}{}", "Extra data"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deep"),
        (b"1" * 1_000_001, "an integer of 1,000,001 digits, where this reader takes 1,000,000"),
    ],
)
def test_strict_refuses(text: bytes, why: str) -> None:
    with pytest.raises(strict.NotStrict, match=why.replace("(", r"\(")):
        strict.loads(text)


def test_strict_writes_what_it_reads_also_with_lone_surrogates() -> None:
    for value in ("é😀", "\ud800", {"a": [1, -0.0, None]}):
        assert strict.loads(strict.dumps(value)) == value
    with pytest.raises(ValueError, match="Out of range float"):
        strict.dumps(float("nan"))


@given(st.lists(st.dictionaries(st.text(), JSON, max_size=3), max_size=4), st.data())
def test_frames_are_the_same_however_they_are_cut(values: list[dict[str, Any]], data: st.DataObject) -> None:
    space = st.sampled_from(["", " ", "\n", "\r\n\t "])
    stream = "".join(data.draw(space) + json.dumps(v, ensure_ascii=data.draw(st.booleans())) for v in values).encode(
        "utf-8", "surrogatepass"
    )
    reader, frames, at = FrameReader(), [], 0
    while at < len(stream):
        size = data.draw(st.integers(1, 7))
        frames += reader.feed(stream[at : at + size])
        at += size
    assert [json.loads(frame.decode("utf-8", "surrogatepass")) for frame in frames] == values
    assert not reader.in_message


def test_a_frame_is_there_with_its_last_byte() -> None:
    reader = FrameReader()
    assert reader.feed(b' {"a":"}\\"{"') == []
    assert reader.in_message
    assert reader.feed(b"}") == [b'{"a":"}\\"{"}']


@pytest.mark.parametrize("junk", [b"null", b"[{}]", b"}", b"\0{}", b'\xef\xbb\xbf{"a":1}'])
def test_junk_between_messages_is_named(junk: bytes) -> None:
    with pytest.raises(BadFrame, match=r"expected '\{' or white space at byte 3 of the stream, got"):
        FrameReader().feed(b"{}\n" + junk)


@pytest.mark.parametrize(
    ("of", "meant", "came"),
    [
        ("int64", 1, True),
        ("int64", 1, 1.0),
        ("bool", True, 1),
        ("any", True, 1),
        ("any", 0, False),
        ("any", None, False),
        ("any", "1", 1),
        ("any", {"a": [1]}, {"a": [2]}),
        ("any", {"a": 1}, {"a": 1, "b": 2}),
        ("any", [1, 2], [2, 1]),
        ("float64", 0.1, 0.10000000000000002),
        ("float64", 1.0, 10**400),
        ("any", 9007199254740993, 9007199254740992),
        ("float32", 0.5, 0.25),
        ("bytes", "aGk=", "aGk"),
        ({"list": "int64"}, [1], [1, 1]),
        ({"list": "int64"}, [], None),
        ({"optional": "int64"}, None, 0),
        ({"map": "bool"}, {"a": True}, {"a": 1}),
        ("point", {"x": 1, "y": 2.0}, {"x": 1.0, "y": 2.0}),
        ("point", {"x": 1, "y": 2.0}, {"x": 1, "y": 2.0, "label": "a"}),
        ("point", {"x": 1, "y": 2.0}, {"x": 1, "y": 2.0, "z": 3}),
    ],
)
def test_values_that_differ(of: Any, meant: Any, came: Any) -> None:
    assert difference(of, meant, came) is not None


@pytest.mark.parametrize(
    ("of", "meant", "came"),
    [
        ("float64", 3.0, 3),
        ("any", 3.0, 3),
        ("any", 1e21, 1e21),
        ("any", 2.348401232351211e16, 23484012323512110),
        ("point", {"x": 1, "y": 1e22}, {"x": 1, "y": 10**22}),
        ("float32", 0.1, 0.10000000149011612),
        ({"optional": "int64"}, None, None),
        ("point", {"x": 1, "y": 2.0}, {"x": 1, "y": 2, "label": ""}),
        ("any", {"a": [1, {"b": None}]}, {"a": [1.0, {"b": None}]}),
    ],
)
def test_values_that_are_the_same(of: Any, meant: Any, came: Any) -> None:
    assert difference(of, meant, came) is None


def test_a_difference_says_where() -> None:
    assert difference("any", {"a": [1, 2]}, {"a": [1, True]}) == "at $.a[1]: expected 2 (int), got True (bool)"


def test_deep_values_are_compared_without_recursion() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    assert difference("any", deep, deep) is None


def test_written_values_keep_digits_and_order() -> None:
    def written(text: str) -> Any:
        return strict.loads_written(text)

    assert same_written(written('{"b":1.50,"a":1e2}'), written(' { "b" : 1.50, "a":1e2 } '))
    assert not same_written(written("[1.50]"), written("[1.5]"))
    assert not same_written(written('{"b":1,"a":2}'), written('{"a":2,"b":1}'))
    assert not same_written(written('["1"]'), written("[1]"))


def test_names() -> None:
    assert type_name({"list": {"optional": "int64"}}) == "list_optional_int64"
    assert is_negative_zero(-0.0)
    assert not is_negative_zero(0.0)


@pytest.mark.parametrize("start", [0, 1, 2, 3, 16_383])
@pytest.mark.parametrize(
    "body",
    [
        b'"' + rb"\"\\}" * 12_000 + b'"',
        b'["' + b'","'.join([b"}" * 5] * 8_000) + b'"]',
        b"[" + b"1," * 30_000 + b"1]",
        b"[" + (b'{"a":"' + b"\\\\" * 20_000 + b'"},') * 2 + b"1]",
        b'"' + b"x" * 70_000 + b'"',
    ],
    ids=["escapes", "strings", "numbers", "objects", "text"],
)
def test_frames_do_not_depend_on_how_much_a_pattern_sees_at_a_time(body: bytes, start: int) -> None:
    frame = b'{"a":' + b" " * start + body + b"}"
    reader = FrameReader()
    assert reader.feed(frame + frame) == [frame, frame]
    assert not reader.in_message


def test_frames_are_cut_without_keeping_every_step() -> None:
    frame = b'{"a":[' + b'"b","\\n",' * 300_000 + b"1]}"
    reader = FrameReader()
    tracemalloc.start()
    try:
        assert reader.feed(frame) == [frame]
        assert tracemalloc.get_traced_memory()[1] < 3 * len(frame) + 8 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("digits", [1, 639, 640, 641, 1280, 1281, 4300, 4301, 9999, 100_000])
@pytest.mark.parametrize("sign", ["", "-"])
def test_integers_of_any_length_are_read_and_written(digits: int, sign: str) -> None:
    for text in (sign + "9" * digits, sign + "1" + "0" * (digits - 1), sign + ("1234567890" * digits)[:digits]):
        value = strict.loads(text)
        assert type(value) is int
        assert abs(value) % 10**9 == int(text.removeprefix("-")[-9:])
        assert strict.dumps({"a": [value, text]}) == b'{"a":[%b,"%b"]}' % (text.encode(), text.encode())


@given(st.integers(0, 6000), st.integers(0, 10**12), st.booleans())
def test_a_long_integer_is_the_value_that_was_written(zeros: int, rest: int, negative: bool) -> None:
    value = (10**zeros + rest) * (-1 if negative else 1)
    assert strict.loads(strict.dumps([value])) == [value]


def test_long_integers_are_judged() -> None:
    meant = 10**5000
    assert difference("any", meant, 10**5000) is None
    assert difference("any", [meant], [meant + 1]) == (
        f"at $[0]: expected 1{'0' * 99}… (5001 characters) (int), got 1{'0' * 99}… (5001 characters) (int)"
    )
    assert difference("int64", 1, meant) == f"at $: expected 1 (int), got 1{'0' * 99}… (5001 characters) (int)"
    assert difference("float64", 1.0, meant) is not None
    assert difference("float32", 1.0, meant) is not None


def test_the_limit_of_the_process_stays() -> None:
    before = sys.get_int_max_str_digits()
    strict.dumps(strict.loads("7" * 5000))
    assert sys.get_int_max_str_digits() == before


@pytest.mark.parametrize(
    ("written", "nearest"),
    [
        ("0.1", 0.10000000149011612),
        ("1.00000005960464477539062500000001", 1.0000001192092896),  # the nearest float64 is halfway, and even is below
        ("1.000000059604644775390625", 1.0),
        ("-1.00000017881393432617187499999999", -1.0000001192092896),
        ("0", 0.0),
        ("1e-45", 1.401298464324817e-45),
        ("3.4028234663852886e38", 3.4028234663852886e38),
    ],
)
def test_the_nearest_float32(written: str, nearest: float) -> None:
    assert nearest_float32(written) == nearest


def test_a_float32_that_is_rounded_twice_is_told() -> None:
    written = "1.00000005960464477539062500000001"
    assert rounding(written, 1.0000001192092896) is None
    assert rounding(written, 1.0000001) is None  # with the digits that a float32 needs
    assert rounding(written, 1.0000000596046448) is None  # carried as a float64
    assert rounding(written, 1.0) == "1.0"
    assert rounding(written, "1") == "'1', which is no number"
