"""Stubs: their arguments and results, errors, fallbacks, whole namespaces."""

from __future__ import annotations

import inspect
import json
from typing import Any, Protocol

import pytest

import plugsvc
from plugsvc.client.stubs import has_body
from plugsvc.errors import (
    ArgumentError,
    MisuseError,
    NotHosted,
    RemoteError,
    ResultError,
    ServiceError,
    SignatureError,
)

from .hosts import PipeHost, Request


def answering(host: PipeHost, *bodies: bytes) -> list[Request]:
    """Let the host answer with these, one after the other, the last again and again; return what it gets."""
    seen: list[Request] = []

    def answer(request: Request) -> list[bytes]:
        body = bodies[min(len(seen), len(bodies) - 1)]
        seen.append(request)
        return [b'{"sequence":%d,%b}' % (request["sequence"], body)]

    host.serve(answer)
    return seen


def add(a: int, b: int = 3) -> int:
    """Add them."""
    raise AssertionError("a prototype is never called")


# What goes over


def test_call_form(adopted: PipeHost) -> None:
    seen = answering(adopted, b'"reply":[5]')
    stub = plugsvc.get_service("ns", "plus", add)
    assert stub(1, 4) == 5
    assert stub(1) == 5
    assert stub(b=2, a=1) == 5
    assert [request["args"] for request in seen] == [[1, 4], [1, 3], [1, 2]]
    assert {(request["namespace"], request["name"], request["type"]) for request in seen} == {("ns", "plus", "call")}
    assert stub.__name__ == "add"
    assert stub.__doc__ == "Add them."
    assert inspect.signature(stub) == inspect.signature(add)


def test_decorator_form(adopted: PipeHost) -> None:
    seen = answering(adopted, b'"reply":[5]')

    @plugsvc.service("ns")
    def plus(a: int) -> int: ...  # type: ignore[empty-body]

    @plugsvc.service("ns", "other name", timeout=5)
    def plus_too(a: int) -> int: ...  # type: ignore[empty-body]

    assert plus(1) == 5
    assert plus_too(1) == 5
    assert [request["name"] for request in seen] == ["plus", "other name"]


def test_results(adopted: PipeHost) -> None:
    answering(
        adopted,
        b'"reply":[]',
        b'"reply":[1,"a"]',
        b'"reply":[[1,2]]',
        b'"reply":[]',
        b'"reply":[null]',
        b'"reply":[1,2]',
        b'"reply":[12345678901234567890]',
    )

    def nothing() -> None: ...

    def pair() -> tuple[int, str]:
        raise AssertionError

    def several() -> list[int]:
        raise AssertionError

    assert plugsvc.get_service("n", "s", nothing)() is None
    assert plugsvc.get_service("n", "s", pair)() == (1, "a")
    assert plugsvc.get_service("n", "s", several)() == [1, 2]
    untyped = plugsvc.get_service("n", "s")
    assert [untyped() for _ in range(4)] == [None, None, (1, 2), 12345678901234567890]


@pytest.mark.parametrize(
    "body", [b'"reply":[]', b'"reply":[1,2]', b'"reply":["1"]', b'"reply":{}', b'"reply":null', b'"ok":true']
)
def test_results_that_do_not_fit(adopted: PipeHost, body: bytes) -> None:
    answering(adopted, body, b'"reply":[4]')
    stub = plugsvc.get_service("n", "s", add)
    with pytest.raises(ResultError):
        stub(1, 2)
    assert stub(1, 2) == 4


@pytest.mark.parametrize("body", [b'"reply":{"a":1}', b'"reply":1', b'"reply":null', b'"ok":true'])
def test_untyped_results_that_are_none(adopted: PipeHost, body: bytes) -> None:
    answering(adopted, body, b'"reply":[4]')
    stub = plugsvc.get_service("n", "s")
    with pytest.raises(ResultError):
        stub()
    assert stub() == 4


def test_arguments_that_do_not_fit_are_not_sent(adopted: PipeHost) -> None:
    seen = answering(adopted, b'"reply":[4]')
    stub: Any = plugsvc.get_service("n", "s", add)
    untyped = plugsvc.get_service("n", "s")
    for wrong in ((), (1, 2, 3), ("1",), (2**63,), (float("nan"),)):
        with pytest.raises(ArgumentError):
            stub(*wrong)
    with pytest.raises(ArgumentError):
        stub(1, c=2)
    with pytest.raises(ArgumentError):
        untyped(float("inf"))
    with pytest.raises(ArgumentError):
        untyped(object())
    with pytest.raises(MisuseError, match=r"^a service without a prototype takes no keyword arguments$"):
        untyped(a=1)
    assert stub(1) == 4
    assert len(seen) == 1


