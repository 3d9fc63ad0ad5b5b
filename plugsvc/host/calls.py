"""One call: from the arguments in a request to the bytes of its reply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from msgspec import Raw, Struct

from ..errors import ServiceError
from ..wire import Message, encode_reply, reply_message, service_panic
from .dispatch import Pace

__all__ = ["Call", "Service", "answer", "answer_refused", "decode", "failed", "succeeded"]


_PLAIN = frozenset({type(None), bool, int, float, str, bytes, list, tuple, dict})
"""Types of what most services return, to tell quickly that nothing has to be awaited."""


class Codec(Protocol):
    """What a service needs of a `Signature`."""

    @property
    def returns_error(self) -> bool:
        """Whether the last result is an error or None."""

    def decode_args(self, raw: bytes | Raw | None) -> Sequence[Any]:
        """Return the arguments in a JSON array. Raises `ArgumentError`."""

    def encode_results(self, value: Any) -> bytes:
        """Return what the function returned as a JSON array. Raises `ResultError`."""

    def encode_outcome(self, value: Any) -> tuple[bytes | None, BaseException | None]:
        """Return the results as far as there are any, and the error among them. Raises `ResultError`."""


class Service:
    """A function with its signature, and its pace.

    `is_async`: the function is to be called in an event loop. What it returns is awaited there if it is awaitable.
    """

    __slots__ = ("function", "is_async", "label", "pace", "signature")

    label: str
    function: Callable[..., Any]
    signature: Codec
    is_async: bool
    max_args: int | None
    pace: Pace

    def __init__(self, label: str, function: Callable[..., Any], signature: Codec, *, is_async: bool = False) -> None:
        self.label = label
        self.function = function
        self.signature = signature
        self.is_async = is_async
        self.pace = Pace()


class Call(Struct, gc=False):
    """One call of a service, from its request until its reply.

    `args`: the JSON of the arguments, None when they were absent. `weight`: bytes that it counts for in `max_memory`,
    and does count for while it is `charged`. `awaitable`: what a plain function returned for an event loop to await.
    """

    service: Any
    sequence: int
    args: Any
    weight: int = 0
    charged: bool = False
    awaitable: Any = None


def decode(call: Call) -> Sequence[Any]:
    """Return the arguments of a call, whose JSON is given up. Raises `ArgumentError`."""
    args = call.args
    call.args = None
    arguments: Sequence[Any] = call.service.signature.decode_args(args)
    return arguments


def answer(call: Call) -> Message | None:
    """Carry out a call and return its reply, or None where `call.awaitable` has to be awaited first.

    Nothing that the service does makes this raise.
    """
    service = call.service
    try:
        value = service.function(*decode(call))
        # Whatever the function looks like: a plain wrapper around an `async def` returns a coroutine.
        if type(value) not in _PLAIN and hasattr(type(value), "__await__"):
            call.awaitable = value
            return None
    except BaseException as error:
        return failed(call.sequence, error)
    return succeeded(call, value)


def answer_refused(sequence: int, values: int, most: int) -> bytes:
    """Return the reply to a call whose arguments have too many values."""
    return encode_reply(sequence, error=f"the arguments have {values} values, more than the {most} that are allowed")


def failed(sequence: int, error: BaseException) -> bytes:
    """Return the reply where a service has raised something, or the arguments did not fit."""
    if isinstance(error, ServiceError):
        return encode_reply(sequence, error=text_of(error))
    # Also SystemExit and KeyboardInterrupt: a service does not decide whether its host goes on. A real Ctrl-C
    # goes to the main thread, and no service runs there.
    return encode_reply(sequence, error=service_panic(panic_text(error)))


def succeeded(call: Call, value: Any) -> Message:
    """Return the reply where a service has returned something, which may not fit."""
    signature = call.service.signature
    try:
        if signature.returns_error:
            results, failure = signature.encode_outcome(value)
            # An error may come with what was done before it; then both are sent, and the error decides.
            return encode_reply(call.sequence, reply=results, error=None if failure is None else text_of(failure))
        return reply_message(call.sequence, signature.encode_results(value))
    except BaseException as error:
        # ResultError, or whatever the code of a result's own class raised.
        return encode_reply(call.sequence, error=text_of(error))


def text_of(error: BaseException) -> str:
    """Return `str(error)`, or a stand-in where that fails."""
    try:
        return str(error)
    except BaseException as failure:
        return f"{type(error).__name__} whose text cannot be had ({type(failure).__name__})"


def panic_text(error: BaseException) -> str:
    """Return what an uncaught exception says, its type's name where it says nothing."""
    text = text_of(error)
    if not text:
        return type(error).__name__
    return text if isinstance(error, Exception) else f"{type(error).__name__}: {text}"
