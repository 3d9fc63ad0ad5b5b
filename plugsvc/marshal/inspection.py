"""Signature inspection: the parameters and results of a function, as annotations."""

from __future__ import annotations

import builtins
import typing
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import SignatureError
from ..imports import importing

if TYPE_CHECKING:
    import inspect

__all__ = ["Inspected", "Parameter", "inspected", "is_error", "mentions_error", "returned"]

EMPTY = object()
"""In place of a default that is not there."""

_USUAL = 0x1 | 0x2 | 0x10 | 0x40 | 0x80 | 0xFFFF0000
"""Flags of the code of a function without `*args`, `**kwargs` and `yield`: see `inspect.CO_OPTIMIZED` and so on."""
_COROUTINE = 0x80


class Parameter(NamedTuple):
    """One parameter of a service. `by_name`: it may be given as keyword argument."""

    name: str
    annotation: Any
    default: Any = EMPTY
    by_name: bool = True

    @property
    def required(self) -> bool:
        return self.default is EMPTY


class Inspected(NamedTuple):
    """The parameters and the return annotation of a function, resolved."""

    parameters: tuple[Parameter, ...]
    returns: Any
    is_async: bool


def inspected(
    function: Callable[..., Any], *, name: str, localns: Mapping[str, Any] | None = None, method: bool = False
) -> Inspected:
    """Return the parameters and results of `function`. A parameter or result without annotation is Any.

    `name`: what texts call it. `localns`: names that annotations may use besides the function's globals.
    `method`: the first parameter is `self`, and left out.

    Raises:
        SignatureError: it is not a function, or one that no service can be.
    """
    if function is None or not callable(function) or isinstance(function, type):
        shown = f"class {function.__name__}" if isinstance(function, type) else repr(function)
        raise SignatureError(f"{name}: expected a function, got {shown}")
    given = _plain(function)
    if given is None:
        given, is_async = _inspected_slowly(function, name)
    else:
        is_async = bool(function.__code__.co_flags & _COROUTINE)
    hints = _hints(function, name, localns)
    if method:
        if not given:
            raise SignatureError(f"{name}: a method needs a parameter self")
        del given[0]
    parameters = tuple(each._replace(annotation=hints.get(each.name, Any)) for each in given)
    return Inspected(parameters, hints.get("return", Any), is_async)


def _plain(function: Callable[..., Any]) -> list[Parameter] | None:
    """Return the parameters of a function as most are; None for one that takes `inspect`, which is slow to import."""
    if type(function) is not FunctionType or function.__dict__:
        return None
    code = function.__code__
    if code.co_flags & ~_USUAL or code.co_kwonlyargcount:
        return None
    names = code.co_varnames[: code.co_argcount]
    defaults = function.__defaults__ or ()
    padded = (*(EMPTY for _ in range(len(names) - len(defaults))), *defaults)
    return [
        Parameter(name, Any, default, by_name=index >= code.co_posonlyargcount)
        for index, (name, default) in enumerate(zip(names, padded, strict=True))
    ]


def _inspected_slowly(function: Callable[..., Any], name: str) -> tuple[list[Parameter], bool]:
    """Return the parameters of any function, and whether it is an `async def`. Raises `SignatureError`."""
    with importing():
        import inspect

    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise SignatureError(f"{name}: a generator cannot be a service: it has no result")
    try:
        signature = inspect.signature(function)
    except NameError as error:
        raise SignatureError(f"{name}: an annotation refers to {error.name!r}, which is not defined") from error
    except (TypeError, ValueError) as error:
        raise SignatureError(f"{name}: no signature can be found for {function!r}") from error
    taken = [_parameter(parameter, name) for parameter in signature.parameters.values()]
    is_async = inspect.iscoroutinefunction(function) or (
        not inspect.isroutine(function) and inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004
    )
    return [parameter for parameter in taken if parameter is not None], is_async


def _parameter(parameter: inspect.Parameter, name: str) -> Parameter | None:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        stars = "*" if parameter.kind == parameter.VAR_POSITIONAL else "**"
        raise SignatureError(f"{name}: parameter {stars}{parameter.name}: the number of arguments must be fixed")
    if parameter.kind == parameter.KEYWORD_ONLY:
        if parameter.default is parameter.empty:
            raise SignatureError(f"{name}: parameter {parameter.name}: arguments are passed by position only")
        return None
    default = EMPTY if parameter.default is parameter.empty else parameter.default
    by_name = parameter.kind == parameter.POSITIONAL_OR_KEYWORD
    return Parameter(parameter.name, Any, default, by_name)


def _hints(function: Any, name: str, localns: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the function's annotations, evaluated."""
    while hasattr(function, "func") and hasattr(function, "keywords"):  # functools.partial
        function = function.func
    if type(function) is not FunctionType and not _is_routine(function) and not hasattr(function, "__wrapped__"):
        function = type(function).__call__
    try:
        return typing.get_type_hints(function, localns=dict(localns) if localns else None, include_extras=True)
    except NameError as error:
        where = _unresolvable(function, str(error.name))
        raise SignatureError(f"{name}: {where}{error.name!r} is not defined") from error
    except Exception as error:
        if isinstance(function, type(builtins.len)):
            return {}
        raise SignatureError(f"{name}: its annotations cannot be read: {error}") from error


def _is_routine(function: Any) -> bool:
    with importing():
        import inspect

    return inspect.isroutine(function)


def _unresolvable(function: Any, missing: str) -> str:
    """Say which annotation needs the missing name."""
    try:
        annotations = dict(function.__annotations__)
    except Exception:  # since Python 3.14 annotations are evaluated when they are asked for
        return "in an annotation, "
    for parameter, annotation in annotations.items():
        if isinstance(annotation, str) and missing in annotation:
            return f"{'result' if parameter == 'return' else f'parameter {parameter}'}: {annotation!r}: "
    return "in an annotation, "


def is_error(annotation: Any) -> bool:
    """Return whether an annotation says "an error or none": `Exception | None`, or a subclass of it."""
    args = typing.get_args(annotation)
    return type(None) in args and all(arg is type(None) or _is_exception(arg) for arg in args)


def mentions_error(annotation: Any) -> bool:
    """Return whether an annotation is an error or has one among its alternatives."""
    return _is_exception(annotation) or any(_is_exception(arg) for arg in typing.get_args(annotation))


def _is_exception(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseException)


def returned(annotation: Any) -> tuple[tuple[Any, ...], bool]:
    """Return the results that a return annotation stands for, and whether they come as a tuple.

    `None` is no result, `tuple[A, B]` two, everything else is one, also `tuple[A, ...]`, which is a list.
    """
    if annotation is None or annotation is type(None) or annotation in (typing.NoReturn, typing.Never):
        return (), False
    if typing.get_origin(annotation) is tuple:
        args = typing.get_args(annotation)
        if Ellipsis not in args:
            return args, True
    return (annotation,), False
