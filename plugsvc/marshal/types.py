"""Names for the types of the protocol that Python does not have."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw

__all__ = [
    "Float32", "Float64", "Int8", "Int16", "Int32", "Int64", "Raw", "UInt8", "UInt16", "UInt32", "UInt64",
]  # fmt: skip


class Float32Bound:
    """Marks a float that must fit 32 bits."""


class UInt64Bound:
    """Marks an integer from 0 to 2**64 - 1, which msgspec's own bounds cannot say."""


Int8 = Annotated[int, Meta(ge=-(2**7), le=2**7 - 1)]
Int16 = Annotated[int, Meta(ge=-(2**15), le=2**15 - 1)]
Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
UInt8 = Annotated[int, Meta(ge=0, le=2**8 - 1)]
UInt16 = Annotated[int, Meta(ge=0, le=2**16 - 1)]
UInt32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
UInt64 = Annotated[int, Meta(ge=0), UInt64Bound()]
Float32 = Annotated[float, Float32Bound()]
Float64 = float
