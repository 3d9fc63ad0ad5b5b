"""Read and write JSON without losing digits: a number keeps the text that it was written with."""

from __future__ import annotations

import json
import sys
from typing import Any

sys.setrecursionlimit(10_000)  # values may be nested some hundred levels deep
MAX_DIGITS = 4_000  # Python refuses to convert longer integers


class Literal(float):
    """A number that remembers its text, because the float alone may say less: `1.10`, `-0`, `1e400`."""

    text: str

    def __new__(cls, text: str) -> Literal:
        self = super().__new__(cls, text)
        self.text = text
        return self


def _integer(text: str) -> int | Literal:
    return Literal(text) if text == "-0" or len(text) > MAX_DIGITS else int(text)


_decoder = json.JSONDecoder(parse_int=_integer, parse_float=Literal)


def loads(text: str) -> Any:
    """The value of a JSON text; raises ValueError."""
    return _decoder.decode(text)


def dumps(value: Any) -> str:
    """The strict JSON text of a value; raises ValueError or TypeError for what JSON cannot carry."""
    if isinstance(value, Literal):
        return value.text
    if isinstance(value, list):
        return "[" + ",".join(dumps(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(key))}:{dumps(item)}" for key, item in value.items()) + "}"
    return json.dumps(value, allow_nan=False)
