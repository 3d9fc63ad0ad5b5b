"""The sizes and numbers at which buffers and counters of usual implementations end."""

from __future__ import annotations

KIB = 1 << 10
MIB = 1 << 20

BUFFERS = (4 * KIB, 8 * KIB, 16 * KIB, 64 * KIB, MIB)
"""Bytes that reading and writing buffers hold in usual libraries."""

COUNTS = (127, 128, 255, 256, 257)
"""Around the largest numbers of a byte, with and without a sign."""

LARGE_COUNTS = (*COUNTS, 65_536, 65_537)
"""The same, and around the largest number of two bytes."""

BYTE = 1 << 8
TWO_BYTES = 1 << 16


def around(size: int, by: int = 1) -> range:
    """The numbers from ``size - by`` to ``size + by``."""
    return range(size - by, size + by + 1)


def padded(before: bytes, after: bytes, size: int) -> bytes:
    """A message of exactly ``size`` bytes: as many times x as it takes stand between ``before`` and ``after``."""
    return before + b"x" * (size - len(before) - len(after)) + after
