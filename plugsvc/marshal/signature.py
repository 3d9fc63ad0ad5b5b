"""A Python signature, made able to carry its arguments and results as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Raw, inspect

from ..errors import ArgumentError, ResultError, SignatureError
from .checks import Check, full
from .decode import ArrayDecoder
from .encode import quick_json, to_json
from .mismatch import Mismatch
from .shape import Parameter, is_error, mentions_error, returned, shape_of
from .tree import Unsupported, describe, narrow, reaches

__all__ = ["Side", "Signature"]

Side = Literal["provider", "consumer"]
_Tree = tuple[Any, inspect.Type]
"""An annotation and what it describes."""


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
        "_arg_trees",
        "_args",
        "_as_tuple",
        "_checks",
        "_is_single",
        "_parameters",
        "_required",
        "_result_checks",
        "_result_trees",
        "_results",
        "_untyped_args",
        "_untyped_results",
        "is_async",
        "name",
        "params",
        "results",
        "returns_error",
        "side",
    )

    _args: ArrayDecoder
    _checks: list[Check | None]
    _result_checks: list[Check | None]
    _results: ArrayDecoder
    _untyped_args: bool
    _untyped_results: bool

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
        self._arg_trees = [self._tree(p.annotation, f"parameter {p.name}") for p in parameters]
        seen = {id(p.annotation): tree for p, tree in zip(parameters, self._arg_trees, strict=True)}
        self._result_trees = [seen.get(id(each)) or self._tree(each, "result") for each in results]

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
        shape = shape_of(function, name=name, localns=localns, method=method)
        for parameter in shape.parameters:
            if mentions_error(parameter.annotation):
                raise SignatureError(f"{name}: parameter {parameter.name}: an error cannot be an argument")
        results, as_tuple = returned(shape.returns)
        returns_error = bool(results) and is_error(results[-1])
        if returns_error:
            results = results[:-1]
        for result in results:
            if mentions_error(result):
                raise SignatureError(f"{name}: an error can only be the last result, annotated `Exception | None`")
        return cls(
            shape.parameters,
            results,
            side=side,
            name=name,
            as_tuple=as_tuple,
            returns_error=returns_error,
            is_async=shape.is_async,
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
        checks = self._checks
        if kwargs or len(args) != len(checks):
            args = self._bind(args, kwargs or {})
        try:
            return _encode(args, checks, self._untyped_args)
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
                return _encode((value,), self._result_checks, self._untyped_results)
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
            return _encode(values, self._result_checks, self._untyped_results), error
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

    def _tree(self, annotation: Any, where: str) -> _Tree:
        try:
            # First as it is: what `narrow` makes of an annotation that nobody can carry says less.
            node = describe(annotation)
            narrowed = narrow(annotation)
            return narrowed, node if narrowed is annotation else describe(narrowed)
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


def _encode(values: Sequence[Any], checks: Sequence[Check | None], untyped: bool) -> bytes:
    index = 0
    try:
        for check in checks:
            if check is not None:
                check(values[index])
            index += 1
    except Mismatch as mismatch:
        raise mismatch.within(f"[{index}]") from mismatch.__cause__
    except RecursionError:
        raise Mismatch("nested too deeply, or contains itself", f"[{index}]") from None
    if not untyped:
        try:
            return quick_json(values)
        except Exception:
            pass  # what is wrong is found out at leisure
    return to_json(values, untyped=untyped)  # type: ignore[arg-type]


def _array_decoder(trees: Sequence[_Tree], required: int, noun: str) -> ArrayDecoder:
    return ArrayDecoder([node for _, node in trees], [annotation for annotation, _ in trees], required, noun)


def _checks_of(trees: Sequence[_Tree]) -> list[Check | None]:
    return [full(node, annotation) for annotation, node in trees]


def _any_untyped(trees: Sequence[_Tree]) -> bool:
    return any(_is_untyped(node) for _, node in trees)


def _is_untyped(node: inspect.Type) -> bool:
    return reaches(node, lambda part: isinstance(part, inspect.AnyType))


def _counted(count: int, noun: str = "result") -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


_MADE_WHEN_USED: dict[str, Callable[[Signature], Any]] = {
    "_args": lambda self: _array_decoder(self._arg_trees, self._required, "argument"),
    "_checks": lambda self: _checks_of(self._arg_trees),
    "_result_checks": lambda self: _checks_of(self._result_trees),
    "_results": lambda self: _array_decoder(self._result_trees, len(self._result_trees), "result"),
    "_untyped_args": lambda self: _any_untyped(self._arg_trees),
    "_untyped_results": lambda self: _any_untyped(self._result_trees),
}
"""Slots of a signature that are filled when they are used first, which `__getattr__` sees to.

What cannot work is refused before. But one side needs one half of this, and a host may offer hundreds of services to a
plugin that calls two. Two threads may both make one; either will do.
"""
