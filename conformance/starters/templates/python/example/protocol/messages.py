"""Messages: which fields they have, and how they are read and written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import exactjson
from protocol.scanner import Malformed

MAX_SEQUENCE = 2**64 - 1
ABSENT = object()  # a field that is not there, where null means something else


@dataclass(frozen=True)
class Request:
    """What a plugin asks; `args` is whatever came."""

    sequence: int
    type: str
    namespace: str
    name: str
    args: Any


@dataclass(frozen=True)
class Reply:
    """What a host answers; `reply` is whatever came."""

    sequence: int
    reply: Any
    ok: bool
    services: list[str]
    error: str | None


def write(**fields: Any) -> bytes:
    """A message, with the line feed at its end; raises ValueError or TypeError for what JSON cannot carry."""
    return exactjson.dumps(fields).encode() + b"\n"


def read_request(message: bytes) -> Request:
    """Raises Malformed."""
    fields = _object(message)
    texts = (_text(fields, key) or "" for key in ("type", "namespace", "name"))
    return Request(_sequence(fields), *texts, args=fields.get("args", ABSENT))


def read_reply(message: bytes) -> Reply:
    """Raises Malformed."""
    fields = _object(message)
    ok, services = fields.get("ok"), fields.get("services")
    if not isinstance(ok, bool | None):
        raise Malformed("`ok` is no boolean")
    if services is not None and not (isinstance(services, list) and all(isinstance(s, str) for s in services)):
        raise Malformed("`services` is no array of strings")
    reply, error = fields.get("reply", ABSENT), _text(fields, "error")
    return Reply(_sequence(fields), reply, bool(ok), services or [], error)


def _object(message: bytes) -> dict[str, Any]:
    try:
        fields: dict[str, Any] = exactjson.loads(message.decode("utf-8", "replace"))
    except ValueError as error:
        raise Malformed(str(error)) from None
    return fields


def _sequence(fields: dict[str, Any]) -> int:
    sequence = fields.get("sequence")
    if sequence is None:
        return 0
    if isinstance(sequence, bool) or not isinstance(sequence, int) or not 0 <= sequence <= MAX_SEQUENCE:
        raise Malformed("`sequence` is no integer from 0 to 2^64-1")
    return sequence


def _text(fields: dict[str, Any], key: str) -> str | None:
    value = fields.get(key)
    if not isinstance(value, str | None):
        raise Malformed(f"`{key}` is no string")
    return value
