"""Negative zero as an integer token, which Go writes for a float: `-0`."""

from __future__ import annotations

import re

__all__ = ["mend_negative_zeros"]

_STRING_OR_ZERO = re.compile(rb'"(?:[^"\\]++|\\.)*+"|-0(?![.eE0-9])', re.DOTALL)


def mend_negative_zeros(data: bytes) -> bytes:
    """Return valid JSON with every `-0` written as `-0.0`, so that a decoder reads a float and keeps the sign."""
    return _STRING_OR_ZERO.sub(lambda found: b"-0.0" if found.group() == b"-0" else found.group(), data)
