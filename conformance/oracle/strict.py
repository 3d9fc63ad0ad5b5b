"""JSON as RFC 8259 says it, and nothing else: the reading half of the oracle."""

from __future__ import annotations

import json
import secrets
from typing import Any, NoReturn

from conformance.oracle.integers import is_long, read_integer, write_integer


class NotStrict(ValueError):
    """The text is not strict JSON; the message says why."""


class Lexeme(str):
    """A number exactly as it was written; equal only to the same digits."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """An object as the pairs that were written, in order, duplicates included."""

    __slots__ = ()


def _refuse_constant(token: str) -> NoReturn:
    raise NotStrict(f"the token {token} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotStrict(f"the key {twice!r} is written twice")
    return found


_values = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=read_integer, object_pairs_hook=_object)
_written = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_int=Lexeme, parse_float=Lexeme, object_pairs_hook=Pairs
)


def _text(data: bytes | str) -> str:
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotStrict(f"invalid UTF-8 at byte {error.start}: {error.reason}") from None


def _decode(decoder: json.JSONDecoder, data: bytes | str) -> Any:
    try:
        return decoder.decode(_text(data))
    except NotStrict:
        raise
    except json.JSONDecodeError as error:
        raise NotStrict(f"{error.msg} at character {error.pos}") from None
    except RecursionError:
        raise NotStrict("nested too deep for this reader") from None
    except ValueError as error:  # an integer of too many digits
        raise NotStrict(str(error)) from None


def loads(data: bytes | str) -> Any:
    """The value of one JSON text.

    Raises:
        NotStrict: not UTF-8, not RFC 8259, a duplicate key, or nested some hundreds of levels deep.
    """
    return _decode(_values, data)


def loads_written(data: bytes | str) -> Any:
    """The value as it was written: numbers as `Lexeme`, objects as `Pairs`.

    Raises:
        NotStrict: as `loads`, but duplicate keys are kept.
    """
    return _decode(_written, data)


def dumps(value: Any) -> bytes:
    """One compact JSON text in UTF-8, lone surrogates as escapes; raises ValueError for NaN and infinities."""
    try:
        return _dumps(value)
    except ValueError as error:
        if "digits" not in str(error):
            raise
    written: dict[str, str] = {}
    data = _dumps(_with_placeholders(value, secrets.token_hex(8), written))
    for placeholder, digits in written.items():
        data = data.replace(f'"{placeholder}"'.encode(), digits.encode())
    return data


def _dumps(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8 form, only an escape
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def _with_placeholders(value: Any, token: str, written: dict[str, str]) -> Any:
    """``value`` with a text for each integer that ``json`` may refuse to write; ``written`` takes their digits."""
    if is_long(value):
        placeholder = f"{token}-{len(written)}"
        written[placeholder] = write_integer(value)
        return placeholder
    if isinstance(value, dict):
        return {key: _with_placeholders(item, token, written) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_placeholders(item, token, written) for item in value]
    return value
