"""One call: from the arguments in a request to the bytes of its reply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from msgspec import Raw

from ..errors import ServiceError
from ..wire import Request, encode_reply, join_reply

__all__ = ["Service", "answer", "failed", "succeeded"]

QUICK_SECONDS = 0.001
FIRST_PENALTY = 4
LARGEST_PENALTY = 4096


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
    """A function with its signature, and what is known about how quick it is.

    A service is taken for quick until it is seen to be slow. Then it has to be quick many times in a row
    before it is taken for quick again, twice as many each time it disappoints. The counters are changed
    without a lock: a lost update costs a thread hand-over, nothing else.

    `is_async`: the function is to be awaited; such a service is never quick, and `tasks` has its calls.
    """

    __slots__ = ("_good", "_penalty", "function", "is_async", "label", "quick", "signature")

    def __init__(self, label: str, function: Callable[..., Any], signature: Codec, *, is_async: bool = False) -> None:
        self.label = label
        self.function = function
        self.signature = signature
        self.is_async = is_async
        self.quick = not is_async
        self._good = 0
        self._penalty = FIRST_PENALTY

    def note(self, seconds: float) -> None:
        """Take note of how long a call took."""
        if seconds > QUICK_SECONDS:
            self.quick = False
            self._good = 0
        elif not self.quick:
            self._good += 1
            if self._good >= self._penalty:
                self.quick = True

    def disappoint(self) -> None:
        """Take note that a call which was expected to be quick held up others."""
        self.quick = False
        self._good = 0
        self._penalty = min(self._penalty * 2, LARGEST_PENALTY)


def answer(service: Service, request: Request) -> bytes:
    """Carry out a call and return its reply. Nothing that the service does makes this raise."""
    signature = service.signature
    try:
        args = signature.decode_args(request.args)
        value = service.function(*args)
    except BaseException as error:
        return failed(request, error)
    return succeeded(signature, request, value)


def failed(request: Request, error: BaseException) -> bytes:
    """Return the reply where a service has raised something, or the arguments did not fit."""
    if isinstance(error, ServiceError):
        return encode_reply(request.sequence, error=text_of(error))
    # Also SystemExit and KeyboardInterrupt: a service has no say in whether its host goes on. A real Ctrl-C
    # goes to the main thread, and no service runs there.
    return encode_reply(request.sequence, error=f"panic in service: {panic_text(error)}")


def succeeded(signature: Codec, request: Request, value: Any) -> bytes:
    """Return the reply where a service has returned something, which may not fit."""
    try:
        if signature.returns_error:
            results, failure = signature.encode_outcome(value)
            # An error may come with what was done before it; then both are sent, and the error decides.
            return encode_reply(request.sequence, reply=results, error=None if failure is None else text_of(failure))
        return join_reply(request.sequence, signature.encode_results(value))
    except BaseException as error:
        # ResultError, or whatever the code of a result's own class raised while it was looked at.
        return encode_reply(request.sequence, error=text_of(error))


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
