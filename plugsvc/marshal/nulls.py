"""Null handling: null for a list, dict or bytes, which is how Go writes nil, is read as an empty one.

It works on the JSON text, so that everything else in it stays as it is, and only after a failure to decode.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, inspect
from msgspec.json import Decoder

from .typeinfo import Fields, children, reaches, unwrap

__all__ = ["fill_nulls"]

_array = Decoder(list[Raw]).decode
_object = Decoder(dict[str, Raw]).decode
_text = msgspec.json.Encoder().encode


def fill_nulls(data: bytes, node: inspect.Type) -> bytes:
    """Return JSON of the type `node` with empty values in place of nulls, where only those make sense.

    Raises:
        MsgspecError, RecursionError: the JSON is of another kind anyway.
    """
    node = unwrap(node)
    start = data[:1]
    if isinstance(node, inspect.UnionType):
        if start == b"n" and any(isinstance(unwrap(member), inspect.NoneType) for member in node.types):
            return data
        for member in node.types:
            if start != b"n" and _opens(member) == start:
                return fill_nulls(data, member)
        return data if start != b"n" else _empty(node.types[0], data)
    if start == b"n":
        return _empty(node, data)
    if start != _opens(node) or not any(reaches(child, _has_empty) for child in children(node)):
        return data
    if start == b"[":
        return _fill_array(data, node)
    return _fill_object(data, node)


def _opens(node: inspect.Type) -> bytes | None:
    """Return the bracket with which JSON of a type begins, if it does."""
    node = unwrap(node)
    if isinstance(node, (inspect.CollectionType, inspect.TupleType, inspect.NamedTupleType)):
        return b"["
    if isinstance(node, inspect.StructType):
        return b"[" if node.array_like else b"{"
    if isinstance(node, (inspect.DictType, inspect.DataclassType, inspect.TypedDictType)):
        return b"{"
    return None


def _has_empty(node: inspect.Type) -> bool:
    """Return whether null may stand for an empty value of this very type."""
    return _empty(node, b"") != b""


def _empty(node: inspect.Type, data: bytes) -> bytes:
    node = unwrap(node)
    if isinstance(node, inspect.CollectionType):
        return b"[]"
    if isinstance(node, inspect.DictType):
        return b"{}"
    if isinstance(node, (inspect.BytesType, inspect.ByteArrayType, inspect.MemoryViewType)):
        return b'""'
    return data


def _fill_array(data: bytes, node: inspect.Type) -> bytes:
    elements = [bytes(element) for element in _array(data)]
    if isinstance(node, inspect.CollectionType):
        kinds = [node.item_type] * len(elements)
    elif isinstance(node, inspect.TupleType):
        kinds = list(node.item_types)
    else:
        assert isinstance(node, (inspect.NamedTupleType, inspect.StructType))
        kinds = [field.type for field in node.fields]
    filled = [fill_nulls(element, kind) for element, kind in zip(elements, kinds, strict=False)]
    return b"[" + b",".join(filled + elements[len(filled) :]) + b"]"


def _fill_object(data: bytes, node: inspect.Type) -> bytes:
    members = {name: bytes(value) for name, value in _object(data).items()}
    if isinstance(node, inspect.DictType):
        kinds = dict.fromkeys(members, node.value_type)
    else:
        assert isinstance(node, Fields)
        kinds = {field.encode_name: field.type for field in node.fields}
    # A list: the frames of a generator would be on the stack of C, one for each level.
    filled = [
        _text(name) + b":" + (fill_nulls(value, kinds[name]) if name in kinds else value)
        for name, value in members.items()
    ]
    return b"{" + b",".join(filled) + b"}"
