"""How many arguments and results there are: positions, keywords, defaults, and the texts when it does not add up."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import msgspec
import pytest

from plugsvc.errors import ArgumentError, ResultError
from plugsvc.marshal import Error, Raw, Signature


def three(a: int, b: str = "b", c: Any = None) -> tuple[int, str]:
    raise NotImplementedError


def none() -> None:
    raise NotImplementedError


def one(a: int, /) -> int:
    raise NotImplementedError


def listed(a: list[int]) -> tuple[int, ...]:
    raise NotImplementedError


def only_error(a: int) -> Error:
    raise NotImplementedError


def with_error(a: int) -> tuple[str, int, Exception | None]:
    raise NotImplementedError


def single(a: int) -> tuple[int]:
    raise NotImplementedError


def bare(a, b=1):  # type: ignore[no-untyped-def]
    raise NotImplementedError


def provider(function: Any) -> Signature:
    return Signature.of(function, side="provider")


def consumer(function: Any) -> Signature:
    return Signature.of(function, side="consumer")


@pytest.mark.parametrize(
    ("args", "kwargs", "data"),
    [
        ((1,), {}, b'[1,"b",null]'),
        ((1, "x"), {}, b'[1,"x",null]'),
        ((1, "x", [2]), {}, b'[1,"x",[2]]'),
        ((), {"a": 1, "c": 3}, b'[1,"b",3]'),
        ((1,), {"c": 3, "b": "y"}, b'[1,"y",3]'),
    ],
)
def test_a_consumer_sends_every_argument(args: tuple[Any, ...], kwargs: dict[str, Any], data: bytes) -> None:
    assert consumer(three).encode_args(args, kwargs) == data


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "text"),
    [
        (three, (), {}, "expected 3 arguments, got 0"),
        (three, (1, "b", 2, 3), {}, "expected 3 arguments, got 4"),
        (three, (1, "b", 2, 3), {"z": 1}, "expected 3 arguments, got 5"),
        (three, (), {"b": "x"}, "argument 'a' is missing"),
        (three, (1,), {"a": 1}, "argument 'a' is given twice"),
        (three, (1,), {"z": 1}, "there is no argument 'z'"),
        (one, (), {"a": 1}, "argument 'a' is missing"),
        (one, (), {}, "expected 1 argument, got 0"),
        (none, (1,), {}, "expected 0 arguments, got 1"),
    ],
)
def test_arguments_that_do_not_add_up(function: Any, args: Any, kwargs: Any, text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        consumer(function).encode_args(args, kwargs)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("function", "data", "args"),
    [
        (three, b"[1]", (1,)),
        (three, b'[1,"x"]', (1, "x")),
        (three, b'[1,"x",{}]', (1, "x", {})),
        (none, b"[]", ()),
        (none, b" [ ] ", ()),
        (bare, b'["a"]', ("a",)),
        (bare, b'["a",[]]', ("a", [])),
    ],
)
def test_a_provider_takes_what_it_has_defaults_for(function: Any, data: bytes, args: tuple[Any, ...]) -> None:
    assert provider(function).decode_args(data) == args
    assert provider(function).decode_args(Raw(data)) == args


@pytest.mark.parametrize(
    ("function", "data", "text"),
    [
        (three, b"[]", "expected 1 to 3 arguments, got 0"),
        (three, b"[1,2,3,4]", "expected 1 to 3 arguments, got 4"),
        (three, b"[1,2]", "expected str, got int, at $[1]"),
        (three, b'["1"]', "expected int, got str, at $[0]"),
        (one, b"[]", "expected 1 argument, got 0"),
        (one, b"[1,2]", "expected 1 argument, got 2"),
        (one, None, "expected an array of 1 argument, got nothing"),
        (one, b"null", "expected an array of 1 argument, got null"),
        (one, b"{}", "expected an array of 1 argument, got object"),
        (one, b"1", "expected an array of 1 argument, got int"),
        (one, b'"x"', "expected an array of 1 argument, got str"),
        (three, b"true", "expected an array of 1 to 3 arguments, got bool"),
        (none, b"[1]", "expected 0 arguments, got 1"),
        (none, None, "expected an array of 0 arguments, got nothing"),
        (one, b"[1", "not JSON: Input data was truncated"),
        (one, b"", "not JSON: Input data was truncated"),
    ],
)
def test_a_provider_refuses_the_rest(function: Any, data: bytes | None, text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        provider(function).decode_args(data)
    assert str(caught.value) == text
    assert caught.value.path == ("$[1]" if "$[1]" in text else "$[0]" if "$[0]" in text else "")


@pytest.mark.parametrize(
    ("function", "value", "data"),
    [
        (none, None, b"[]"),
        (one, 3, b"[3]"),
        (three, (1, "x"), b'[1,"x"]'),
        (three, [1, "x"], b'[1,"x"]'),
        (listed, (1, 2), b"[[1,2]]"),
        (single, (1,), b"[1]"),
        (bare, (1, 2), b"[[1,2]]"),
        (bare, None, b"[null]"),
        (only_error, None, b"[]"),
        (with_error, ("a", 1, None), b'["a",1]'),
    ],
)
def test_results_there_and_back(function: Any, value: Any, data: bytes) -> None:
    assert provider(function).encode_results(value) == data
    back = consumer(function).decode_results(data)
    assert back == (list(value) if function is bare and value else tuple(value) if isinstance(value, list) else value)


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (none, 3, "expected no result, got int"),
        (one, None, "expected int, got null, at $[0]"),
        (three, None, "expected 2 results, got NoneType"),
        (three, (1,), "expected 2 results, got 1"),
        (three, (1, "a", 2), "expected 2 results, got 3"),
        (three, ("a", 1), "expected int, got str, at $[0]"),
        (single, 1, "expected 1 result, got int"),
        (with_error, ("a", 1), "expected 3 results, got 2"),
        (with_error, ("a", 1, "e"), "expected an error or None as last result, got str"),
        (only_error, 1, "expected an error or None as last result, got int"),
    ],
)
def test_results_that_the_signature_does_not_promise(function: Any, value: Any, text: str) -> None:
    with pytest.raises(ResultError) as caught:
        provider(function).encode_results(value)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("function", "data", "text"),
    [
        (one, None, "expected an array of 1 result, got nothing"),
        (one, b"null", "expected an array of 1 result, got null"),
        (one, b'{"a":1}', "expected an array of 1 result, got object"),
        (one, b"3", "expected an array of 1 result, got int"),
        (one, b"[]", "expected 1 result, got 0"),
        (one, b"[1,2]", "expected 1 result, got 2"),
        (one, b"[null]", "expected int, got null, at $[0]"),
        (three, b"[1]", "expected 2 results, got 1"),
        (none, b"[1]", "expected 0 results, got 1"),
        (with_error, b'["a",1,null]', "expected 2 results, got 3"),
    ],
)
def test_replies_that_the_signature_does_not_promise(function: Any, data: bytes | None, text: str) -> None:
    with pytest.raises(ResultError) as caught:
        consumer(function).decode_results(data)
    assert str(caught.value) == text


@pytest.mark.parametrize("data", [b"[]", b"null", None, Raw(b"null")])
def test_no_results_may_be_written_in_any_way(data: bytes | None) -> None:
    assert consumer(none).decode_results(data) is None


def test_a_returned_error_is_the_outcome() -> None:
    error = ValueError("x")
    assert provider(only_error).encode_outcome(error) == (b"[]", error)
    assert provider(with_error).encode_outcome(("a", 1, error)) == (b'["a",1]', error)
    assert provider(with_error).encode_outcome(("a", 1, None)) == (b'["a",1]', None)
    with pytest.raises(ValueError, match=r"^x$"):
        provider(with_error).encode_results(("a", 1, error))


def test_an_error_decides_even_if_the_results_do_not_fit() -> None:
    error = ValueError("x")
    assert provider(with_error).encode_outcome((float("nan"), None, error)) == (None, error)


def test_what_a_failed_call_returns() -> None:
    error = ValueError("x")
    assert consumer(only_error).failed(error) is error
    assert consumer(with_error).failed(error) == (None, None, error)
    assert consumer(with_error).decode_results(b'["a",1]') == ("a", 1, None)
    assert consumer(only_error).decode_results(b"[]") is None


def test_types_without_a_function() -> None:
    signature = Signature.from_types([int, str], [str, int], name="swap")
    assert signature.encode_args((1, "a")) == b'[1,"a"]'
    assert signature.decode_results(b'["a",1]') == ("a", 1)
    assert Signature.from_types([], [int]).decode_results(b"[1]") == 1
    assert Signature.from_types([], []).decode_results(b"[]") is None
    assert Signature.from_types([], [int], returns_error=True).decode_results(b"[1]") == (1, None)
    with pytest.raises(ArgumentError, match=r"^argument '0' is missing$"):
        signature.encode_args((), {"0": 1})


class Counted(msgspec.Struct):
    """Says how often an instance was made."""

    value: int
    made: ClassVar[int] = 0

    def __post_init__(self) -> None:
        type(self).made += 1


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'[{"value":1},"x"]', "expected int, got str, at $[1]"),
        (b'[{"value":1},1e400]', "number out of range, at $[1]"),
        (b'[{"value":1},null]', "expected int, got null, at $[1]"),
        (b'[{"value":1},nope]', "not JSON: JSON is malformed: invalid character (byte 14)"),
        (b'[{"value":1},1,2]', "expected 2 arguments, got 3"),
        (b'[{"value":1}]', "expected 2 arguments, got 1"),
    ],
)
def test_values_are_made_once_also_when_something_is_wrong(data: bytes, text: str) -> None:
    Counted.made = 0
    with pytest.raises(ArgumentError) as caught:
        Signature.from_types([Counted, int], []).decode_args(data)
    assert str(caught.value) == text
    assert Counted.made <= 1


@pytest.mark.parametrize(
    ("of", "data", "text"),
    [
        (str, b"[1" + b",1" * 16 + b"]", "expected 1 argument, got 17"),
        (str, b"[1" + b",1" * 17 + b"]", "expected 1 argument, got more than 17"),
        (str, b"[1" + b",1" * 10_000_000 + b"]", "expected 1 argument, got more than 17"),
        (str, b"[" + b'{"a":[null]},' * 1_000_000 + b"1]", "expected 1 argument, got more than 17"),
        (str, b"[" + b"null," * 4_000_000 + b"null]", "expected 1 argument, got more than 17"),
        (list[int], b"[[" + b"null," * 4_000_000 + b"null]]", "expected int, got null, at $[0][0]"),
    ],
    ids=["few", "more", "integers", "objects", "nulls", "nulls in an array"],
)
def test_values_are_counted_without_being_made(of: Any, data: bytes, text: str) -> None:
    signature = Signature.from_types([of], [])
    started = time.process_time()
    with pytest.raises(ArgumentError) as caught:
        signature.decode_args(data)
    assert str(caught.value) == text
    assert time.process_time() - started < 2  # a tenth of a second; several where each value is made


def test_defaults_are_counted_as_well() -> None:
    assert provider(three).decode_args(b"[1]") == (1,)
    with pytest.raises(ArgumentError, match=r"^expected 1 to 3 arguments, got more than 19$"):
        provider(three).decode_args(b"[" + b"1," * 30 + b"1]")
