"""An example as data: what a failure hands to ``--replay``, and what a saved regression holds.

It is the example itself and not the choices that led to it: so it means the same with another version of hypothesis,
another testee, and on another machine.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import fields, is_dataclass
from typing import Any

from conformance.fuzz.batches import Batch, Typed
from conformance.fuzz.json_formatting import Damage, Formatting, MessageSession
from conformance.fuzz.prototypes import Prototypes
from conformance.fuzz.state_machine import Scenario

_CLASSES: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (Batch, Typed, Formatting, MessageSession, Damage, Scenario, Prototypes)
}


class RecordError(ValueError):
    """The text is no example of this version of the suite; one line."""


def encode(value: Any) -> Any:
    """The value as plain JSON data: what JSON has no form for is an object of one member that names the form.

    Raises:
        TypeError: the value holds something that no example holds.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in value]}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, dict):
        return {"dict": [[key, encode(item)] for key, item in value.items()]}
    if is_dataclass(value) and type(value).__name__ in _CLASSES:
        return {type(value).__name__: {each.name: encode(getattr(value, each.name)) for each in fields(value)}}
    raise TypeError(f"no part of an example: {type(value).__name__}")


def decode(data: Any) -> Any:
    """The inverse of `encode`.

    Raises:
        RecordError: the data has another form.
    """
    if isinstance(data, list):
        return [decode(item) for item in data]
    if not isinstance(data, dict):
        return data
    if len(data) != 1:
        raise RecordError(f"expected one member, got {len(data)}")
    ((form, inner),) = data.items()
    try:
        if form == "tuple":
            return tuple(decode(item) for item in inner)
        if form == "bytes":
            return bytes.fromhex(inner)
        if form == "dict":
            return {key: decode(item) for key, item in inner}
        return _CLASSES[form](**{name: decode(item) for name, item in inner.items()})
    except (KeyError, TypeError, ValueError, AttributeError):
        raise RecordError(f"not of this version's form: {form}") from None


def pack(case: str, example: Any) -> str:
    """The example of a case as one word for a command line."""
    text = json.dumps([case, encode(example)], separators=(",", ":"))
    return base64.urlsafe_b64encode(zlib.compress(text.encode("ascii"), 9)).decode("ascii").rstrip("=")


def unpack(word: str) -> tuple[str, Any]:
    """The inverse of `pack`: a case and its example.

    Raises:
        RecordError: the word is no example, or was damaged on its way.
    """
    try:
        data = zlib.decompress(base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_", validate=True))
        case, example = json.loads(data)
        return str(case), decode(example)
    except (ValueError, TypeError, zlib.error, RecursionError) as error:
        reason = f" ({error})" if isinstance(error, RecordError) else ""
        raise RecordError(f"not an example to be replayed: {word[:60]}{reason}") from None
