"""A cheap proof that JSON is not nested too deeply."""

from __future__ import annotations

import re

__all__ = ["provably_shallow"]

_strings = re.compile(rb'"[^"]*"')
_OTHERS = bytes(byte for byte in range(256) if byte not in b'[]{}"')
_FEW = 16
"""So many brackets are found one by one more quickly than all bytes are counted through."""
_EFFORT = 32
"""How many passes over the bytes are allowed on average. The scanner takes longer than that."""


def provably_shallow(data: bytes | bytearray, max_depth: int) -> bool:
    """Return True when no value in `data` is nested more than `max_depth` levels deep; False when that is not known.

    Where `data` is not valid JSON, this holds for what a parser reads of it: up to the first invalid byte. Works in a
    few passes of C speed: what is not a bracket or quote is dropped, then strings, then again and again the innermost
    pairs of brackets. Each round takes two levels at most off the depth, and what is left cannot be deeper than its
    length. (In valid JSON half of that, but here the closing brackets may be missing.)
    """
    if _are_few(data, min(_FEW, max_depth)) or data.count(b"[") + data.count(b"{") <= max_depth:
        return True
    if b"\\" in data:
        # Escaped backslashes first: then a backslash before a quote escapes it.
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = data.translate(None, _OTHERS)
    # Most strings are without brackets, and gone at once. Pairs go from the left, so the first string with brackets
    # keeps its opening quote, and shows that strings have to be told apart properly.
    bare = brackets.replace(b'""', b"")
    brackets = _strings.sub(b"", brackets) if b'"' in bare else bare
    effort = _EFFORT * len(data)
    for done in range(max_depth):
        if 2 * done + len(brackets) <= max_depth:
            return True
        effort -= len(brackets)
        if effort < 0:
            break
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    return False


def _are_few(data: bytes | bytearray, most: int) -> bool:
    """Return True when there are at most so many opening brackets."""
    for bracket in b"[{":
        position = data.find(bracket)
        while position >= 0:
            most -= 1
            if most < 0:
                return False
            position = data.find(bracket, position + 1)
    return True
