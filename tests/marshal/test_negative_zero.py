"""A negative zero keeps its sign, also where the peer writes it as an integer, as Go does."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, strategies as st

from plugsvc.jsontext import restore_negative_zeros
from plugsvc.marshal import Float32, Signature


@pytest.mark.parametrize("of", [float, Float32, Any])
@pytest.mark.parametrize("data", [b"[-0]", b"[-0.0]", b"[-0e0]", b"[ -0 ]"])
def test_the_sign_is_kept(of: Any, data: bytes) -> None:
    value = Signature.from_types([], [of]).decode_results(data)
    assert value == 0
    assert math.copysign(1, value) == -1


def test_inside_other_values() -> None:
    values = Signature.from_types([], [list[float]]).decode_results(b"[[-0,1,-0.5,0]]")
    assert [math.copysign(1, value) for value in values] == [-1, 1, -1, 1]


def test_an_integer_takes_it_as_zero() -> None:
    assert Signature.from_types([], [int]).decode_results(b"[-0]") == 0
    assert Signature.from_types([], [float, int]).decode_results(b"[-0,-0]") == (0.0, 0)


def test_text_is_left_alone() -> None:
    text = 'a "-0", \\ -0'
    assert Signature.from_types([], [Any]).decode_results(b'["a \\"-0\\", \\\\ -0"]') == text


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"-0", b"-0.0"),
        (b"[-0,-0.5,-01,-0e1,-0E1]", b"[-0.0,-0.5,-01,-0e1,-0E1]"),
        (b'{"-0":-0}', b'{"-0":-0.0}'),
        (b'"\\"-0"', b'"\\"-0"'),
    ],
)
def test_what_is_mended(data: bytes, expected: bytes) -> None:
    assert restore_negative_zeros(data) == expected


@given(st.lists(st.sampled_from(["-0", "-0.0", "-0e1", "-01", '"', "\\", "x", "a-0b", "-", "0"])))
def test_zeros_are_told_from_text(parts: list[str]) -> None:
    text = "".join(parts)
    data = json.dumps([text, 1, {text: text}]).encode()
    assert restore_negative_zeros(data) == data
    with_zeros = data[:-1] + b",-0,[-0],-0.5]"
    assert restore_negative_zeros(with_zeros) == data[:-1] + b",-0.0,[-0.0],-0.5]"
