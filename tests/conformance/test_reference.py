"""What the reference testee reads where the JSON library gives up: lone surrogates, and nesting without end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.reference import Testee, carry_out
from conformance.reference_values import deep, instruction_decoder, parts

DEEP = 20_000


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"[]", []),
        (b" { } ", []),
        (b"null", []),
        (b"[1]", [b"1"]),
        (rb'[1, "a,]\"\\" ,{"b":[1,2,{}]},null]', [b"1", rb'"a,]\"\\"', b'{"b":[1,2,{}]}', b"null"]),
        (b'{"a" : {"b":[]}, "c,":"d:e"}\n', [b'"a" : {"b":[]}', b'"c,":"d:e"']),
    ],
)
def test_parts(text: bytes, found: list[bytes]) -> None:
    assert parts(text) == found


@pytest.mark.parametrize(
    "value", [[], {}, 1, "a:b", [1, -1.5e300, 'a,]"\\', {"b": [1, True, {}]}, None], {"a": {"b:": []}}]
)
def test_deep(value: Any) -> None:
    assert deep(json.dumps(value).encode()) == value


def test_an_instruction_that_the_json_library_does_not_read() -> None:
    decode = instruction_decoder()
    line = (
        rb'{"id" : 5,"op":"call","async":true,"zz:":{"y":1},"args":["\ud800", [1,2]],"name":"\udfff","params":["any"]}'
    )
    found = decode(line + b"\n")
    assert (bytes(found.id).strip(), found.op, found.is_async, found.name) == (b"5", "call", True, "\udfff")
    assert [bytes(each) for each in found.args] == [rb'"\ud800"', b"[1,2]"]
    assert (found.params, found.results) == (["any"], [])
    assert bytes(decode(rb'{"op":"\ud800","args":null}').id) == b"null"


@pytest.mark.parametrize("of", ["any", "raw", {"list": "any"}, {"map": "any"}, "int64", "point"])
@pytest.mark.parametrize(
    "value", [b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP + b"0" + b"}" * DEEP], ids=["array", "object"]
)
def test_an_argument_of_many_levels_is_an_error(of: Any, value: bytes) -> None:
    line = b'{"id":1,"op":"call","name":"s","args":[%b],"params":[%b],"results":[]}' % (value, json.dumps(of).encode())
    outcome = json.loads(carry_out(instruction_decoder()(line), Testee()))
    assert outcome.keys() == {"id", "error"}
    assert len(outcome["error"]) < 200
