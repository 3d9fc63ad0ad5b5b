"""Python values to JSON and back, by the types of a signature.

The annotations of a function decide what goes over the wire, once, when it is bound. What arrives is equal to what was
sent and of the annotated type, or the call fails. Where the protocol leaves it open:

- An `int` is an int64, also inside of data classes and structs; `Int8` to `UInt64` have other bounds. Out of range is
  an error and no wrap; `1.0` is no integer; a bool is no int and an int no bool. In values of type Any, integers are
  exact, up to the 4,300 digits that Python reads.
- A `float` may be written `3`; NaN and infinities cannot be sent, nor an int that no float equals; -0.0 keeps its sign.
  `Float32` is checked for its range and not rounded.
- `bytes` are base64 with padding. A `datetime` needs a time zone, so that it is RFC 3339, with an offset of whole
  minutes. A `timedelta` is refused: Go counts nanoseconds in an integer, and so should an annotation. A `Raw` is any
  one JSON value, null included.
- Data classes, msgspec structs and `TypedDict` are objects, `NamedTuple` an array, enums their values. The receiver
  ignores unknown fields; missing ones take their defaults or are an error. The sender refuses what the receiver would
  ignore: instances of subclasses, and keys that a `TypedDict` does not have.
- Null for a list, dict or bytes is an empty one, as Go writes nil; other nulls, where null is no option, are an error.
- Lone surrogates and bytes that are not UTF-8 become U+FFFD, on the way out and on the way in. Keys or elements of
  sets that become equal by that are an error.
- What is nested too deeply for the interpreter's stack, or contains itself, is an error of the call like any other.
"""

# `__all__` is what the package has publicly, here and elsewhere; other names are for the library's own modules.

from .signature import Side as Side, Signature
from .types import (
    Error as Error,
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
from .value import decode_value as decode_value, encode_value as encode_value

__all__ = [
    "Float32",
    "Float64",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "Raw",
    "Signature",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
]
