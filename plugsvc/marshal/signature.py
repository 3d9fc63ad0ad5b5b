"""A Python signature, made able to carry its arguments and results as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Raw, inspect

from ..errors import ArgumentError, ResultError, SignatureError
from .checks import full
from .decode import ArrayDecoder
from .encode import parts, quick_json, to_json
from .inspection import Parameter, inspected, is_error, mentions_error, returned
from .mismatch import TOO_DEEP, Mismatch
from .quickcheck import QuickCheck, quick_check
from .stack import check_depth_of_values
from .typeinfo import Unsupported, bounded, describe, may_be_deep, reaches

__all__ = ["Side", "Signature"]

Side = Literal["provider", "consumer"]
_Typed = tuple[Any, inspect.Type]
"""An annotation, and msgspec's information on it."""


class Signature:
    """How one service's arguments and results become JSON, and back.

    Built once per service or stub, by `of` or `from_types`; then it does not change, and threads can share it.

    `name`: what texts call it. `side`: "provider" or "consumer". `is_async`: made from an `async def`.
    `params`, `results`: the types, without an error as last result.
    `returns_error`: the last result is annotated as an error (`Exception | None`): a provider may return it instead of
    raising it, a consumer gets it returned instead of raised.

    - A provider's parameters with defaults may be left out of the arguments, from the end; a consumer sends its own
      defaults.
    - `-> None` is no result, `-> tuple[A, B]` are two, everything else is one; without annotation one of type Any.
    - Keyword-only parameters with defaults are no part of the service.
    """

    __slots__ = (
        "_arg_types",
        "_args",
        "_as_tuple",
        "_deep_args",
        "_deep_results",
        "_is_single",
        "_parameters",
        "_quick_args",
        "_quick_results",
        "_required",
        "_result_types",
        "_results",
        "is_async",
        "name",
        "params",
        "results",
        "returns_error",
        "side",
    )

    name: str
    is_async: bool
    returns_error: bool
    params: tuple[Any, ...]
    results: tuple[Any, ...]

    _args: ArrayDecoder
    _deep_args: bool
    _deep_results: bool
    _quick_args: QuickCheck
    _quick_results: QuickCheck
    _results: ArrayDecoder

    def __init__(
        self,
        parameters: Sequence[Parameter],
        results: Sequence[Any],
        *,
        side: Side,
        name: str,
        as_tuple: bool,
        returns_error: bool,
        is_async: bool,
    ) -> None:
        """Use `of` or `from_types`."""
        self.name = name
        self.side: Side = side
        self.is_async = is_async
        self.returns_error = returns_error
        self.params = tuple(parameter.annotation for parameter in parameters)
        self.results = tuple(results)
        self._parameters = tuple(parameters)
        self._as_tuple = as_tuple
        self._is_single = len(results) == 1 and not as_tuple and not returns_error
        self._required = sum(p.required for p in parameters) if side == "provider" else len(parameters)
        self._arg_types = [self._typed(p.annotation, f"parameter {p.name}") for p in parameters]
        seen = {id(p.annotation): typed for p, typed in zip(parameters, self._arg_types, strict=True)}
        self._result_types = [seen.get(id(each)) or self._typed(each, "result") for each in results]

    def __getattr__(self, name: str) -> Any:
        make = _MADE_WHEN_USED.get(name)
        if make is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        made = make(self)
        setattr(self, name, made)
        return made

    @classmethod
    def of(
        cls,
        function: Callable[..., Any],
        *,
        side: Side,
        name: str = "",
        localns: Mapping[str, Any] | None = None,
        method: bool = False,
    ) -> Signature:
        """Return the signature of `function`.

        `name`: what texts call it, its own name by default. `localns`: names that annotations may use besides the
        function's globals. `method`: the first parameter is `self`, and left out.

        Raises:
            SignatureError: it is not a function, has parameters that no service can have, or an annotation that cannot
                be resolved or carried by JSON.
        """
        name = name or str(getattr(function, "__name__", None) or repr(function))
        given = inspected(function, name=name, localns=localns, method=method)
        for parameter in given.parameters:
            if mentions_error(parameter.annotation):
                raise SignatureError(f"{name}: parameter {parameter.name}: an error cannot be an argument")
        results, as_tuple = returned(given.returns)
        returns_error = bool(results) and is_error(results[-1])
        if returns_error:
            results = results[:-1]
        for result in results:
            if mentions_error(result):
                raise SignatureError(f"{name}: an error can only be the last result, annotated `Exception | None`")
        return cls(
            given.parameters,
            results,
            side=side,
            name=name,
            as_tuple=as_tuple,
            returns_error=returns_error,
            is_async=given.is_async,
        )

    @classmethod
    def from_types(
        cls,
        params: Sequence[Any],
        results: Sequence[Any],
        *,
        side: Side = "consumer",
        name: str = "service",
        returns_error: bool = False,
    ) -> Signature:
        """Return a signature of these types, without a function. With two or more results, they come as a tuple.

        Raises:
            SignatureError: a type cannot be carried by JSON.
        """
        parameters = [Parameter(str(index), annotation, by_name=False) for index, annotation in enumerate(params)]
        return cls(
            parameters,
            results,
            side=side,
            name=name,
            as_tuple=len(results) > 1 or (returns_error and len(results) > 0),
            returns_error=returns_error,
            is_async=False,
        )

    def __repr__(self) -> str:
        return f"<Signature of {self.side} {self.name}>"

    def encode_args(self, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None = None) -> bytes:
        """Return the arguments of a call as a JSON array, one value per parameter.

        Raises:
            ArgumentError: they are too few or too many, or one does not fit its type or JSON.
        """
        if kwargs or len(args) != len(self._parameters):
            args = self._bind(args, kwargs or {})
        try:
            return _encode(args, self._quick_args, self._arg_types, self._deep_args)
        except Mismatch as mismatch:
            raise ArgumentError(mismatch.text, "$" + mismatch.path if mismatch.path else "") from mismatch.__cause__

    def decode_args(self, raw: bytes | Raw | None) -> tuple[Any, ...]:
        """Return the arguments in a JSON array, to be passed by position. A provider's last ones may be missing.

        Raises:
            ArgumentError: it is no array, has too few or too many values, or one does not fit.
        """
        try:
            return self._args.decode(raw)
        except Mismatch as mismatch:
            raise ArgumentError(mismatch.text, "$" + mismatch.path if mismatch.path else "") from mismatch.__cause__

    def encode_results(self, value: Any) -> bytes:
        """Return what a provider returned as a JSON array of results.

        Raises:
            ResultError: it is not what the signature promises, or JSON cannot carry it.
            BaseException: with `returns_error`, the error that was returned.
        """
        if self._is_single:
            try:
                return _encode((value,), self._quick_results, self._result_types, self._deep_results)
            except Mismatch as mismatch:
                raise ResultError(mismatch.text, "$" + mismatch.path if mismatch.path else "") from mismatch.__cause__
        results, error = self.encode_outcome(value)
        if error is not None:
            raise error
        assert results is not None  # without an error there are results
        return results

    def encode_outcome(self, value: Any) -> tuple[bytes | None, BaseException | None]:
        """Return what a provider returned as a JSON array of results, and the error among them, if there is one.

        Results that come along with an error and do not fit are None: the error is what counts.

        Raises:
            ResultError: as for `encode_results`.
        """
        error: BaseException | None = None
        try:
            values = self._split(value)
            if self.returns_error:
                *values, last = values
                if last is not None and not isinstance(last, BaseException):
                    raise Mismatch(f"expected an error or None as last result, got {type(last).__name__}")
                error = last
            return _encode(values, self._quick_results, self._result_types, self._deep_results), error
        except Mismatch as mismatch:
            if error is not None:
                return None, error
            raise ResultError(mismatch.text, "$" + mismatch.path if mismatch.path else "") from mismatch.__cause__

    def decode_results(self, raw: bytes | Raw | None) -> Any:
        """Return the results in a JSON array, as the function would return them.

        Without results, null and nothing at all are as good as an empty array. With `returns_error`, the error is None.

        Raises:
            ResultError: it is no array, has too few or too many values, or one does not fit.
        """
        if not self.results and (raw is None or bytes(raw) == b"null"):
            raw = b"[]"
        try:
            values = self._results.decode(raw)
        except Mismatch as mismatch:
            raise ResultError(mismatch.text, "$" + mismatch.path if mismatch.path else "") from mismatch.__cause__
        if self.returns_error:
            return (*values, None) if self._as_tuple else None
        return values if self._as_tuple else values[0] if values else None

    def failed(self, error: BaseException) -> Any:
        """Return what a consumer's function returns for an error, instead of raising it.

        That is the error as last result, and None for each of the others. Only for signatures with `returns_error`.
        """
        assert self.returns_error
        return (*(None for _ in self.results), error) if self._as_tuple else error

    def _typed(self, annotation: Any, where: str) -> _Typed:
        try:
            # First as it is: what `bounded` makes of an annotation that nobody can carry says less.
            node = describe(annotation)
            within = bounded(annotation)
            return within, node if within is annotation else describe(within)
        except Unsupported as unsupported:
            raise SignatureError(f"{self.name}: {where}: {unsupported}") from unsupported.__cause__

    def _split(self, value: Any) -> Sequence[Any]:
        """Return a provider's value as one value per result, with the error where there is one."""
        count = len(self.results) + self.returns_error
        if self._as_tuple:
            if not isinstance(value, (tuple, list)):
                raise Mismatch(f"expected {_counted(count)}, got {type(value).__name__}")
            if len(value) != count:
                raise Mismatch(f"expected {_counted(count)}, got {len(value)}")
            return value
        if count == 0:
            if value is not None:
                raise Mismatch(f"expected no result, got {type(value).__name__}")
            return ()
        return (value,)

    def _bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return one value per parameter, from positions, keywords and defaults. Raises `ArgumentError`."""
        parameters = self._parameters
        if len(args) > len(parameters):
            raise ArgumentError(f"expected {_counted(len(parameters), 'argument')}, got {len(args) + len(kwargs)}")
        values = list(args)
        rest = dict(kwargs)
        for index, parameter in enumerate(parameters):
            given = parameter.by_name and parameter.name in rest
            if index < len(args):
                if given:
                    raise ArgumentError(f"argument {parameter.name!r} is given twice")
            elif given:
                values.append(rest.pop(parameter.name))
            elif parameter.required:
                if not kwargs:
                    raise ArgumentError(f"expected {_counted(len(parameters), 'argument')}, got {len(args)}")
                raise ArgumentError(f"argument {parameter.name!r} is missing")
            else:
                values.append(parameter.default)
        if rest:
            raise ArgumentError(f"there is no argument {next(iter(rest))!r}")
        return tuple(values)


def _encode(values: Sequence[Any], quick: QuickCheck, types: Sequence[_Typed], deep: bool) -> bytes:
    if deep:
        check_depth_of_values(values, parts)
    try:
        # In this order: values that were encoded do not contain themselves, so the check ends.
        data = quick_json(values)
        if quick(values):
            return data
    except Exception:
        pass  # the full check says what is wrong
    return _encode_checked(values, [node for _, node in types])


def _encode_checked(values: Sequence[Any], nodes: Sequence[inspect.Type]) -> bytes:
    """Return values as JSON that are not all exactly of their types, if they fit nevertheless. Raises `Mismatch`."""
    for index, (node, value) in enumerate(zip(nodes, values, strict=True)):
        try:
            full(node)(value)
        except Mismatch as mismatch:
            raise mismatch.within(f"[{index}]") from mismatch.__cause__
        except RecursionError:
            raise Mismatch(TOO_DEEP, f"[{index}]") from None
    untyped = any(reaches(node, lambda part: isinstance(part, inspect.AnyType)) for node in nodes)
    return to_json(values, untyped=untyped)


def _array_decoder(types: Sequence[_Typed], required: int, noun: str) -> ArrayDecoder:
    return ArrayDecoder([node for _, node in types], [annotation for annotation, _ in types], required, noun)


def _are_deep(types: Sequence[_Typed]) -> bool:
    return any(may_be_deep(node) for _, node in types)


def _quick_check(types: Sequence[_Typed]) -> QuickCheck:
    return quick_check([node for _, node in types])


def _counted(count: int, noun: str = "result") -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


_MADE_WHEN_USED: dict[str, Callable[[Signature], Any]] = {
    "_args": lambda self: _array_decoder(self._arg_types, self._required, "argument"),
    "_deep_args": lambda self: _are_deep(self._arg_types),
    "_deep_results": lambda self: _are_deep(self._result_types),
    "_quick_args": lambda self: _quick_check(self._arg_types),
    "_quick_results": lambda self: _quick_check(self._result_types),
    "_results": lambda self: _array_decoder(self._result_types, len(self._result_types), "result"),
}
"""Slots of a signature that are filled when they are used first, which `__getattr__` sees to.

What cannot work is refused before. But one side needs one half of this, and a host may offer hundreds of services to a
plugin that calls two. Two threads may both make one; either will do.
"""
