"""What a strict reader would refuse and ours reads: Go's nil as empty, and text that UTF-8 cannot carry."""

from __future__ import annotations

from typing import Any

import pytest

from plugsvc.errors import ArgumentError
from plugsvc.marshal import Raw, Signature

from .kinds import Node, Options, Order, Pair, Point, Renamed


def received(annotation: Any, data: bytes) -> Any:
    (value,) = Signature.from_types([annotation], []).decode_args(b"[" + data + b"]")
    return value


@pytest.mark.parametrize(
    ("annotation", "data", "value"),
    [
        (list[int], b"null", []),
        (list, b"null", []),
        (tuple[int, ...], b"null", ()),
        (set[int], b" null ", set()),
        (frozenset[int], b"null", frozenset()),
        (dict[str, int], b"null", {}),
        (bytes, b"null", b""),
        (list[list[int]], b"[null,[1],null]", [[], [1], []]),
        (dict[str, list[int]], b'{"a":null,"\\u0062\\"":[1]}', {"a": [], 'b"': [1]}),
        (list[bytes | None], b"[null]", [None]),
        (list[int] | None, b"null", None),
        (list[list[int]] | None, b"[null]", [[]]),
        (list[list[int]] | str, b"[null]", [[]]),
        (tuple[list[int], str], b'[null,"null"]', ([], "null")),
        (Renamed, b'{"someList":null,"someBytes":null,"x":null}', Renamed([], b"")),
        (Order, b'{"number":1,"points":null}', Order(1)),
        (list[Order], b'[{"number":1,"points":null}]', [Order(1)]),
        (dict[str, Any], b'{"a":null}', {"a": None}),
        (Any, b"null", None),
        (Any, b"[null]", [None]),
        (Node, b'{"value":1,"next":null}', Node(1)),
    ],
)
def test_null_is_an_empty_container_where_only_that_makes_sense(annotation: Any, data: bytes, value: Any) -> None:
    assert received(annotation, data) == value


def test_raw_json_next_to_a_null_stays_as_it_is() -> None:
    signature = Signature.from_types([list[int], Raw, Raw], [])
    empty, raw, null = signature.decode_args(b'[null, {"a": 1e2,  "b":null} , null]')
    assert (empty, bytes(raw), bytes(null)) == ([], b'{"a": 1e2,  "b":null}', b"null")


@pytest.mark.parametrize(
    ("annotation", "data", "text"),
    [
        (int, b"null", "expected int, got null, at $[0]"),
        (str, b"null", "expected str, got null, at $[0]"),
        (Point, b"null", "expected object, got null, at $[0]"),
        (Pair, b"null", "expected array, got null, at $[0]"),
        (tuple[int, str], b"null", "expected array, got null, at $[0]"),
        (Options, b"null", "expected object, got null, at $[0]"),
        (list[int], b"[null]", "expected int, got null, at $[0][0]"),
        (list[list[int]], b'[null,["a"]]', "expected int, got str, at $[0][1][0]"),
        (list[int] | str, b"null", None),
    ],
)
def test_other_nulls_are_refused(annotation: Any, data: bytes, text: str | None) -> None:
    if text is None:
        assert received(annotation, data) == []
        return
    with pytest.raises(ArgumentError) as caught:
        received(annotation, data)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (rb'"\ud800"', "\ufffd"),
        (rb'"\uDC00x"', "\ufffdx"),
        (rb'"\ud800\ud800\udc00"', "\ufffd\U00010000"),
        (rb'"\\ud800"', r"\ud800"),
        (rb'"\\\ud800"', "\\\ufffd"),
        (rb'"\ud83d\ude00\ud83d"', "\U0001f600\ufffd"),
        (b'"\xff"', "\ufffd"),
        (b'"\xed\xa0\x80"', "\ufffd\ufffd\ufffd"),
        (rb'"\ud800\n\""', '\ufffd\n"'),
    ],
)
def test_text_that_is_none_is_replaced(data: bytes, value: str) -> None:
    assert received(str, data) == value
    assert received(Any, b"[" + data + b"]") == [value]
    assert received(dict[str, list[str]], b"{" + data + b":[" + data + b"]}") == {value: [value]}
    assert received(list[Any], b"[null," + data + b"]") == [None, value]


def test_both_at_once() -> None:
    assert received(Order, rb'{"number":1,"points":null,"extra":"\ud800"}') == Order(1, extra="\ufffd")


@pytest.mark.parametrize("data", [b"nul", b'"a', b"[1,]", b"1 2", b'{"a":NaN}', rb'"\ud80"', b'"\n"'])
def test_what_is_not_json_is_an_error(data: bytes) -> None:
    for annotation in (Any, str, Raw):
        with pytest.raises(ArgumentError, match=r"^not JSON: "):
            received(annotation, data)
