"""Integers of any number of digits, which Python itself reads and writes up to some 4,300 digits only.

The limit of the interpreter is left as it is: it belongs to the process, which may be somebody else's pytest.
"""

from __future__ import annotations

import sys

MAX_DIGITS = 1_000_000
"""How many digits are read at most: the work grows faster than the number of digits."""
_PART = sys.int_info.str_digits_check_threshold
"""So many digits are never refused, whatever the limit of the process is."""
_LONG = 10**_PART


def read_integer(text: str) -> int:
    """The integer written in ``text``: an optional minus sign and at most MAX_DIGITS digits.

    Raises:
        ValueError: it has more digits.
    """
    digits = text.removeprefix("-")
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(digits):,} digits, where this reader takes {MAX_DIGITS:,}")
    value = _read(digits)
    return -value if text.startswith("-") else value


def write_integer(value: int) -> str:
    """The digits of ``value``, with a minus sign before them if it is negative."""
    if value < 0:
        return f"-{write_integer(-value)}"
    if value < _LONG:
        return int.__repr__(value)
    parts: list[int] = [value]
    size = _PART
    while value >= 10 ** (2 * size):
        size *= 2
    width = size
    while True:
        power = 10**width
        parts = [half for part in parts for half in divmod(part, power)]
        if width == _PART:
            return "".join(f"{part:0{_PART}d}" for part in parts).lstrip("0")
        width //= 2


def is_long(value: object) -> bool:
    """Whether this is an integer that Python may refuse to write."""
    return isinstance(value, int) and abs(value) >= _LONG


def _read(digits: str) -> int:
    if len(digits) <= _PART:
        return int(digits)
    half = len(digits) // 2
    power: int = 10**half
    return _read(digits[:-half]) * power + _read(digits[-half:])
