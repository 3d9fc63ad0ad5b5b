"""Messages to bytes: the exact lines, and that any JSON reader gets back what went in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from plugsvc import wire

ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=20)


def test_a_call() -> None:
    line = wire.encode_request(1, wire.CALL, "n", "s", b"[1,2]")
    assert line == b'{"sequence":1,"type":"call","namespace":"n","name":"s","args":[1,2]}\n'


def test_a_call_from_its_prefix_is_the_same() -> None:
    prefix = wire.request_prefix(wire.CALL, 'n"', "é")
    whole = wire.encode_request(wire.MAX_SEQUENCE, wire.CALL, 'n"', "é", b"[]")
    assert wire.join_call(wire.MAX_SEQUENCE, prefix, b"[]") == whole


def test_other_requests_have_all_five_keys() -> None:
    line = wire.encode_request(0, wire.HAS_NAMESPACE, "n")
    assert line == b'{"sequence":0,"type":"hasNamespace","namespace":"n","name":"","args":null}\n'


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        ({"reply": b"[3]"}, b'{"sequence":7,"reply":[3]}\n'),
        ({"reply": b"null"}, b'{"sequence":7,"reply":null}\n'),
        ({"ok": True}, b'{"sequence":7,"ok":true}\n'),
        ({"ok": False}, b'{"sequence":7}\n'),
        ({"services": ["a", "b"]}, b'{"sequence":7,"services":["a","b"]}\n'),
        ({"services": []}, b'{"sequence":7}\n'),
        ({"services": (n for n in "ab")}, b'{"sequence":7,"services":["a","b"]}\n'),
        ({"services": (n for n in "ab"), "reply": b"[]"}, b'{"sequence":7,"services":["a","b"],"reply":[]}\n'),
        ({"error": "boom"}, b'{"sequence":7,"error":"boom"}\n'),
        ({"error": ""}, b'{"sequence":7,"error":""}\n'),
        ({"reply": b'["p"]', "error": "boom"}, b'{"sequence":7,"reply":["p"],"error":"boom"}\n'),
    ],
)
def test_replies_leave_out_what_is_empty_but_never_an_error(reply: dict[str, object], line: bytes) -> None:
    assert wire.encode_reply(7, **reply) == line  # type: ignore[arg-type]


def test_lone_surrogates_become_replacement_characters() -> None:
    line = wire.encode_reply(1, error="a\ud800\ud83d\ude00\udfffb")
    assert json.loads(line)["error"] == "a\ufffd\U0001f600\ufffdb"


@given(sequence=st.integers(0, wire.MAX_SEQUENCE), texts=st.lists(ANY_TEXT, min_size=3, max_size=3))
def test_any_text_makes_one_line_of_strict_utf8(sequence: int, texts: list[str]) -> None:
    line = wire.encode_request(sequence, texts[0], texts[1], texts[2], b"[null]")
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert list(json.loads(line.decode()).values()) == [sequence, *(mended(text) for text in texts), [None]]


def mended(text: str) -> str:
    """Return what a reader may see of `text`, worked out character by character."""
    return "".join(
        "\ufffd" if "\ud800" <= c <= "\udfff" else c
        for c in json.loads(json.dumps(text, ensure_ascii=True))  # joins surrogate pairs
    )
