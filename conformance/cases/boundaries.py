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


def many_keys(count: int) -> str:
    """An object of so many keys that stand neither in the order of their letters nor in that of their numbers."""
    return "{" + ",".join(f'"{number * 7919 % 10_007}":{number}' for number in range(count)) + "}"


ROUNDED_TWICE = (
    "1.00000005960464477539062500000001",  # behind the middle of two float32, and the nearest float64 is that middle
    "-1.00000005960464477539062500000001",
    "1.00000017881393432617187499999999",  # the same before the middle
    "0.10000000521540641784667968749999",
    "-0.10000000521540641784667968749999e0",
    "16777217.00000000000000000000001",
    "1677721700000000000000000000001e-23",
    "9007199791611905",
    "300000010690980377603639206255070913291",
    "1.0000016166037975822379465238764e-40",
)
"""Numbers that become another float32 where they are rounded to a float64 first."""

LONG_INTEGERS = ("7" * 4_300, "7" * 4_301, "7" * 5_000, "-" + "1" * 5_000)
"""Integers of more digits than some languages convert by themselves."""
