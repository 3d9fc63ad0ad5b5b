"""What a stub is made of: the names of its service, the signature, and how its arguments and results travel."""

from __future__ import annotations

from collections.abc import Callable
from types import EllipsisType
from typing import Any

import msgspec

from ..errors import MisuseError, RemoteError, ResultError
from ..marshal import Signature
from ..wire import CALL, REQUEST_KINDS, Reply, request_prefix
from .session import Session, check_timeout

__all__ = ["Binding", "Timeout", "answer_of", "binding_of", "check_name", "raise_remote"]

Timeout = float | EllipsisType | None
"""Seconds, None for no limit, or `...` for the default."""


def check_name(what: str, value: object) -> None:
    """Raise `MisuseError` unless `value`, the name of a `what`, is a string."""
    if not isinstance(value, str):
        raise MisuseError(f"the name of a {what} is a string, got {value!r}")


def raise_remote(reply: Reply) -> None:
    """Raise the error that a reply carries, if any."""
    if reply.error is not None:
        raise RemoteError(reply.error, None if reply.reply is None else bytes(reply.reply))


def answer_of(type: str, reply: Reply) -> Any:
    """Return what a reply answers to a request of that type. Raises the error that it carries, if any."""
    raise_remote(reply)
    return getattr(reply, REQUEST_KINDS[type].answer)


class Binding:
    """What a stub was made of, kept on it for `limit` and others, and what it does with it.

    `encode` makes the arguments of a call JSON, `decode` its results a value.
    """

    __slots__ = (
        "decode", "encode", "fallback", "is_async", "name", "namespace", "prefix", "prototype", "session",
        "signature", "timeout",
    )  # fmt: skip

    is_async: bool
    timeout: Any
    session: Session
    namespace: str
    name: str
    signature: Signature | None
    prototype: Callable[..., Any] | None
    fallback: Callable[..., Any] | None
    prefix: bytes

    def __init__(
        self,
        session: Session,
        namespace: str,
        name: str,
        signature: Signature | None,
        prototype: Callable[..., Any] | None,
        fallback: Callable[..., Any] | None,
        is_async: bool,
        timeout: Timeout,
    ) -> None:
        if not isinstance(timeout, EllipsisType):
            check_timeout(timeout)
        self.is_async, self.timeout = is_async, timeout
        self.session, self.namespace, self.name = session, namespace, name
        self.signature, self.prototype, self.fallback = signature, prototype, fallback
        self.prefix = request_prefix(CALL, namespace, name)
        self.encode: Callable[[tuple[Any, ...], dict[str, Any]], bytes] = (
            _encode_untyped if signature is None else signature.encode_args
        )
        self.decode: Callable[[bytes | msgspec.Raw | None], Any] = (
            _decode_untyped if signature is None else signature.decode_results
        )

    def limited(self, timeout: Timeout) -> Binding:
        """Return the same with another time limit. Raises `MisuseError` for one that is none."""
        return Binding(
            self.session,
            self.namespace,
            self.name,
            self.signature,
            self.prototype,
            self.fallback,
            self.is_async,
            timeout,
        )

    def limit(self) -> float | None:
        """The time limit of a call that begins now, in seconds."""
        return self.session.default_timeout if isinstance(self.timeout, EllipsisType) else self.timeout


def binding_of(stub: object, wanted_by: str) -> Binding:
    """Return what a stub was made of. Raises `MisuseError` when it is none."""
    binding = getattr(stub, "__plugsvc__", None)
    if not isinstance(binding, Binding):
        raise MisuseError(f"{wanted_by} needs a stub as get_service makes them, got {stub!r}")
    return binding


def _encode_untyped(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    if kwargs:
        raise MisuseError("a service without a prototype takes no keyword arguments")
    return _untyped.encode_args((list(args),), {})[1:-1]


def _decode_untyped(raw: bytes | msgspec.Raw | None) -> Any:
    if raw is None:
        raise ResultError("the reply has no results")
    results = _untyped.decode_results(b"[%b]" % bytes(raw))
    if not isinstance(results, list):
        raise ResultError(f"expected an array of results, got {type(results).__name__}")
    if len(results) < 2:
        return results[0] if results else None
    return tuple(results)


_untyped = Signature.from_types([Any], [Any], side="consumer", name="a service without a prototype")
