"""Messages that msgspec refuses: which are malformed, and why, and which are not.

The reader comes here with a whole JSON object that the fast decoder did not take. Legitimate reasons are a null in
place of an absent value, text that is not UTF-8 or has lone surrogates (U+FFFD stands for them), and nesting deeper
than the interpreter's stack allows at this moment.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from msgspec import Raw
from msgspec.json import Decoder

from ..jsontext import replace_invalid_text, skip_space, skip_value
from .messages import MAX_SEQUENCE, Reply, Request

__all__ = ["InvalidField", "read_reply", "read_request"]

T = TypeVar("T")

_KINDS = {
    ord('"'): "a string",
    ord("{"): "an object",
    ord("["): "an array",
    ord("t"): "true",
    ord("f"): "false",
    ord("n"): "null",
}
_ROOM = 2**31
"""As `max_depth` for JSON whose depth has been checked."""
_decode_text = Decoder(str).decode
_whole_number = re.compile(rb"-?[0-9]+").fullmatch


class InvalidField(Exception):
    """The message is JSON, but a field has a value that it cannot have. Never leaves the library."""


def _members(data: bytes) -> dict[str, bytes]:
    """Return the top-level members of a JSON object, as they are written; of duplicates the last."""
    members: dict[str, bytes] = {}
    position = skip_space(data, skip_space(data) + 1)
    while data[position] != 0x7D:
        if data[position] == 0x2C:
            position = skip_space(data, position + 1)
        end = skip_value(data, position, _ROOM)
        key = _text(data[position:end])
        start = skip_space(data, skip_space(data, end) + 1)
        position = skip_value(data, start, _ROOM)
        members[key] = data[start:position]
        position = skip_space(data, position)
    return members


def _elements(data: bytes) -> list[bytes]:
    """Return the elements of a JSON array, as they are written."""
    elements = []
    position = skip_space(data, 1)
    while data[position] != 0x5D:
        if data[position] == 0x2C:
            position = skip_space(data, position + 1)
        end = skip_value(data, position, _ROOM)
        elements.append(data[position:end])
        position = skip_space(data, end)
    return elements


def _text(data: bytes) -> str:
    return _decode_text(replace_invalid_text(data))


def _kind(data: bytes) -> str:
    return _KINDS.get(data[0], "a number")


def _sequence(data: bytes) -> int:
    if _kind(data) != "a number":
        raise InvalidField(f'"sequence" is {_kind(data)}, not an integer')
    if not _whole_number(data):
        raise InvalidField('"sequence" is not written as an integer')
    # Few digits first: Python refuses to read thousands of them.
    if len(data) > 20 or not 0 <= int(data) <= MAX_SEQUENCE:
        raise InvalidField(f'"sequence" is not in the range from 0 to {MAX_SEQUENCE}')
    return int(data)


def _string(name: str) -> Callable[[bytes], str]:
    def read(data: bytes) -> str:
        if _kind(data) != "a string":
            raise InvalidField(f'"{name}" is {_kind(data)}, not a string')
        return _text(data)

    return read


def _bool(data: bytes) -> bool:
    if data not in (b"true", b"false"):
        raise InvalidField(f'"ok" is {_kind(data)}, not a boolean')
    return data == b"true"


def _names(data: bytes) -> tuple[str, ...]:
    if _kind(data) != "an array":
        raise InvalidField(f'"services" is {_kind(data)}, not an array')
    names = []
    for element in _elements(data):
        if _kind(element) != "a string":
            raise InvalidField(f'"services" has {_kind(element)} in it, where only strings can be')
        names.append(_text(element))
    return tuple(names)


def _field(members: dict[str, bytes], key: str, read: Callable[[bytes], T], empty: T) -> T:
    data = members.get(key, b"null")
    return empty if data == b"null" else read(data)


def _raw(members: dict[str, bytes], key: str) -> Raw | None:
    return Raw(members[key]) if key in members else None


def read_request(data: bytes) -> Request:
    """Return the request in one whole, valid JSON object. Raises `InvalidField`."""
    members = _members(data)
    return Request(
        sequence=_field(members, "sequence", _sequence, 0),
        type=_field(members, "type", _string("type"), ""),
        namespace=_field(members, "namespace", _string("namespace"), ""),
        name=_field(members, "name", _string("name"), ""),
        args=_raw(members, "args"),
    )


def read_reply(data: bytes) -> Reply:
    """Return the reply in one whole, valid JSON object. Raises `InvalidField`."""
    members = _members(data)
    return Reply(
        sequence=_field(members, "sequence", _sequence, 0),
        services=_field(members, "services", _names, ()),
        ok=_field(members, "ok", _bool, False),
        reply=_raw(members, "reply"),
        error=_field(members, "error", _string("error"), None),
    )
