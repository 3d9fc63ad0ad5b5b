"""How much JSON is to decode: a count of its values in linear time, without decoding them.

Time and memory of decoding depend on the number of values, not of bytes: `[{},{},{}` costs twenty times its length. The
unit is a scalar; an array or object counts as four.
"""

from __future__ import annotations

import re

__all__ = ["CONTAINER", "count_values", "rough_count"]

CONTAINER = 4
"""What an array or object counts. Empty ones take two to four times the time and memory of a number."""
_FEW = 16
_PIECE = 1024 * 1024
_string = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_string_end = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def rough_count(data: bytes) -> int:
    """Return at least the number of values in `data`, a part of JSON or all of it.

    What looks like structure within a string counts, too. Costs about as much as to copy the data.
    """
    return 1 + _count(data, b",") + CONTAINER * (_count(data, b"[") + _count(data, b"{"))


def count_values(data: bytes, most: int, *, piece: int = _PIECE) -> int:
    """Return the number of values in `data`, a whole JSON text: exact above `most`, else perhaps too high.

    Strings are told apart in pieces of `piece` bytes, at least 2, so that other threads run in between.
    """
    if CONTAINER * len(data) <= most:
        return CONTAINER * len(data)
    count = rough_count(data)
    return count if count <= most or b'"' not in data else _count_without_strings(data, piece)


def _count(data: bytes, byte: bytes) -> int:
    """Return how often `byte` occurs. Where it is rare it is found more quickly than counted."""
    position = -1
    for found in range(_FEW):
        position = data.find(byte, position + 1)
        if position < 0:
            return found
    return data.count(byte)


def _count_without_strings(data: bytes, piece: int) -> int:
    count, position, inside = 1, 0, False
    while position < len(data):
        end = min(position + piece, len(data))
        if inside:
            match = _string_end.match(data, position, end)
            if match is None:
                # An escape may begin with the last byte: look at it again with what follows.
                position = end if end == len(data) else _before_escape(data, position, end)
                continue
            position, inside = match.end(), False
        bare = _string.sub(b"", data[position:end])
        opening = bare.find(b'"')
        if opening >= 0:
            # The last string goes on behind this piece. What stands before it is structure.
            start = end - (len(bare) - opening)
            bare = bare[:opening]
            position, inside = start + 1, True
            if end == len(data):
                position = end
        else:
            position = end
        count += bare.count(b",") + CONTAINER * (bare.count(b"[") + bare.count(b"{"))
    return count


def _before_escape(data: bytes, start: int, end: int) -> int:
    """Return `end`, or one less where a backslash before it begins an escape."""
    backslashes = 0
    while end - backslashes > start and data[end - backslashes - 1] == 0x5C:
        backslashes += 1
    return end - backslashes % 2
