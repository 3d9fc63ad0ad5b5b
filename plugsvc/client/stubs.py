"""Stubs: functions that look like a prototype and call a service of the host."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import FunctionType, MethodType
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, cast

from ..errors import CallTimeout, MisuseError, ServiceError, SignatureError
from ..imports import importing
from ..marshal import Signature
from .binding import Binding, Timeout, binding_of, check_name, raise_remote
from .session import Session

__all__ = [
    "call_untyped",
    "has_body",
    "limit",
    "make_namespace",
    "make_stub",
]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def make_stub(
    session: Session,
    namespace: str,
    name: str,
    prototype: Callable[P, R],
    fallback: Callable[P, R] | None,
    timeout: Timeout,
    is_async: bool | None = None,
) -> Callable[P, R]:
    """Return a stub with the signature of `prototype`.

    `is_async`: whether it is to be awaited; by default as the prototype is. Raises `SignatureError` and
    `MisuseError`.
    """
    check_name("namespace", namespace)
    check_name("service", name)
    signature = Signature.of(prototype, side="consumer", name=f"{namespace}.{name}")
    if is_async is None:
        is_async = signature.is_async
    if fallback is not None:
        _check_fallback(fallback, signature.name, is_async)
    binding = Binding(session, namespace, name, signature, prototype, fallback, is_async, timeout)
    return cast("Callable[P, R]", _bind(binding))


def _check_fallback(fallback: object, name: str, is_async: bool) -> None:
    with importing():
        from inspect import iscoroutinefunction

    if not callable(fallback):
        raise SignatureError(f"{name}: expected a function as fallback, got {fallback!r}")
    if not is_async and iscoroutinefunction(fallback):
        raise SignatureError(f"{name}: an async def cannot be the fallback of a stub, which is no coroutine")


def call_untyped(
    session: Session, namespace: str, name: str, timeout: Timeout, is_async: bool = False
) -> Callable[..., Any]:
    """Return a stub without a signature:

    any arguments; no result is None, one is itself, more are a tuple.
    """
    check_name("namespace", namespace)
    check_name("service", name)
    return _bind(Binding(session, namespace, name, None, None, None, is_async, timeout))


def limit(stub: Callable[P, R], *, timeout: float | None) -> Callable[P, R]:
    """Return the same stub with a time limit of its own: `timeout` in seconds, or None for none.

    `limit(stub, timeout=2.5)(…)` limits one call. Raises `MisuseError` when `stub` is not a stub, or `timeout` is not
    positive.
    """
    return cast("Callable[P, R]", _bind(binding_of(stub, "limit").limited(timeout)))


def _bind(binding: Binding) -> Callable[..., Any]:
    if binding.is_async:
        with importing():
            from .coroutines import make_coroutine_function

        return _named(make_coroutine_function(binding), binding)
    session, signature, fallback, timeout = binding.session, binding.signature, binding.fallback, binding.timeout
    prefix, encode, decode = binding.prefix, binding.encode, binding.decode

    def stub(*args: Any, **kwargs: Any) -> Any:
        connection = session.connection
        limit = session.default_timeout if timeout is ... else timeout
        if connection is None:
            if fallback is not None and not session.hosted():
                return fallback(*args, **kwargs)
            connection = session.connect(limit)
        try:
            reply = connection.call_raw(prefix, encode(args, kwargs), limit)
        except CallTimeout as error:
            raise CallTimeout(f"{binding.namespace}.{binding.name}: {error}") from None
        if reply.error is not None:
            raise_remote(reply)
        return decode(reply.reply)

    return _named(
        _returning_errors(stub, signature) if signature is not None and signature.returns_error else stub, binding
    )


def _named(made: Callable[..., Any], binding: Binding) -> Callable[..., Any]:
    """Make a stub look like its prototype."""
    if binding.prototype is None:
        made.__name__ = made.__qualname__ = f"{binding.namespace}.{binding.name}"
    else:
        functools.update_wrapper(made, binding.prototype)
    made.__plugsvc__ = binding  # type: ignore[attr-defined]
    return made


def _returning_errors(stub: Callable[..., Any], signature: Signature) -> Callable[..., Any]:
    """Return a stub that returns its `ServiceError` as the last result, instead of raising it."""

    def returning(*args: Any, **kwargs: Any) -> Any:
        try:
            return stub(*args, **kwargs)
        except ServiceError as error:
            return signature.failed(error)

    return returning


def _essence(function: Any) -> tuple[bytes, tuple[object, ...], tuple[str, ...]]:
    """Return what a function does:

    its code, its constants without the docstring, which is the first of them, and the names that it uses.
    """
    code = function.__code__
    constants: tuple[object, ...] = code.co_consts
    if function.__doc__ is not None and constants[0] == function.__doc__:
        constants = constants[1:]
    return code.co_code, constants, code.co_names


def _nothing() -> None: ...


def _documented_nothing() -> None:
    """Do nothing."""


def _not_implemented() -> None:
    raise NotImplementedError


def _documented_not_implemented() -> None:
    """Do nothing."""
    raise NotImplementedError


async def _async_nothing() -> None: ...


async def _async_documented_nothing() -> None:
    """Do nothing."""


async def _async_not_implemented() -> None:
    raise NotImplementedError


async def _async_documented_not_implemented() -> None:
    """Do nothing."""
    raise NotImplementedError


_NOTHING = {
    _essence(each)
    for each in (
        _nothing, _documented_nothing, _not_implemented, _documented_not_implemented, _async_nothing,
        _async_documented_nothing, _async_not_implemented, _async_documented_not_implemented,
    )
}  # fmt: skip


def has_body(function: Callable[..., Any]) -> bool:
    """Whether a function does anything.

    It does not where its body is `...`, `pass`, only a docstring, or `raise NotImplementedError`, which is what
    type checkers take for a body of whatever result.
    """
    if isinstance(function, MethodType):
        function = function.__func__
    if isinstance(function, FunctionType):
        return _essence(function) not in _NOTHING
    return callable(function)


class _Namespace(Generic[T]):
    """The object that `make_namespace` fills with stubs."""

    def __init__(self, protocol: type[T], namespace: str) -> None:
        self.__protocol = protocol
        self.__namespace = namespace

    def __repr__(self) -> str:
        return f"<services of {self.__namespace!r} as {self.__protocol.__qualname__}>"


def make_namespace(
    session: Session, protocol: type[T], namespace: str, names: Mapping[str, str], timeout: Timeout
) -> T:
    """Return an object with a stub for each public method of the class `protocol`, as if it were an instance of it.

    Raises `SignatureError` for what is not a method, and as `make_stub`.
    """
    check_name("namespace", namespace)
    if not isinstance(protocol, type):
        raise SignatureError(f"expected a class with a method for each service, got {protocol!r}")
    with importing():
        from inspect import get_annotations  # slow to import, and seldom needed

    made = _Namespace(protocol, namespace)
    members: dict[str, object] = {}
    for base in reversed(protocol.__mro__):
        if base in (object, Protocol, Generic):
            continue
        members.update(dict.fromkeys(get_annotations(base)))
        members.update(base.__dict__)
    public = {name: value for name, value in members.items() if not name.startswith("_")}
    for unknown in sorted(set(names) - set(public)):
        raise MisuseError(f"{protocol.__qualname__} has no method {unknown!r} to give another name")
    for attribute, member in public.items():
        if isinstance(member, staticmethod):
            prototype: Callable[..., Any] = member.__func__
        elif isinstance(member, FunctionType):
            prototype = MethodType(member, made)
        else:
            raise SignatureError(f"{protocol.__qualname__}.{attribute} is not a method, so it cannot be a service")
        fallback = prototype if has_body(prototype) else None
        stub = make_stub(session, namespace, names.get(attribute, attribute), prototype, fallback, timeout)
        setattr(made, attribute, stub)
    return cast("T", made)