def test_untyped_arguments(adopted: PipeHost) -> None:
    seen = answering(adopted, b'"reply":[]')
    plugsvc.get_service("n", "s")(1, "ä", None, [1.5], {"a": b"\xff"})
    assert seen[0]["args"] == [1, "ä", None, [1.5], {"a": "/w=="}]


# Errors


def test_remote_errors(adopted: PipeHost) -> None:
    answering(adopted, b'"error":"boom"', b'"error":""', b'"reply":["partial"],"error":"late"')
    stub = plugsvc.get_service("n", "s", add)
    for text, results in (("boom", None), ("", None), ("late", b'["partial"]')):
        with pytest.raises(RemoteError) as caught:
            stub(1, 2)
        assert str(caught.value) == text
        assert caught.value.results == results


def test_errors_as_last_result(adopted: PipeHost) -> None:
    answering(adopted, b'"reply":[5]', b'"error":"boom"', b'"reply":["5"]', b'"reply":[]', b'"error":"boom"')

    def plus(a: int) -> tuple[int, Exception | None]:
        raise AssertionError

    def check() -> Exception | None: ...

    stub: Any = plugsvc.get_service("n", "s", plus)
    assert stub(1) == (5, None)
    value, error = stub(1)
    assert value is None
    assert isinstance(error, RemoteError)
    assert str(error) == "boom"
    assert isinstance(stub(1)[1], ResultError)
    assert isinstance(stub("x")[1], ArgumentError)
    checked = plugsvc.get_service("n", "s", check)
    assert checked() is None
    assert isinstance(checked(), RemoteError)


def test_errors_as_last_result_unhosted() -> None:
    def check() -> Exception | None: ...

    assert isinstance(plugsvc.get_service("n", "s", check)(), NotHosted)


# Misuse


@pytest.mark.parametrize("prototype", [None, 3, "x", object()])
def test_not_a_function(prototype: Any) -> None:
    with pytest.raises(SignatureError):
        plugsvc.get_service("n", "s", prototype)


def test_prototypes_that_cannot_work() -> None:
    def star(*args: int) -> None: ...

    def carried(a: complex) -> None: ...

    def error(a: Exception) -> None: ...

    async def waiting(a: complex) -> None: ...

    for prototype in (star, carried, error, waiting):
        with pytest.raises(SignatureError):
            plugsvc.get_service("n", "s", prototype)
        with pytest.raises(SignatureError):
            plugsvc.service("n", "s")(prototype)


def test_fallbacks_that_cannot_work() -> None:
    async def later(a: int, b: int = 3) -> int:
        return a

    wrong: Any = 42
    with pytest.raises(SignatureError, match=r"^n\.s: expected a function as fallback, got 42$"):
        plugsvc.get_service("n", "s", add, fallback=wrong)
    wrong = later
    with pytest.raises(SignatureError, match=r"^n\.s: an async def cannot be the fallback of a stub, which is no cor"):
        plugsvc.get_service("n", "s", add, fallback=wrong)


@pytest.mark.parametrize(("namespace", "name", "what"), [(None, "s", "namespace"), ("n", None, "service")])
def test_names_are_strings(namespace: Any, name: Any, what: str) -> None:
    for function in (
        lambda: plugsvc.get_service(namespace, name),
        lambda: plugsvc.get_service(namespace, name, add),
    ):
        with pytest.raises(MisuseError, match=f"^the name of a {what} is a string, got None$"):
            function()


def test_limit_needs_a_stub() -> None:
    with pytest.raises(MisuseError, match=r"^limit needs a stub as get_service makes them, got "):
        plugsvc.limit(add, timeout=1)


# Unhosted


def test_fallback_of_the_call_form(host: PipeHost) -> None:
    stub = plugsvc.get_service("n", "s", add, fallback=lambda a, b=0: a - b)
    assert stub(5, 2) == 3
    assert stub(5, b=1) == 4
    plugsvc.client.default_session.adopt(host.duplex)
    answering(host, b'"reply":[7]')
    assert stub(5, 2) == 7, "a fallback is for as long as nobody hosts, not for ever"


