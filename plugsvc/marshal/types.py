"""Names for the types of the protocol that Python does not have.

An `int` without one of these is an `Int64`, wherever it stands. A `float` is a `Float64`.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw

__all__ = [
    "EXTRA",
    "FLOAT32",
    "UINT64",
    "Error",
    "Float32",
    "Float64",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "Raw",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
]

EXTRA = "plugsvc"
"""Under this key of `Meta.extra` stands what msgspec's own bounds cannot say."""
UINT64 = "uint64"
FLOAT32 = "float32"

Int8 = Annotated[int, Meta(ge=-(2**7), le=2**7 - 1)]
Int16 = Annotated[int, Meta(ge=-(2**15), le=2**15 - 1)]
Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
UInt8 = Annotated[int, Meta(ge=0, le=2**8 - 1)]
UInt16 = Annotated[int, Meta(ge=0, le=2**16 - 1)]
UInt32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
UInt64 = Annotated[int, Meta(ge=0, extra={EXTRA: UINT64})]
Float32 = Annotated[float, Meta(extra={EXTRA: FLOAT32})]
Float64 = float

Error = Exception | None
"""As last result: a provider may return the error instead of raising it, a consumer gets it returned."""
