"""How many values JSON has, without decoding it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from plugsvc.wire import CONTAINER, count_values, rough_count

values = st.recursive(
    st.none() | st.integers() | st.text('a,[{"\\', max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text('k,{"\\', max_size=3), inner, max_size=4),
    max_leaves=20,
)


def number_of(value: Any) -> int:
    """The same, from the value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (CONTAINER if isinstance(value, dict | list) else 0) + (max(len(inner) - 1, 0)) + sum(map(number_of, inner))


@given(values, st.integers(2, 40))
def test_the_number_is_exact_where_it_matters(value: Any, piece: int) -> None:
    data = json.dumps(value).encode()
    exact = 1 + number_of(value)
    assert rough_count(data) >= exact
    assert count_values(data, 0, piece=piece) == exact
    assert exact <= count_values(data, exact, piece=piece) <= CONTAINER * len(data)


@pytest.mark.parametrize(
    ("data", "count"),
    [(b"1", 1), (b"[]", 5), (b"[1,2]", 6), (b'["a,b","c"]', 6), (b'{"a":[1,{}]}', 14), (b'["\\",\\\\",1]', 6)],
)
def test_examples(data: bytes, count: int) -> None:
    assert count_values(data, 0) == count
