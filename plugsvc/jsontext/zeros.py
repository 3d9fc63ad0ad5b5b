"""Negative zero as an integer token, which Go writes for a float: `-0`."""

from __future__ import annotations

import re

__all__ = ["restore_negative_zeros"]

_zeros = re.compile(rb"-0(?![.eE0-9])").finditer


def restore_negative_zeros(data: bytes) -> bytes:
    """Return valid JSON with every `-0` written as `-0.0`, so that a decoder reads a float and keeps the sign."""
    # Without escapes, an odd number of quotes before a place means that it is within a string.
    plain = data.replace(b"\\\\", b"..").replace(b'\\"', b"..") if b"\\" in data else data
    parts = []
    done = quotes = 0
    for zero in _zeros(plain):
        quotes += plain.count(b'"', done, zero.start())
        parts.append(data[done : zero.end()])
        done = zero.end()
        if quotes % 2 == 0:
            parts.append(b".0")
    return b"".join(parts) + data[done:]
