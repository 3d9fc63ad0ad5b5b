"""Text that UTF-8 cannot carry."""

from __future__ import annotations

__all__ = ["without_lone_surrogates"]


def without_lone_surrogates(text: str) -> str:
    """Return `text` with surrogate pairs joined to the characters they mean, and lone surrogates replaced by U+FFFD."""
    # UTF-16 knows pairs; two lone surrogates next to each other that make a pair become one, as in any JSON reader.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
