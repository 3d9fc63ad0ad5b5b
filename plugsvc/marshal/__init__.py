"""Python values to JSON and back, by the types of a signature."""

from .signature import Side, Signature
from .types import (
    Error,
    Float32,
    Float64,
    Int8,
    Int16,
    Int32,
    Int64,
    Raw,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
)
from .value import decode_value, encode_value

__all__ = [
    "Error",
    "Float32",
    "Float64",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "Raw",
    "Side",
    "Signature",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "decode_value",
    "encode_value",
]
