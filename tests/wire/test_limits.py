"""Limits on the size and depth of messages: the same verdict on every path through the reader."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from plugsvc.jsontext import provably_shallow
from plugsvc.wire import RequestReader

from .helpers import by_byte, in_pieces, outcome, requests


def nested(depth: int, opener: bytes = b"[", closer: bytes = b"]", core: bytes = b"") -> bytes:
    """Return a message that is nested `depth` levels deep, itself counted."""
    return b'{"args":' + opener * (depth - 1) + core + closer * (depth - 1) + b"}"


def ways(data: bytes) -> list[list[bytes]]:
    return [
        [data],
        [data + b"\n"],
        [b"{}\n" + data + b"\n{}\n"],
        [b"{}" + data + b"{}"],
        by_byte(data),
        in_pieces(data + b"\n", 100),
        in_pieces(data + b"\n", 4500),
    ]


@pytest.mark.parametrize("max_depth", [1, 2, 3, 10, 100, 500])
@pytest.mark.parametrize("core", [b"", b"1", b'"[[[["', b"1,2,3"])
def test_depth(max_depth: int, core: bytes) -> None:
    if max_depth > 1:
        for pieces in ways(nested(max_depth, core=core)):
            messages, error = requests(*pieces, max_depth=max_depth)
            assert error is None
            assert messages
    data = nested(max_depth + 1, core=core)
    reason = f"nested more than {max_depth} levels deep"
    for pieces in ways(data):
        _, error = requests(*pieces, max_depth=max_depth)
        assert error is not None
        assert error[0] == reason
        # Its 2 bytes, with or without a newline, may come before.
        assert error[1] - b"".join(pieces).index(data) == 8 + max_depth - 1


def test_objects_count_as_levels_too() -> None:
    for pieces in ways(nested(6, b'{"a":', b"}", core=b"1")):
        assert requests(*pieces, max_depth=6)[1] is None
        error = requests(*pieces, max_depth=5)[1]
        assert error is not None
        assert error[0] == "nested more than 5 levels deep"


def test_wide_is_not_deep() -> None:
    data = b'{"args":[' + b",".join([b"[[],{}]"] * 2000) + b"]}"
    for pieces in ways(data):
        assert requests(*pieces, max_depth=4)[1] is None
        assert requests(*pieces, max_depth=3)[1] is not None


def test_a_hundred_thousand_levels_are_an_error_and_nothing_else() -> None:
    for data in (nested(100_000), b'{"args":' + b"[" * 100_000, nested(50_000, b'{"a":', b"}", core=b"1")):
        for pieces in ([data], in_pieces(data, 4096), in_pieces(data, 65536)):
            messages, error = outcome(RequestReader(), pieces, eof=True)
            assert messages == []
            assert error is not None
            assert error[0] == "nested more than 500 levels deep"


def test_size() -> None:
    data = b'{"args":"' + b"x" * 89 + b'"}'
    assert len(data) == 100
    for pieces in ways(data):
        assert requests(*pieces, max_message=100)[1] is None
        _, error = requests(*pieces, max_message=99)
        assert error is not None
        assert error[0] == "a message is longer than 99 bytes"
        assert error[1] == b"".join(pieces).index(data) + 99


def test_size_is_noticed_before_the_message_ends() -> None:
    start = b'{"args":"' + b"x" * 91
    for pieces in ([start, b"x"], by_byte(start + b"x"), [start + b"x" * 10_000], [start, b"x" * 10_000]):
        assert requests(*pieces, max_message=100) == (
            [],
            ("a message is longer than 100 bytes", 100, b"x" * 32),
        )


def test_what_comes_first_counts_size_or_malformed() -> None:
    early, late = b'{"a":"' + b"x" * 50 + b"\n", b'{"a":"' + b"x" * 200 + b"\n"
    for data, reason in ((early, "control character 0x0a in a string"), (late, "a message is longer than 100 bytes")):
        for pieces in ([data], by_byte(data), in_pieces(data, 70)):
            error = requests(*pieces, max_message=100)[1]
            assert error is not None
            assert error[0] == reason


def test_many_small_messages_are_not_one_long_one() -> None:
    assert len(requests(b"{}\n" * 1000, max_message=10)[0]) == 1000
    assert len(requests(*in_pieces(b"{}" * 1000, 64), max_message=10)[0]) == 1000


texts = st.text(alphabet='[]{}"\\ax,:', max_size=8)
values = st.recursive(
    st.none() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=30,
)


def depth_of(value: object) -> int:
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 0


@given(value=values, limit=st.integers(0, 8))
def test_the_proof_of_shallowness_never_lies(value: object, limit: int) -> None:
    if provably_shallow(json.dumps(value).encode(), limit):
        assert depth_of(value) <= limit


def test_the_proof_succeeds_for_wide_data_with_brackets_in_strings() -> None:
    assert provably_shallow(b"[" + b",".join([rb'{"a":["[[[","\\\"]"]}'] * 1000) + b"]", 8)
    assert not provably_shallow(b"[" * 10 + b"]" * 10, 9)


@pytest.mark.parametrize("digits", [4300, 4301, 100_000])
@pytest.mark.parametrize("where", [b'"unknown":%b', b'"unknown":{"a":[-%b]}', b'"args":[%b]', b'"unknown":1.%be-1'])
def test_numbers_of_any_length_are_read(where: bytes, digits: int) -> None:
    data = b'{"sequence":7,' + where % (b"8" * digits) + b"}"
    for pieces in (*ways(data)[:4], in_pieces(data, 1000)):
        messages, error = requests(*pieces)
        assert error is None
        assert 7 in [message[0] for message in messages]
