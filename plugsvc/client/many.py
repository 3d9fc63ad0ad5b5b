"""`call_many`: many calls whose requests are sent together."""

from __future__ import annotations

import copy
from collections.abc import Callable, Coroutine, Iterable, Sequence
from types import EllipsisType
from typing import Any, Generic, ParamSpec, TypeVar, overload

from ..errors import CallTimeout, MisuseError, ServiceError
from ..wire import Reply
from .binding import Binding, Timeout, binding_of, raise_remote
from .core import Request
from .session import Session, check_timeout

__all__ = ["BoundCall", "call_many", "prepare"]

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class BoundCall(Generic[R_co]):
    """A call that is yet to be made: a stub and its arguments. May be used several times."""

    __slots__ = ("args", "binding", "kwargs", "stub")

    stub: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def __init__(self, stub: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.binding: Binding = binding_of(stub, "prepare")
        self.stub, self.args, self.kwargs = stub, args, kwargs

    def __repr__(self) -> str:
        return f"<call of {self.binding.namespace}.{self.binding.name}>"


@overload
def prepare(stub: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs) -> BoundCall[R]: ...


@overload
def prepare(stub: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> BoundCall[R]: ...


def prepare(stub: Callable[..., Any], /, *args: Any, **kwargs: Any) -> BoundCall[Any]:
    """Return a call of `stub` with these arguments, for `call_many`. Nothing is checked or sent before that.

    Raises `MisuseError` when `stub` is not a stub.
    """
    return BoundCall(stub, args, kwargs)


def call_many(calls: Iterable[BoundCall[R]], *, timeout: Timeout = ...) -> list[R | ServiceError]:
    """Make many calls at once and return for each its result, or the `ServiceError` with which it failed, in order.

    The requests are written together, and the host carries them out side by side, in any order. `timeout` is in
    seconds and for all of them together; by default it is the longest limit that one of their stubs has. Where no host
    started this process each call is made as by itself.

    Raises `MisuseError` for what are not bound calls of blocking stubs.
    """
    bound = check_bound(calls, "call_many")
    for call in bound:
        if call.binding.is_async:
            raise MisuseError(f"{call!r} is one of an async stub: await plugsvc.aio.call_many instead")
    if not bound:
        return []
    batch = BatchRequest(bound, timeout)
    if not batch.session.hosted():
        return [_by_itself(call) for call in bound]
    try:
        connection = batch.session.connection or batch.session.connect(batch.limit)
    except ServiceError as error:
        return batch.failed(error)
    return batch.outcomes(*connection.call_batch(batch.requests, batch.limit))


def check_bound(calls: Iterable[BoundCall[R]], wanted_by: str) -> list[BoundCall[R]]:
    """Return the calls as a list. Raises `MisuseError` when one is anything else."""
    bound = list(calls)
    for call in bound:
        if not isinstance(call, BoundCall):
            raise MisuseError(f"{wanted_by} needs calls as prepare makes them, got {call!r}")
    return bound


def _by_itself(call: BoundCall[R]) -> R | ServiceError:
    try:
        return call.stub(*call.args, **call.kwargs)  # type: ignore[no-any-return]
    except ServiceError as error:
        return error


class BatchRequest:
    """What is to be sent for a list of calls, and what becomes of the replies.

    `limit`: seconds for all of them, or None. `requests`: what to send, for those calls whose arguments fit.
    """

    session: Session

    def __init__(self, calls: Sequence[BoundCall[Any]], timeout: Timeout) -> None:
        self._calls = calls
        (self.session,) = {call.binding.session for call in calls}
        if isinstance(timeout, EllipsisType):
            limits = [call.binding.limit() for call in calls]
            self.limit = None if None in limits else max((each for each in limits if each is not None), default=None)
        else:
            check_timeout(timeout)
            self.limit = timeout
        self.requests: list[Request] = []
        self._refused: dict[int, ServiceError] = {}
        for index, call in enumerate(calls):
            try:
                self.requests.append((call.binding.prefix, call.binding.encode(call.args, call.kwargs)))
            except ServiceError as error:
                self._refused[index] = error

    def failed(self, error: ServiceError) -> list[Any]:
        """Return the outcomes where nothing could be sent."""
        return self.outcomes([None] * len(self.requests), error)

    def outcomes(self, replies: Sequence[Reply | None], error: ServiceError | None) -> list[Any]:
        """Return the outcome of each call; `error` is why some replies are missing."""
        outcomes: list[Any] = []
        rest = iter(replies)
        for index, call in enumerate(self._calls):
            refused = self._refused.get(index) if self._refused else None
            reply = next(rest) if refused is None else None
            binding = call.binding
            try:
                if reply is None:
                    raise refused or _missing(binding, error)
                if reply.error is not None:
                    raise_remote(reply)
                outcomes.append(binding.decode(reply.reply))
            except ServiceError as failure:
                signature = binding.signature
                if signature is not None and signature.returns_error:
                    outcomes.append(signature.failed(failure))
                else:
                    outcomes.append(failure)
        return outcomes


def _missing(binding: Binding, error: ServiceError | None) -> ServiceError:
    """Return the error of one of the calls whose replies are missing."""
    assert error is not None
    if isinstance(error, CallTimeout):
        return CallTimeout(f"{binding.namespace}.{binding.name}: {error}")
    found = copy.copy(error)
    found.__cause__ = error.__cause__
    return found
