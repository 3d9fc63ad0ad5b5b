"""JSON arrays to Python values, by type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import msgspec
from msgspec import MsgspecError, Raw, inspect
from msgspec.json import Decoder

from ..jsontext import replace_invalid_text, restore_negative_zeros
from .checks import Check, residual
from .mismatch import TOO_DEEP, Mismatch, from_msgspec
from .nulls import fill_nulls
from .stack import check_depth_of_json
from .typeinfo import extra, may_be_deep, reaches
from .types import FLOAT32

__all__ = ["ArrayDecoder"]

_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
_LONG = b"0" * 19
_WITH_ZERO_SIGN = (inspect.FloatType, inspect.DecimalType, inspect.AnyType)
_MORE = 16
"""So many values beyond those that may come are counted, to say how many there are."""


class ArrayDecoder:
    """Decodes a JSON array that has one value for each of some types."""

    def __init__(self, nodes: Sequence[inspect.Type], annotations: Sequence[Any], required: int, noun: str) -> None:
        """`required`: how many values there must be at least, the others may be left out from the end.

        `noun`: what the values are called in texts, such as "argument".
        """
        self._nodes = tuple(nodes)
        self._annotations = tuple(annotations)
        self._required = required
        self._noun = noun
        self._decode = _decoder(self._annotations)
        self._residual: list[tuple[int, Check]] = [
            (index, check) for index, node in enumerate(nodes) if (check := residual(node)) is not None
        ]
        self._may_hold_floats = any(
            reaches(node, lambda part: isinstance(part, inspect.FloatType | inspect.DecimalType | inspect.AnyType))
            for node in nodes
        )
        self._may_be_deep = any(map(may_be_deep, nodes))
        self._only_integers = not any(reaches(node, lambda part: extra(part) == FLOAT32) for node in nodes)

    def decode(self, data: bytes | Raw | None) -> tuple[Any, ...]:
        """Return the values in `data`, which is a JSON array, or None for nothing at all.

        Raises:
            Mismatch: they do not fit. The path begins with the position in the array.
        """
        if data is not None and self._may_be_deep:
            check_depth_of_json(bytes(data))
        signed = data
        if self._may_hold_floats and data is not None and _may_hold_negative_zero(bytes(data)):
            # msgspec reads -0 as an integer, without its sign. Where an integer is wanted, the second try has it.
            signed = restore_negative_zeros(bytes(data))
        try:
            values: tuple[Any, ...] = self._decode(signed)
        except RecursionError:
            raise Mismatch(TOO_DEEP) from None
        except Exception as error:
            values = self._second_try(data, error if signed is data else None)
        if self._residual and not (self._only_integers and _has_small_integers(data)):
            for index, check in self._residual:
                if index >= len(values):  # left out, as everything after it
                    break
                try:
                    check(values[index])
                except Mismatch as mismatch:
                    raise mismatch.within(f"[{index}]") from None
        return values

    def _second_try(self, raw: bytes | Raw | None, error: Exception | None) -> tuple[Any, ...]:
        """Return the values after all, or raise what is really wrong.

        `error`: what came of decoding `raw` as it is, if that was tried. It is not tried again: a message may be large.
        """
        if raw is None:
            raise Mismatch(f"expected an array of {self._counted()}, got nothing")
        given = bytes(raw).strip()
        try:
            data = replace_invalid_text(given)
            nodes, decode = self._nodes, self._decode
            if data[:1] == b"[":
                count = self._count(data)
                if count < len(nodes):
                    nodes, decode = nodes[:count], _decoder(self._annotations[:count])
            if b"null" in data:
                data = fill_nulls(data, inspect.TupleType(tuple(nodes)))
            if error is not None and decode is self._decode and data == given:
                raise error
            values: tuple[Any, ...] = decode(data)
        except RecursionError:
            raise Mismatch(TOO_DEEP) from None
        except msgspec.ValidationError as invalid:
            mismatch = from_msgspec(invalid)
            if not mismatch.path and mismatch.text.startswith("expected array, got "):
                got = mismatch.text.removeprefix("expected array, got ")
                raise Mismatch(f"expected an array of {self._counted()}, got {got}") from None
            raise mismatch from None
        except MsgspecError as malformed:
            raise Mismatch(f"not JSON: {malformed}") from None
        except Mismatch:
            raise
        except Exception as other:
            # A class may run code of its own when it is made.
            raise Mismatch(f"{type(other).__name__}: {other}") from other
        return values

    def _count(self, data: bytes) -> int:
        """Return how many values there are in a JSON array. Raises `Mismatch` for a wrong number, without reading on.

        Raises:
            MsgspecError: it is no JSON.
        """
        most = len(self._nodes) + _MORE
        try:
            elements = _counter(most)(data)
        except msgspec.ValidationError:
            raise Mismatch(f"expected {self._counted()}, got more than {most}") from None
        count = sum(element is not None for element in msgspec.structs.astuple(elements))
        if not self._required <= count <= len(self._nodes):
            raise Mismatch(f"expected {self._counted()}, got {count}")
        return count

    def _counted(self) -> str:
        most = len(self._nodes)
        if self._required < most:
            return f"{self._required} to {most} {self._noun}s"
        return f"{most} {self._noun}{'' if most == 1 else 's'}"


@cache
def _counter(most: int) -> Callable[[bytes], msgspec.Struct]:
    """Return a decoder of arrays of at most so many elements, which makes none of their values."""
    fields = [(f"element_{index}", Raw, None) for index in range(most)]
    return Decoder(msgspec.defstruct("Elements", fields, array_like=True, forbid_unknown_fields=True)).decode


def _may_hold_negative_zero(data: bytes) -> bool:
    # A search for one byte is many times as fast as one for two.
    return b"-" in data and b"-0" in data


def _has_small_integers(data: bytes | Raw | None) -> bool:
    """Return True when no integer in this JSON can be out of any 64-bit range: no 19 digits follow one another."""
    return data is not None and _LONG not in bytes(data).translate(_DIGITS_TO_ZERO)


def _decoder(annotations: tuple[Any, ...]) -> Any:
    return Decoder(tuple[annotations] if annotations else tuple[()]).decode  # type: ignore[valid-type]
