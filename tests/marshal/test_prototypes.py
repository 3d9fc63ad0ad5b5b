"""Generated prototypes: binding refuses exactly those that hold something which JSON cannot carry, however deep."""

from __future__ import annotations

import datetime
import inspect
import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given, strategies as st

from plugsvc.errors import SignatureError
from plugsvc.marshal import Float32, Int8, Raw, Signature, UInt64

from .kinds import Carrier, Color, Node, Options, Order, Pair, Point, Renamed

CARRIED: list[Any] = [
    bool, int, float, str, bytes, Any, type(None), Raw, Int8, UInt64, Float32, datetime.datetime, datetime.date, Color,
    Literal["a", "b"], Literal[1], Point, Renamed, Node, Pair, Options, Order, Carrier,
]  # fmt: skip
NOT_CARRIED: list[Any] = [
    complex, object, type(threading.Lock()), Callable[[int], int], Iterator[int], datetime.timedelta, range, slice,
    type, Exception,
]  # fmt: skip
NOT_KEYS: list[Any] = [bool, tuple[int, int], Point]


def holder(annotation: Any) -> Any:
    """A class with a field of that type."""
    return msgspec.defstruct("Holder", [("field", annotation)])


WRAPPERS: list[Callable[[Any], Any]] = [
    lambda inner: list.__class_getitem__(inner),
    lambda inner: dict.__class_getitem__((str, inner)),
    lambda inner: tuple.__class_getitem__((inner, ...)),
    lambda inner: tuple.__class_getitem__((int, inner)),
    holder,
]


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The leaves, inside of up to four containers."""
    wrap = st.lists(st.sampled_from(WRAPPERS), max_size=4)

    def build(leaf: Any, wrappers: list[Callable[[Any], Any]]) -> Any:
        for wrapper in wrappers:
            leaf = wrapper(leaf)
        return leaf

    return st.builds(build, leaves, wrap)


carried = nested(st.sampled_from(CARRIED))
not_carried = nested(
    st.sampled_from(NOT_CARRIED) | st.builds(lambda key: dict[key, int], st.sampled_from(NOT_KEYS))  # type: ignore[valid-type]
)


def prototype(params: list[Any], results: list[Any]) -> Callable[..., Any]:
    """A function of that signature, as somebody might have written it."""

    def function(*args: Any) -> Any:
        raise NotImplementedError

    kinds = [
        inspect.Parameter(f"p{index}", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=each)
        for index, each in enumerate(params)
    ]
    returned = tuple[tuple(results)] if results else None  # type: ignore[misc]
    function.__signature__ = inspect.Signature(kinds, return_annotation=returned)  # type: ignore[attr-defined]
    function.__annotations__ = {f"p{index}": each for index, each in enumerate(params)} | {"return": returned}
    return function


@given(st.lists(carried, max_size=4), st.lists(carried, max_size=3), st.sampled_from(["provider", "consumer"]))
def test_what_json_carries_is_bound(params: list[Any], results: list[Any], side: Any) -> None:
    made = Signature.of(prototype(params, results), side=side)
    assert list(made.params) == params
    assert list(made.results) == results


@given(
    st.lists(carried, max_size=3),
    not_carried,
    st.lists(carried, max_size=3),
    st.integers(0, 6),
    st.sampled_from(["provider", "consumer"]),
)
def test_what_json_does_not_carry_is_refused(
    params: list[Any], bad: Any, results: list[Any], place: int, side: Any
) -> None:
    types = [*params, *results]
    at = place % (len(types) + 1)
    if at <= len(params):
        params = [*params[:at], bad, *params[at:]]
    else:
        results = [*results[: at - len(params)], bad, *results[at - len(params) :]]
    with pytest.raises(SignatureError):
        Signature.of(prototype(params, results), side=side)