def test_fallback_as_prototype(host: PipeHost) -> None:
    stub = plugsvc.get_service("n", "s", fallback=lambda *, a=1: a)  # type: ignore[call-overload]
    assert stub() == 1


def test_body_as_fallback() -> None:
    @plugsvc.service("n")
    def double(a: int) -> int:
        return 2 * a

    @plugsvc.service("n", fallback=False)
    def strict(a: int) -> int:
        return 2 * a

    @plugsvc.service("n")
    def empty(a: int) -> int: ...  # type: ignore[empty-body]

    @plugsvc.service("n")
    def documented(a: int) -> None:
        """Say something."""

    @plugsvc.service("n", fallback=True)
    def quiet(a: int) -> None: ...

    assert double(4) == 8
    assert double(a=5) == 10
    quiet(1)
    for stub in (strict, empty, documented):
        with pytest.raises(NotHosted):
            stub(1)


def test_has_body() -> None:
    def nothing(a: int) -> None: ...

    def passes() -> None:
        pass

    def documented(a: int, b: int = 2) -> None:
        """Say something."""

    def something() -> int:
        return 1

    def documented_something() -> str:
        """Say something."""
        return "x"

    def calls() -> None:
        print()

    def unwritten(a: int) -> int:
        raise NotImplementedError

    def documented_unwritten() -> str:
        """Say something."""
        raise NotImplementedError

    def raises() -> int:
        raise NotADirectoryError

    def says_why() -> int:
        raise NotImplementedError("not on this system")

    without = (nothing, passes, documented, unwritten, documented_unwritten)
    assert [has_body(f) for f in without] == [False] * len(without)
    assert all(has_body(f) for f in (something, documented_something, calls, len, raises, says_why))
    assert not has_body(lambda: None)
    assert not has_body(None)  # type: ignore[arg-type]


# Whole namespaces


class Base(Protocol):
    def where(self) -> str: ...


class Calculator(Base, Protocol):
    def plus(self, a: int, b: int = 2) -> int: ...

    def times(self, a: int, b: int) -> int:
        return a * b

    @staticmethod
    def negative(a: int) -> int: ...

    def _private(self) -> object: ...


def test_namespace(adopted: PipeHost) -> None:
    seen = answering(adopted, b'"reply":["here"]', b'"reply":[5]')
    calculator = plugsvc.namespace_stub(Calculator, "calc", names={"plus": "add"})  # type: ignore[type-abstract]
    assert calculator.where() == "here"
    assert calculator.plus(1) == 5
    assert calculator.plus(b=1, a=2) == 5
    assert calculator.times(2, 3) == 5
    assert calculator.negative(1) == 5
    assert [(request["namespace"], request["name"], request["args"]) for request in seen] == [
        ("calc", "where", []),
        ("calc", "add", [1, 2]),
        ("calc", "add", [2, 1]),
        ("calc", "times", [2, 3]),
        ("calc", "negative", [1]),
    ]
    assert not hasattr(calculator, "_private")
    assert repr(calculator) == "<services of 'calc' as Calculator>"


def test_namespace_unhosted() -> None:
    calculator = plugsvc.namespace_stub(Calculator, "calc")  # type: ignore[type-abstract]
    assert calculator.times(2, 3) == 6
    with pytest.raises(NotHosted):
        calculator.plus(1)


def test_namespaces_that_cannot_work() -> None:
    class Attribute(Protocol):
        size: int

    class Property(Protocol):
        @property
        def size(self) -> int: ...

    class Constant:
        size = 3

    for protocol in (Attribute, Property, Constant):
        with pytest.raises(SignatureError, match=r"\.size is not a method, so it cannot be a service$"):
            plugsvc.namespace_stub(protocol, "n")  # type: ignore[type-abstract]
    with pytest.raises(SignatureError, match=r"^expected a class with a method for each service, got 3$"):
        plugsvc.namespace_stub(3, "n")  # type: ignore[arg-type]
    with pytest.raises(MisuseError, match=r"^Calculator has no method 'minus' to give another name$"):
        plugsvc.namespace_stub(Calculator, "n", names={"minus": "sub"})  # type: ignore[type-abstract]


def test_a_failed_call_is_a_service_error() -> None:
    with pytest.raises(ServiceError):
        plugsvc.get_service("n", "s", add)(1)
    assert json.dumps(plugsvc.__version__)
