"""What can be a service, and what is refused when it is bound, in which words."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import functools
import types
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

import msgspec
import pytest

from plugsvc.errors import SignatureError
from plugsvc.marshal import Raw, Signature

from .kinds import Point

if TYPE_CHECKING:
    from nowhere import Missing  # type: ignore[import-not-found]


class Broken(msgspec.Struct):
    field: Missing


class Holder(msgspec.Struct):
    field: complex


@dataclasses.dataclass
class Made:
    raw: Raw = dataclasses.field(default_factory=lambda: Raw(b"null"))


class Typed(TypedDict):
    raw: Raw


def stars(*args: int) -> None: ...
def keywords(**kwargs: int) -> None: ...
def by_name(*, a: int) -> None: ...
def unresolved(a: list[Missing]) -> None: ...
def unresolved_result() -> Missing: ...
def unresolved_inside(a: Broken) -> None: ...
def complex_number(a: complex) -> None: ...
def complex_inside(a: list[dict[str, complex]]) -> None: ...
def complex_field(a: Holder) -> None: ...
def callback(a: Callable[[int], int]) -> None: ...
def iterator() -> Iterator[int]: ...  # type: ignore[empty-body]
def awaitable() -> Awaitable[int]: ...  # type: ignore[empty-body]
def anything(a: object) -> None: ...
def duration(a: datetime.timedelta) -> None: ...
def keys(a: dict[tuple[int, int], str]) -> None: ...
def bool_keys(a: dict[bool, str]) -> None: ...
def ambiguous(a: str | bytes) -> None: ...
def raw_or_none(a: Raw | None) -> None: ...
def raw_made(a: list[Made]) -> None: ...
def raw_typed(a: Typed) -> None: ...
def error_argument(a: int, e: Exception) -> None: ...
def optional_error_argument(e: ValueError | None) -> None: ...
def error_in_list(e: list[Exception]) -> None: ...
def error_result() -> Exception: ...  # type: ignore[empty-body]
def error_first() -> tuple[Exception | None, int]: ...  # type: ignore[empty-body]
def error_or_int() -> int | Exception: ...  # type: ignore[empty-body]


def generator() -> Any:
    yield 1


async def async_generator() -> Any:
    yield 1


REFUSED: list[tuple[Any, str]] = [
    (None, "s: expected a function, got None"),
    (7, "s: expected a function, got 7"),
    ("f", "s: expected a function, got 'f'"),
    (Point, "s: expected a function, got class Point"),
    (int, "s: expected a function, got class int"),
    (stars, "s: parameter *args: the number of arguments must be fixed"),
    (keywords, "s: parameter **kwargs: the number of arguments must be fixed"),
    (print, "s: parameter *args: the number of arguments must be fixed"),
    (by_name, "s: parameter a: arguments are passed by position only"),
    (unresolved, "s: parameter a: 'list[Missing]': 'Missing' is not defined"),
    (unresolved_result, "s: result: 'Missing': 'Missing' is not defined"),
    (unresolved_inside, "s: parameter a: Broken refers to 'Missing', which is not defined"),
    (complex_number, "s: parameter a: complex cannot be carried by JSON"),
    (complex_inside, "s: parameter a: complex cannot be carried by JSON"),
    (complex_field, "s: parameter a: complex cannot be carried by JSON"),
    (callback, "s: parameter a: Callable cannot be carried by JSON"),
    (iterator, "s: result: Iterator cannot be carried by JSON"),
    (awaitable, "s: result: Awaitable cannot be carried by JSON"),
    (anything, "s: parameter a: object cannot be carried by JSON"),
    (
        duration,
        "s: parameter a: timedelta has no form that all implementations share: annotate int, and count nanoseconds",
    ),
    (keys, "s: parameter a: the keys of a JSON object are strings: a dict can have str or int as keys"),
    (bool_keys, "s: parameter a: the keys of a JSON object are strings: a dict can have str or int as keys"),
    (raw_or_none, "s: parameter a: a Raw is any JSON, also null: it cannot be one of several types"),
    (
        raw_made,
        "s: parameter a: the field raw of Made cannot be read as Raw: annotate Any, or give it no default factory",
    ),
    (raw_typed, "s: parameter a: the field raw of Typed cannot be read as Raw: annotate Any, or use a data class"),
    (error_argument, "s: parameter e: an error cannot be an argument"),
    (optional_error_argument, "s: parameter e: an error cannot be an argument"),
    (error_in_list, "s: parameter e: an error cannot be an argument"),
    (error_result, "s: an error can only be the last result, annotated `Exception | None`"),
    (error_first, "s: an error can only be the last result, annotated `Exception | None`"),
    (error_or_int, "s: an error can only be the last result, annotated `Exception | None`"),
    (generator, "s: a generator cannot be a service: it has no result"),
    (async_generator, "s: a generator cannot be a service: it has no result"),
]


@pytest.mark.parametrize(("function", "text"), REFUSED, ids=lambda item: getattr(item, "__name__", repr(item))[:40])
@pytest.mark.parametrize("side", ["provider", "consumer"])
def test_what_cannot_be_a_service_is_refused_when_it_is_bound(function: Any, text: str, side: Any) -> None:
    with pytest.raises(SignatureError) as caught:
        Signature.of(function, side=side, name="s")
    assert str(caught.value) == text
    assert isinstance(caught.value, TypeError)


def test_a_union_that_json_cannot_tell_apart_is_refused() -> None:
    with pytest.raises(SignatureError, match=r"^s: parameter a: Type unions may not contain more than one str-like"):
        Signature.of(ambiguous, side="provider", name="s")


def test_types_are_refused_too() -> None:
    with pytest.raises(SignatureError, match=r"^t: parameter 1: complex cannot be carried by JSON$"):
        Signature.from_types([int, complex], [], name="t")
    with pytest.raises(SignatureError, match=r"^t: result: complex cannot be carried by JSON$"):
        Signature.from_types([], [complex], name="t")


class Services:
    def method(self, a: int) -> int:
        return a

    @staticmethod
    def static(a: int) -> int:
        return a

    @classmethod
    def of_class(cls, a: int) -> int:
        return a

    def __call__(self, a: int) -> int:
        return a


def plain(a: int) -> int:
    return a


@functools.wraps(plain)
def wrapped(*args: Any, **kwargs: Any) -> Any:
    return plain(*args, **kwargs)


def two(a: int, b: int) -> int:
    return a + b


def with_option(a: int, *, verbose: bool = False) -> int:
    return a


def positional(a: int, /) -> int:
    return a


@pytest.mark.parametrize(
    "function",
    [
        plain,
        wrapped,
        Services().method,
        Services.static,
        Services.of_class,
        Services(),
        functools.partial(two, 1),
        with_option,
        positional,
        lambda a: a,
    ],
)
def test_whatever_can_be_called_with_fixed_arguments_can_be_a_service(function: Any) -> None:
    signature = Signature.of(function, side="provider", name="s")
    assert len(signature.params) == 1
    assert function(*signature.decode_args(b"[5]")) in (5, 6)
    assert signature.encode_results(5) == b"[5]"


def test_annotations_of_all_of_them_count() -> None:
    for function in (plain, wrapped, Services().method, Services(), Services.of_class, functools.partial(two, 1)):
        assert Signature.of(function, side="provider").params == (int,)
        assert Signature.of(function, side="provider").results == (int,)


def test_without_annotations_everything_is_any() -> None:
    signature = Signature.of(lambda a, b: a, side="consumer")
    assert signature.params == (Any, Any)
    assert signature.results == (Any,)


def test_keyword_only_parameters_with_defaults_are_left_alone() -> None:
    assert Signature.of(with_option, side="consumer").params == (int,)


class Prototype(Protocol):
    def add(self, a: int, b: int = 2) -> int: ...


def test_the_methods_of_a_protocol_lose_their_self() -> None:
    signature = Signature.of(Prototype.add, side="consumer", method=True)
    assert signature.params == (int, int)
    assert signature.encode_args((1,), {}) == b"[1,2]"
    with pytest.raises(SignatureError, match="needs a parameter self"):
        Signature.of(lambda: None, side="consumer", name="s", method=True)


def test_names_of_a_scope_can_be_given() -> None:
    class Local(msgspec.Struct):
        x: int

    def function(a: Local) -> None: ...

    with pytest.raises(SignatureError, match="'Local' is not defined"):
        Signature.of(function, side="provider")
    assert Signature.of(function, side="provider", localns=locals()).params == (Local,)


def test_coroutine_functions_are_marked() -> None:
    async def later(a: int) -> int:
        return a

    class Later:
        async def __call__(self, a: int) -> int:
            return a

    assert Signature.of(later, side="provider").is_async
    assert Signature.of(Later(), side="provider").is_async
    assert Signature.of(functools.partial(later, 1), side="provider").is_async
    assert not Signature.of(plain, side="provider").is_async
    assert asyncio.run(later(1)) == 1


def test_what_texts_call_it() -> None:
    assert repr(Signature.of(plain, side="provider")) == "<Signature of provider plain>"
    assert repr(Signature.of(plain, side="consumer", name="ns.plain")) == "<Signature of consumer ns.plain>"
    with pytest.raises(SignatureError, match=r"^by_name: parameter a: "):
        Signature.of(by_name, side="consumer")


def test_the_error_result_is_not_among_the_results() -> None:
    def function() -> tuple[int, Exception | None]:
        return 1, None

    signature = Signature.of(function, side="consumer")
    assert (signature.results, signature.returns_error) == ((int,), True)
    assert not Signature.of(plain, side="consumer").returns_error


def test_attributes_cannot_be_added() -> None:
    signature = Signature.of(plain, side="consumer")
    assert not hasattr(signature, "__dict__")
    assert isinstance(Signature.of, types.MethodType)
