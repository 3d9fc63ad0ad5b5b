"""A Python signature, made able to carry its arguments and results as JSON."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from ..errors import ArgumentError, ResultError, SignatureError

__all__ = ["Side", "Signature"]

Side = Literal["provider", "consumer"]


class Signature:
    """How one service's arguments and results become JSON, and back.

    Built once per service or stub by `of` or `from_types`; then it is immutable and safe to share between threads.

    `name`: what error texts call it. `side`: "provider" or "consumer". `is_async`: made from an `async def`.
    `returns_error`: its last result is annotated as an error: a provider may return it instead of raising, a consumer
    gets it returned instead of raised. `params`, `results`: the types, without that error.
    """

    name: str
    side: Side
    is_async: bool
    returns_error: bool
    params: tuple[Any, ...]
    results: tuple[Any, ...]

    def __init__(
        self,
        params: Sequence[Any],
        results: Sequence[Any],
        *,
        side: Side,
        name: str,
        returns_error: bool = False,
        is_async: bool = False,
        shape: inspect.Signature | None = None,
    ) -> None:
        self.params, self.results = tuple(params), tuple(results)
        self.side, self.name, self.returns_error, self.is_async = side, name, returns_error, is_async
        self._shape = shape
        self._args = msgspec.json.Decoder(tuple[self.params] if params else tuple[()])
        self._res = msgspec.json.Decoder(tuple[self.results] if results else tuple[()])
        self._enc = msgspec.json.Encoder()

    @classmethod
    def of(cls, function: Callable[..., Any], *, side: Side, name: str = "") -> Signature:
        """Return the signature of `function`. Raises `SignatureError` when it cannot be a service."""
        if not callable(function):
            raise SignatureError(f"expected a function, got {function!r}")
        shape = inspect.signature(function)
        hints = get_type_hints(function, include_extras=True)
        params = [hints.get(p, Any) for p in shape.parameters]
        returned = hints.get("return", Any)
        if returned in (None, type(None)):
            results: list[Any] = []
        elif get_origin(returned) is tuple and Ellipsis not in get_args(returned):
            results = list(get_args(returned))
        else:
            results = [returned]
        return cls(params, results, side=side, name=name, shape=shape,
                   is_async=inspect.iscoroutinefunction(function))  # fmt: skip

    @classmethod
    def from_types(
        cls,
        params: Sequence[Any],
        results: Sequence[Any],
        *,
        side: Side = "consumer",
        name: str = "",
        returns_error: bool = False,
    ) -> Signature:
        """Return a signature of these types, without a function. Raises `SignatureError`."""
        return cls(params, results, side=side, name=name, returns_error=returns_error)

    def encode_args(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        """Return the arguments of a call as a JSON array. Raises `ArgumentError`."""
        if kwargs and self._shape is not None:
            args = self._shape.bind(*args, **kwargs).args
        try:
            return self._enc.encode(args)
        except (TypeError, ValueError, RecursionError) as error:
            raise ArgumentError(str(error))

    def decode_args(self, raw: bytes | msgspec.Raw | None) -> tuple[Any, ...]:
        """Return the arguments in a JSON array, one per parameter. Raises `ArgumentError`."""
        try:
            return self._args.decode(raw or b"")  # type: ignore[no-any-return]
        except (msgspec.MsgspecError, RecursionError) as error:
            raise ArgumentError(str(error))

    def encode_results(self, value: Any) -> bytes:
        """Return what a provider returned as a JSON array of results. Raises `ResultError`.

        With `returns_error`, a returned exception is raised as it is.
        """
        try:
            if not self.results:
                return b"[]"
            return self._enc.encode(value if len(self.results) > 1 else [value])
        except (TypeError, ValueError, RecursionError) as error:
            raise ResultError(str(error))

    def decode_results(self, raw: bytes | msgspec.Raw | None) -> Any:
        """Return the results in a JSON array as the function would return them. Raises `ResultError`."""
        try:
            results = self._res.decode(raw or b"")
        except (msgspec.MsgspecError, RecursionError) as error:
            raise ResultError(str(error))
        return results[0] if len(results) == 1 else results or None
