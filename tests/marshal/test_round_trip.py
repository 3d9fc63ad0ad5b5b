"""What arrives is equal to what was sent and of the same type, or there is an error, for every type of a signature."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, note, settings, strategies as st
from msgspec import inspect

from plugsvc.errors import ArgumentError, SignatureError
from plugsvc.marshal import Signature, checks
from plugsvc.marshal.mismatch import Mismatch
from plugsvc.marshal.quickcheck import quick_check
from plugsvc.marshal.typeinfo import reaches

from .types_and_values import HASHABLE, OTHERS, TYPED, Typed, same

MANY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
ANNOTATIONS = [of for of, _ in HASHABLE + OTHERS]
_may_refuse = re.compile(
    r"(key: )?expected (an offset from UTC in whole minutes|a fixed offset from UTC), got "
    r"|.*(Type unions may not contain|Raw is any JSON)"
).match


def round_trip(of: Any, value: Any) -> Any:
    signature = Signature.from_types([of], [of])
    (came,) = signature.decode_args(signature.encode_args((value,)))
    assert same(came, signature.decode_results(signature.encode_results(value)))
    return came


@pytest.mark.parametrize("typed", HASHABLE + OTHERS, ids=lambda typed: str(typed[0])[:60])
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_each_type(typed: Typed, data: st.DataObject) -> None:
    check(typed, data)


@given(typed=TYPED, data=st.data())
@MANY
def test_types_within_types(typed: Typed, data: st.DataObject) -> None:
    note(str(typed[0]))
    check(typed, data)


def check(typed: Typed, data: st.DataObject) -> None:
    of, values = typed
    value = data.draw(values)
    refused = ""
    try:
        came = round_trip(of, value)
    except (ArgumentError, SignatureError) as error:
        refused = str(error)
    if refused:
        assert _may_refuse(refused), refused
    else:
        assert same(value, came), came


@given(typed=TYPED, other=TYPED, data=st.data())
@MANY
def test_what_is_meant_for_another_type_is_refused_or_arrives_equal(
    typed: Typed, other: Typed, data: st.DataObject
) -> None:
    """Also: the quick check accepts nothing that the full check refuses."""
    of = typed[0]
    value = data.draw(other[1])
    try:
        signature = Signature.from_types([of], [])
    except SignatureError:
        return
    note(f"{of} {value!r}")
    node = inspect.type_info(signature.params[0])
    try:
        checks.full(node)(value)
        fits = True
    except Mismatch:
        fits = False
    try:
        is_exact = quick_check([node])([value])
    except Exception:
        is_exact = False
    assert fits or not is_exact
    is_any = reaches(node, lambda part: isinstance(part, inspect.AnyType))
    try:
        data_sent = signature.encode_args((value,))
    except ArgumentError:
        assert is_any or not fits
        return
    assert fits
    (came,) = signature.decode_args(data_sent)
    assert is_any or loosely(came) == loosely(value)


def loosely(value: Any) -> Any:
    """Return a value without what types let through on purpose: arrays of all kinds, bytes of all kinds."""
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [loosely(item) for item in value]
        return sorted(items, key=repr) if isinstance(value, (set, frozenset)) else items
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value), [loosely(getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, msgspec.Struct):
        return type(value), [loosely(getattr(value, name)) for name in value.__struct_fields__]
    if isinstance(value, dict):
        return {str(key): loosely(item) for key, item in value.items()}
    return value
