"""What does not fit, and where: the one form of error texts about values."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["TOO_DEEP", "Mismatch", "from_msgspec", "kind"]

TOO_DEEP = "nested too deeply, or contains itself"

_KINDS = {
    "NoneType": "null",
    "list": "array",
    "tuple": "array",
    "set": "array",
    "frozenset": "array",
    "dict": "object",
}
_parts = re.compile(r"(.*?)(?: - at (?:`key` in )?`\$([^`]*)`)?", re.DOTALL).fullmatch


class Mismatch(Exception):
    """A value does not fit. Never leaves the package `marshal`, where it becomes a `MarshalError`.

    `text` says what was expected; the path is built from the inside out with `within`.
    """

    def __init__(self, text: str, path: str = "") -> None:
        super().__init__(text, path)
        self.text = text
        self.path = path

    def within(self, segment: str) -> Mismatch:
        """Return the same mismatch as seen from the value that has it at `segment`."""
        return Mismatch(self.text, segment + self.path)


def kind(value: Any) -> str:
    """Return what error texts call the type of `value`: the JSON name where JSON has one, otherwise Python's."""
    name = type(value).__name__
    return _KINDS.get(name, name)


def from_msgspec(error: Exception) -> Mismatch:
    """Return what msgspec says, in our form: ``Expected `int`, got `str` - at `$[1].x` `` becomes
    `expected int, got str` at `[1].x`.
    """
    match = _parts(str(error))
    assert match is not None  # every text matches
    text = match[1].replace("`", "")
    text = text[:1].lower() + text[1:]
    return Mismatch(f"key: {text}" if "`key` in" in str(error) else text, match[2] or "")
