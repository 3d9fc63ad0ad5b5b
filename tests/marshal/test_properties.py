"""What holds for any values and any bytes."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, strategies as st

from plugsvc.errors import ArgumentError, MarshalError, ResultError
from plugsvc.marshal import Float32, Int8, Raw, Signature, UInt64, decode_value, encode_value

from .kinds import Node, Options, Order, Point

finite = st.floats(allow_nan=False, allow_infinity=False)
int64 = st.integers(-(2**63), 2**63 - 1)
text = st.text(max_size=10)
points = st.builds(Point, int64, finite, text)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=10,
)
TYPED: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (bool, st.booleans()),
    (int, int64),
    (Int8, st.integers(-128, 127)),
    (UInt64, st.integers(0, 2**64 - 1)),
    (float, finite),
    (Float32, st.floats(width=32, allow_nan=False, allow_infinity=False)),
    (str, text),
    (bytes, st.binary(max_size=20)),
    (Any, any_json),
    (int | None, st.none() | int64),
    (list[int], st.lists(int64, max_size=5)),
    (list[float | None], st.lists(finite | st.none(), max_size=5)),
    (dict[str, list[bytes]], st.dictionaries(text, st.lists(st.binary(max_size=3), max_size=2), max_size=3)),
    (dict[int, str], st.dictionaries(int64, text, max_size=3)),
    (Point, points),
    (list[Point | None], st.lists(points | st.none(), max_size=3)),
    (tuple[int, str, float], st.tuples(int64, text, finite)),
    (
        Order,
        st.builds(Order, int64, st.lists(points, max_size=2), any_json, st.integers(0, 2**64 - 1)),
    ),
    (Options, st.fixed_dictionaries({"depth": int64}, optional={"name": text})),
]
SIGNATURES = [(Signature.from_types([kind], [kind], side="consumer"), values) for kind, values in TYPED]
IDS = [str(kind)[:40] for kind, _ in TYPED]


def same(one: Any, two: Any) -> bool:
    """Compare with types and signs: to Python, True == 1 == 1.0 and 0.0 == -0.0."""
    return repr(one) == repr(two)


@pytest.mark.parametrize(("signature", "values"), SIGNATURES, ids=IDS)
def test_every_value_comes_back_exactly(signature: Signature, values: st.SearchStrategy[Any]) -> None:
    @given(value=values)
    def check(value: Any) -> None:
        data = signature.encode_args((value,))
        json.loads(data.decode(), parse_constant=lambda token: pytest.fail(token))
        assert same(signature.decode_args(data), (value,))
        assert signature.encode_results(value) == data
        assert same(signature.decode_results(Raw(data)), value)

    check()


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[]), max_size=5)
    | st.binary(max_size=3)
    | st.complex_numbers()
    | st.builds(object)
    | st.builds(Raw, st.binary(max_size=4) | any_json.map(lambda value: json.dumps(value).encode()))
    | points
    | st.builds(Node, st.none() | st.integers() | st.floats()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.text(max_size=3) | st.none() | st.integers(), inner, max_size=3)
    ),
    max_leaves=10,
)


@pytest.mark.parametrize(("signature", "values"), SIGNATURES, ids=IDS)
def test_any_value_is_sent_as_json_that_the_other_side_takes_or_refused(
    signature: Signature, values: st.SearchStrategy[Any]
) -> None:
    @given(value=anything)
    def check(value: Any) -> None:
        try:
            data = signature.encode_args((value,))
        except ArgumentError as error:
            assert error.path.startswith("$[0]") or "deep" in error.text  # noqa: PT017
            return
        decoded = json.loads(data.decode("utf-8", "strict"), parse_constant=lambda token: pytest.fail(token))
        assert len(decoded) == 1
        assert not has_not_finite(value)
        signature.decode_args(data)

    check()


def has_not_finite(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(map(has_not_finite, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(has_not_finite, value))
    if isinstance(value, Point):
        return has_not_finite(value.y)
    return isinstance(value, Node) and has_not_finite(value.value)


json_text = any_json.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=20)


@pytest.mark.parametrize(("signature", "values"), SIGNATURES, ids=IDS)
def test_any_bytes_are_read_or_refused(signature: Signature, values: st.SearchStrategy[Any]) -> None:
    @given(data=json_text | json_text.map(lambda data: b"[" + data + b"]"))
    def check(data: bytes) -> None:
        try:
            args = signature.decode_args(data)
        except ArgumentError:
            with pytest.raises(ResultError):
                signature.decode_results(data)
            return
        again = signature.encode_args(args)
        assert same(signature.decode_args(again), args)

    check()


@given(value=any_json)
def test_single_values(value: Any) -> None:
    data = encode_value(value)
    assert same(decode_value(data), value)
    assert decode_value(Raw(data), list[Any] | Any) == value


def test_single_values_that_do_not_fit() -> None:
    with pytest.raises(MarshalError) as caught:
        encode_value({"a": [math.nan]})
    assert str(caught.value) == "expected a finite float, got nan, at $.a[0]"
    with pytest.raises(MarshalError) as caught:
        encode_value(math.nan)
    assert str(caught.value) == "expected a finite float, got nan, at $"
    with pytest.raises(MarshalError) as caught:
        decode_value(b'{"x":"a"}', Point)
    assert str(caught.value) == "expected int, got str, at $.x"
    assert decode_value(b'{"x":5}', Point) == Point(5)
