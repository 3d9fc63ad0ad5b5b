"""Show text that a plugin chose on one line, without what would control a terminal."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str, limit: int | None = None) -> str:
    """Return the text with an escape in the place of each character that is not printable, at most `limit` long."""
    shown = text if text.isprintable() else "".join(c if c.isprintable() else _escape(c) for c in text)
    return shown if limit is None or len(shown) <= limit else shown[: limit - 3] + "..."


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
