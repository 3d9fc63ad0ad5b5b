"""Text that UTF-8 cannot represent: lone surrogates and invalid bytes."""

from __future__ import annotations

import re

__all__ = ["replace_invalid_text", "without_lone_surrogates"]

# Escapes from the left, so that a backslash before a backslash takes no part.
_escapes = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_surrogate = re.compile(rb"\\u[dD][89a-fA-F]").search


def without_lone_surrogates(text: str) -> str:
    """Return `text` with surrogate pairs joined to the characters they mean, and lone surrogates replaced by U+FFFD."""
    # UTF-16 knows pairs; two lone surrogates next to each other that make a pair become one, as in any JSON reader.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def replace_invalid_text(data: bytes) -> bytes:
    """Return JSON with U+FFFD for every lone surrogate and for bytes that are not UTF-8."""
    if not data.isascii():
        data = data.decode("utf-8", "replace").encode()
    if not _surrogate(data):
        return data
    return _escapes.sub(lambda match: rb"\ufffd" if match[1] else match[0], data)
