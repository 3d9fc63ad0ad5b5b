"""What holds for any bytes: the cut does not matter, the verdict is the JSON standard's, and nothing else is raised."""

from __future__ import annotations

import contextlib
import itertools
import json
from typing import Any

from hypothesis import given, strategies as st

from plugsvc.jsontext import Malformed, Scanner, skip_space
from plugsvc.wire import RequestReader
from plugsvc.wire.fields import InvalidField, read_request

from .helpers import by_byte, outcome, requests

any_text = st.text(st.characters(exclude_categories=[]), max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=12,
)
messages = st.fixed_dictionaries(
    {"sequence": st.integers(0, 2**64 - 1)},
    optional={
        "type": any_text | st.sampled_from(["call", "hasNamespace"]) | st.none(),
        "namespace": any_text | st.none(),
        "name": any_text | st.none(),
        "args": json_values,
        "other": json_values,
    },
)
spaces = st.text(" \t\r\n", max_size=3)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Draw a stream of messages, each written in its own way."""
    parts = []
    for message in draw(st.lists(messages, max_size=5)):
        indent = draw(st.sampled_from([None, None, 0, 1]))
        separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :\r\n")]))
        text = json.dumps(message, ensure_ascii=draw(st.booleans()), indent=indent, separators=separators)
        parts += [draw(spaces), text, draw(st.sampled_from(["", "\n"])), draw(spaces)]
    return "".join(parts).encode("utf-8", "surrogatepass")


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


places = st.lists(st.integers(0, 10_000), max_size=6)


@given(data=streams(), where=places)
def test_any_cut_of_any_conversation_gives_the_same_messages(data: bytes, where: list[int]) -> None:
    whole = requests(data)
    assert whole[1] is None
    assert requests(*cut(data, where)) == whole
    assert requests(*by_byte(data)) == whole
    assert [m[0] for m in whole[0]] == [m["sequence"] for m in parse_all(data)]


def parse_all(data: bytes) -> list[dict[str, Any]]:
    """Return the objects of a stream as the standard library reads them."""
    text, found, position = data.decode("utf-8", "replace"), [], 0
    decoder = json.JSONDecoder()
    while rest := text[position:].lstrip(" \t\r\n"):
        value, length = decoder.raw_decode(rest)
        found.append(value)
        position = len(text) - len(rest) + length
    return found


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw a stream with something done to it at a few places."""
    data = bytearray(draw(streams()))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(data)))
        data[place : place + draw(st.integers(0, 2))] = draw(
            st.binary(max_size=2) | st.sampled_from([b"}", b"{", b'"', b",", b"]", b"\\", b"\n", b"NaN", b"0", b"-"])
        )
    return bytes(data)


@given(
    data=damaged() | st.binary(max_size=60) | st.text('{}[]",:0-e.\\utrn ', max_size=30).map(str.encode), where=places
)
def test_any_bytes_give_the_same_messages_and_error_however_cut(data: bytes, where: list[int]) -> None:
    whole = outcome(RequestReader(), [data], eof=True)
    assert outcome(RequestReader(), by_byte(data), eof=True) == whole
    assert outcome(RequestReader(), cut(data, where), eof=True) == whole


def strictly(data: bytes) -> Any:
    """Return what the standard library makes of JSON, refusing what it takes beyond the standard."""

    def refuse(token: str) -> Any:
        raise ValueError(token)

    # Bytes above 0x7f are looked at by nobody here: any decoding of them will do.
    return json.loads(data.decode("latin-1"), parse_constant=refuse)


strings = [b'"a"', b'""', b'"\\u00e9"', b'"\\ud800"', b'"\\x"', b'"\xff"', b'"\x01"']
scalars = [b"1", b"-0", b"1.5e3", b"01", b"-", b"1.", b"NaN", b"true", b"nul"]
marks = [b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b"[]", b"{}", b'{"a":1}']
fragments = st.lists(st.sampled_from(strings) | st.sampled_from(scalars) | st.sampled_from(marks), max_size=12).map(
    b"".join
)


@given(data=fragments | json_values.map(lambda value: json.dumps(value).encode()), step=st.integers(1, 5))
def test_the_scanner_takes_what_the_standard_library_takes(data: bytes, step: int) -> None:
    try:
        strictly(data)
        valid = True
    except ValueError:
        valid = False
    assert scanned(data, step) is valid


@given(value=st.lists(json_values, min_size=2, max_size=5), step=st.integers(50, 2000), damage=st.binary(max_size=1))
def test_the_scanner_takes_the_same_many_at_a_time(value: list[Any], step: int, damage: bytes) -> None:
    data = json.dumps({"a": value * 4, "b": dict.fromkeys("cdefghij", value)}).encode()
    if damage:
        place = (damage[0] * 7919) % len(data)
        data = data[:place] + damage + data[place + 1 :]
    test = scanned(data, step)
    try:
        strictly(data)
    except ValueError:
        assert test is False
    else:
        assert test is True


def scanned(data: bytes, step: int) -> bool:
    scanner = Scanner(1000, any_value=True)
    position = 0
    try:
        for end in range(0, len(data) + step, step):
            position = scanner.scan(data[:end], position)
    except Malformed:
        return False
    return scanner.finish() and skip_space(data, position) == len(data)


@given(data=streams())
def test_the_careful_reading_of_fields_agrees_with_the_fast_one(data: bytes) -> None:
    for message in RequestReader().feed(data):
        text = json.dumps(
            {
                "args": None if message.args is None else 1,
                "name": message.name,
                "sequence": message.sequence,
                "type": message.type,
                "namespace": message.namespace,
            }
        ).encode()
        assert read_request(text).sequence == message.sequence
        assert read_request(text).name == message.name
        fast = RequestReader().feed(text)[0]
        slow = read_request(text)
        assert (fast.type, fast.namespace) == (slow.type, slow.namespace)


@given(value=json_values)
def test_the_careful_reading_raises_only_its_own_error(value: Any) -> None:
    for field in ("sequence", "type", "namespace", "name", "args"):
        with contextlib.suppress(InvalidField):
            read_request(json.dumps({field: value}).encode())
