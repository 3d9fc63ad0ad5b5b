"""Single values, such as manifests, to JSON and back, by the same rules as arguments and results."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from msgspec import Raw

from ..errors import MarshalError
from .signature import Signature

__all__ = ["decode_value", "encode_value"]

T = TypeVar("T")


def encode_value(value: Any, type: Any = Any) -> bytes:
    """Return `value` as JSON.

    Raises:
        MarshalError: it does not fit the type, or JSON cannot carry it.
        SignatureError: no value of this type can be carried by JSON.
    """
    try:
        return Signature.from_types((type,), (), name="value").encode_args((value,))[1:-1]
    except MarshalError as error:
        raise MarshalError(error.text, error.path.replace("$[0]", "$", 1)) from error.__cause__


@overload
def decode_value(raw: bytes | Raw, type: type[T]) -> T: ...
@overload
def decode_value(raw: bytes | Raw, type: Any = Any) -> Any: ...
def decode_value(raw: bytes | Raw, type: Any = Any) -> Any:
    """Return the value that JSON stands for.

    Raises:
        MarshalError: it is not JSON, or does not fit the type.
        SignatureError: no value of this type can be carried by JSON.
    """
    try:
        return Signature.from_types((), (type,), name="value").decode_results(b"[" + bytes(raw) + b"]")
    except MarshalError as error:
        raise MarshalError(error.text, error.path.replace("$[0]", "$", 1)) from error.__cause__
