"""Annotations to types: what a signature may contain, and what follows from it.

msgspec's own description of types (`msgspec.inspect`) is the type information. It differs in one point: an `int`
without bounds is an int64, and `bounded` writes that into annotations wherever typing constructs let it. Inside of
classes it cannot; such integers are *unbounded*, and their values are checked after decoding.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Union

import msgspec
from msgspec import Meta, inspect

from .types import EXTRA, FLOAT32, UINT64, Int64

__all__ = [
    "Unsupported",
    "bounded",
    "children",
    "describe",
    "extra",
    "is_unbounded",
    "may_be_deep",
    "reaches",
    "unwrap",
]

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

_KEYS = (
    inspect.AnyType,
    inspect.StrType,
    inspect.IntType,
    inspect.FloatType,
    inspect.EnumType,
    inspect.LiteralType,
    inspect.DateTimeType,
    inspect.DateType,
    inspect.TimeType,
    inspect.UUIDType,
    inspect.DecimalType,
)
Fields: tuple[
    type[inspect.StructType], type[inspect.DataclassType], type[inspect.TypedDictType], type[inspect.NamedTupleType]
] = (inspect.StructType, inspect.DataclassType, inspect.TypedDictType, inspect.NamedTupleType)


class Unsupported(Exception):
    """An annotation that the protocol cannot carry. Never leaves the package `marshal`."""


def bounded(annotation: Any) -> Any:
    """Return `annotation` with every `int` that has no bounds of its own bound to 64 bits."""
    if annotation is int:
        return Int64
    if isinstance(annotation, typing.NewType):
        return bounded(annotation.__supertype__)
    if hasattr(annotation, "__value__") and type(annotation).__name__ == "TypeAliasType":
        return bounded(annotation.__value__)
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _bounded_annotated(annotation)
    if origin is Union or origin is types.UnionType:
        return Union[tuple(bounded(arg) for arg in args)]  # noqa: UP007
    if isinstance(origin, type) and args and _is_container(origin):
        return origin[tuple(arg if arg is Ellipsis else bounded(arg) for arg in args)]  # type: ignore[index]
    return annotation


def _is_container(origin: type) -> bool:
    return origin in (list, set, frozenset, tuple, dict) or origin.__module__ == "collections.abc"


def _bounded_annotated(annotation: Any) -> Any:
    inner, *metadata = typing.get_args(annotation)
    if inner is not int:
        return Annotated[(bounded(inner), *metadata)] if _is_outer_container(inner) else annotation
    node, marks = unwrap(inspect.type_info(annotation)), extra(inspect.type_info(annotation))
    assert isinstance(node, inspect.IntType)
    if node.ge is None and node.gt is None:
        annotation = Annotated[annotation, Meta(ge=INT64_MIN)]
    if node.le is None and node.lt is None and marks != UINT64:
        annotation = Annotated[annotation, Meta(le=INT64_MAX)]
    return annotation


def _is_outer_container(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    return isinstance(origin, type) and _is_container(origin)


def describe(annotation: Any) -> inspect.Type:
    """Return the type information of an annotation. Raises `Unsupported` with what cannot be carried, and why."""
    try:
        node = inspect.type_info(annotation)
        msgspec.json.Decoder(tuple[annotation])
    except NameError as error:
        raise Unsupported(f"{show(annotation)} refers to {error.name!r}, which is not defined") from error
    except RecursionError as error:
        raise Unsupported(f"{show(annotation)} is nested too deeply") from error
    except Exception as error:
        raise Unsupported(str(error).replace("`", "")) from error
    for part in _walk(node):
        problem = _problem(part)
        if problem:
            raise Unsupported(problem)
    return node


def _problem(node: inspect.Type) -> str | None:
    if isinstance(node, inspect.CustomType):
        if isinstance(node.cls, type) and issubclass(node.cls, BaseException):
            return f"{show(node.cls)} is an error, which is not a value"
        return f"{show(node.cls)} cannot be carried by JSON"
    if isinstance(node, inspect.UnionType) and any(isinstance(unwrap(kind), inspect.RawType) for kind in node.types):
        return "a Raw is any JSON, also null: it cannot be one of several types"
    if isinstance(node, (inspect.DataclassType, inspect.TypedDictType)):
        return _unreadable_raw(node)
    if isinstance(node, inspect.ExtType):
        return "Ext cannot be carried by JSON"
    if isinstance(node, inspect.TimeDeltaType):
        return "timedelta has no form that all implementations share: annotate int, and count nanoseconds"
    if isinstance(node, inspect.DictType):
        return _unreadable_keys(unwrap(node.key_type))
    return None


def _unreadable_keys(node: inspect.Type) -> str | None:
    """Say why keys of this type cannot be read back, if they cannot."""
    kinds = [unwrap(member) for member in node.types] if isinstance(node, inspect.UnionType) else [node]
    if not all(isinstance(each, _KEYS) for each in kinds):
        return "the keys of a JSON object are strings: a dict can have str or int as keys"
    if len({type(value) for each in kinds if isinstance(each, inspect.LiteralType) for value in each.values}) > 1 or (
        len(kinds) > 1 and not all(isinstance(each, (inspect.IntType, inspect.FloatType)) for each in kinds)
    ):
        return "the keys of a JSON object are strings: keys of several types cannot be told apart"
    return None


def _unreadable_raw(node: inspect.DataclassType | inspect.TypedDictType) -> str | None:
    """Say which field is a Raw that msgspec refuses whatever JSON comes, if there is one: it depends on the default."""
    for field in node.fields:
        if isinstance(unwrap(field.type), inspect.RawType):
            try:
                msgspec.json.decode(b'{"%b":0}' % field.encode_name.encode(), type=node.cls)
            except msgspec.ValidationError as error:
                if str(error).startswith("Expected `raw`"):
                    is_data_class = isinstance(node, inspect.DataclassType)
                    other = "give it no default factory" if is_data_class else "use a data class"
                    what = f"the field {field.name} of {show(node.cls)} cannot be read as Raw"
                    return f"{what}: annotate Any, or {other}"
    return None


def show(annotation: Any) -> str:
    """Return how an annotation is written, more or less."""
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")


def unwrap(node: inspect.Type) -> inspect.Type:
    """Return the type without the metadata around it."""
    while isinstance(node, inspect.Metadata):
        node = node.type
    return node


def extra(node: inspect.Type) -> str | None:
    """Return our own mark on a type: `UINT64`, `FLOAT32` or None."""
    while isinstance(node, inspect.Metadata):
        if node.extra and EXTRA in node.extra:
            mark: str = node.extra[EXTRA]
            return mark
        node = node.type
    return None


def children(node: inspect.Type) -> Iterator[inspect.Type]:
    """Yield the types that a type is made of."""
    if isinstance(node, inspect.Metadata):
        yield node.type
    elif isinstance(node, inspect.UnionType):
        yield from node.types
    elif isinstance(node, inspect.TupleType):
        yield from node.item_types
    elif isinstance(node, inspect.DictType):
        yield node.key_type
        yield node.value_type
    elif isinstance(node, Fields):
        for field in node.fields:
            yield field.type
    elif isinstance(node, inspect.CollectionType):
        yield node.item_type


def _walk(node: inspect.Type) -> Iterator[inspect.Type]:
    """Yield the type and everything it is made of, each once: classes may contain themselves."""
    todo, seen = [node], {id(node)}
    while todo:
        part = todo.pop()
        yield part
        for child in children(part):
            if id(child) not in seen:
                seen.add(id(child))
                todo.append(child)


def reaches(node: inspect.Type, test: Callable[[inspect.Type], bool]) -> bool:
    """Return whether `test` is true for the type or for anything that it is made of."""
    return any(test(part) for part in _walk(node))


def may_be_deep(node: inspect.Type) -> bool:
    """Return whether the type itself sets no limit on how deep its values are nested."""
    return reaches(node, lambda part: isinstance(part, inspect.AnyType) or (isinstance(part, Fields) and _recurs(part)))


def _recurs(node: inspect.Type) -> bool:
    return any(reaches(child, lambda part: part is node) for child in children(node))


def is_unbounded(node: inspect.Type) -> bool:
    """Return whether msgspec alone lets values through that this very type must not have."""
    if isinstance(node, inspect.Metadata):
        return extra(node) in (UINT64, FLOAT32)
    if isinstance(node, inspect.IntType):
        return (node.ge is None and node.gt is None) or (node.le is None and node.lt is None)
    return False
