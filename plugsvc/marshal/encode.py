"""Checked Python values to JSON, and what can go wrong even then.

What JSON cannot carry in values of type Any is found here. The encoder refuses most of it, but writes NaN and
infinities as null, a Raw as it is, offsets from UTC without their seconds, and keys that become equal more than once.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import math
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from ..jsontext import without_lone_surrogates
from .checks import check_offset
from .mismatch import TOO_DEEP, Mismatch, kind
from .quickcheck import is_plain
from .raw import check_raw

__all__ = ["parts", "quick_json", "to_json"]

_FINE = frozenset((str, int, bool, type(None), bytes))
_SCALARS = _FINE | {float}
_TIMES = (datetime.datetime, datetime.date, datetime.time)
_LONG = 10**4300
_AS_THEY_ARE = (bytes, bytearray, memoryview, *_TIMES, uuid.UUID, decimal.Decimal)


def _plain(value: Any) -> Any:
    """Return a value that msgspec does not know as one that it knows. Raises `TypeError` where there is none."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int) and not isinstance(value, bool):  # True as a key
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"JSON cannot carry {kind(value)}")


_encode = msgspec.json.Encoder(enc_hook=_plain).encode
quick_json = _encode
"""As `to_json` for values that are exactly of their types, and raises anything where there is something wrong."""


def to_json(values: Sequence[Any], *, untyped: bool) -> bytes:
    """Return `values` as a JSON array.

    `untyped`: it may contain values that were not checked.

    Raises:
        Mismatch: JSON cannot carry a value.
    """
    try:
        data = _encode(values)
    except RecursionError:
        raise Mismatch(TOO_DEEP) from None
    except UnicodeEncodeError:
        data = _with_replacements(values)
    except Exception as error:
        raise _explain(values, error) from error
    if untyped and not all(map(is_plain, values)):
        _refuse_hidden(values)
    return data


def _with_replacements(values: Sequence[Any]) -> bytes:
    try:
        return _encode(_without_surrogates(values))
    except Mismatch:
        raise
    except RecursionError:
        raise Mismatch(TOO_DEEP) from None
    except Exception as error:
        raise _explain(values, error) from error


def _without_surrogates(value: Any) -> Any:
    """Return `value` with U+FFFD for every lone surrogate, in built-in types."""
    if isinstance(value, str):
        return without_lone_surrogates(str(value))
    if value is None or isinstance(value, (int, float, bytes, Raw)):
        return value
    if isinstance(value, Mapping):
        mapping = {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
        if len(mapping) < len(value):
            raise Mismatch("two keys are equal without their lone surrogates")
        return mapping
    if isinstance(value, (set, frozenset)):
        items = [_without_surrogates(item) for item in value]
        if any(items.count(item) > 1 for item in items):
            raise Mismatch("two elements of a set are equal without their lone surrogates")
        return items
    if isinstance(value, (list, tuple)):
        return [_without_surrogates(item) for item in value]
    if _has_fields(value):
        try:
            # The names of fields, and which are left out, are msgspec's business.
            return _without_surrogates(msgspec.to_builtins(value, enc_hook=_plain))
        except TypeError:  # it has a Raw in it
            return {name: _without_surrogates(item) for name, item in _members(value)}
    return value


def _has_fields(value: Any) -> bool:
    return isinstance(value, msgspec.Struct) or hasattr(type(value), "__dataclass_fields__")


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a struct or data class, as they are called in JSON."""
    if isinstance(value, msgspec.Struct):
        names = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
        pairs = [(encoded, getattr(value, name, msgspec.UNSET)) for encoded, name in names]
    else:
        # Whoever has a data class has this module; everybody else starts faster without it.
        from dataclasses import fields

        pairs = [(field.name, getattr(value, field.name, msgspec.UNSET)) for field in fields(value)]
    yield from ((name, item) for name, item in pairs if item is not msgspec.UNSET)


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the values directly inside of `value`, with where they are."""
    if isinstance(value, (list, tuple, set, frozenset)):
        yield from ((f"[{index}]", item) for index, item in enumerate(value))
    elif isinstance(value, Mapping):
        yield from ((f".{key}", item) for key, item in value.items())
    elif _has_fields(value):
        yield from ((f".{name}", item) for name, item in _members(value))


def parts(value: Any) -> list[Any]:
    """Return the values directly inside of `value` that may have values inside of them."""
    return [] if type(value) in _SCALARS else [item for _, item in _children(value) if type(item) not in _SCALARS]


def _places(values: Any) -> Iterator[tuple[str, Any]]:
    """Yield everything inside of `values`, outer before inner, with its path.

    Raises `Mismatch` where the nesting has no end: it does not follow the interpreter's stack.
    """
    limit = max(sys.getrecursionlimit(), 1000)
    todo = [_children(values)]
    path: list[str] = [""]
    while todo:
        for segment, item in todo[-1]:
            path[-1] = segment
            yield "".join(path), item
            if len(todo) > limit:
                raise Mismatch(TOO_DEEP)
            if type(item) not in _SCALARS:
                todo.append(_children(item))
                path.append("")
                break
        else:
            todo.pop()
            path.pop()


def _refuse_hidden(values: Any) -> None:
    """Raise `Mismatch` for what the encoder has let through and JSON cannot carry."""
    for path, item in _places(values):
        if isinstance(item, float) and not math.isfinite(item):
            raise Mismatch(f"expected a finite float, got {float(item)}", path)
        try:
            if isinstance(item, Raw):
                check_raw(item)
            elif isinstance(item, (datetime.datetime, datetime.time)):
                check_offset(item)
            elif isinstance(item, Mapping):
                _check_keys(item)
        except Mismatch as mismatch:
            raise mismatch.within(path) from None


def _check_keys(value: Mapping[Any, Any]) -> None:
    """Raise `Mismatch` when two keys are written alike, or one is no finite number."""
    if set(map(type, value)) <= {str}:
        return
    written: dict[bytes, Any] = {}
    for key in value:
        if isinstance(key, float) and not math.isfinite(key):
            raise Mismatch(f"key: expected a finite float, got {float(key)}")
        text = _encode({key: None})
        if text in written:
            raise Mismatch(f"the keys {written[text]!r} and {key!r} are the same in JSON")
        written[text] = key


def _explain(values: Any, error: Exception) -> Mismatch:
    """Return what the encoder's refusal of `values` comes from."""
    found = Mismatch(f"JSON cannot carry it: {error}")
    try:
        for path, item in _places(values):
            # The innermost value that fails for itself; its siblings before it have not failed.
            if found.path and not path.startswith(found.path):
                break
            problem = _problem(item)
            if problem:
                found = Mismatch(problem, path)
    except Mismatch as endless:
        return endless
    except Exception:
        # The values run code of their own when they are inspected: only the encoder's text is left.
        return found
    return found


def _problem(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _LONG:
        return "JSON cannot carry int: it has more digits than Python writes"
    if type(value) in _SCALARS:
        return None
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, (str, int, float, *_AS_THEY_ARE, enum.Enum)) or isinstance(key, bool):
                return f"expected str as a key, got {kind(key)}"
    try:
        _encode(value)
    except UnicodeEncodeError:
        return None
    except TypeError as error:
        if str(error).startswith(("JSON cannot carry", "Encoding objects")):
            return f"JSON cannot carry {kind(value)}"
        return f"JSON cannot carry {kind(value)}: {error}"
    except Exception as error:
        return f"JSON cannot carry {kind(value)}: {type(error).__name__}: {error}"
    return None
