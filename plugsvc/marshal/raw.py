"""Checks of raw JSON, which is passed through unchanged."""

from __future__ import annotations

from typing import Any

from msgspec import MsgspecError, Raw
from msgspec.json import Decoder

from ..jsontext import Malformed, skip_space, skip_value
from .mismatch import Mismatch, kind

__all__ = ["RAW_DEPTH", "check_raw"]

RAW_DEPTH = 10_000
_decode = Decoder(Raw).decode


def check_raw(value: Any) -> None:
    """Return when `value` is a Raw with exactly one JSON value in it; otherwise raise `Mismatch`.

    What stands in a Raw goes onto the wire as it is, so anything else would end the connection, or say something else.
    """
    if not isinstance(value, Raw):
        raise Mismatch(f"expected Raw, got {kind(value)}")
    data = bytes(value)
    try:
        _decode(data)
    except (MsgspecError, RecursionError):
        # Also lone surrogates, which JSON may have and msgspec does not read.
        _check_slowly(data)
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError as error:
            raise Mismatch(f"a Raw is not UTF-8 at its byte {error.start}") from None


def _check_slowly(data: bytes) -> None:
    try:
        end = skip_space(data, skip_value(data, 0, RAW_DEPTH))
    except Malformed as malformed:
        raise Mismatch(f"a Raw is not JSON at its byte {malformed.position}: {malformed.reason}") from None
    if end != len(data):
        raise Mismatch(f"a Raw has more than one JSON value in it, from its byte {end} on")
