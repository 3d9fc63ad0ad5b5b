"""The control channel of a plugin under test: instructions as lines, outcomes from lines."""

from __future__ import annotations

import json
import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from conformance.oracle import strict
from conformance.oracle.values import Type
from conformance.outcomes import Failure

KINDS = ("ok", "error", "panic", "unsupported")
SHALLOW = 16  # levels of a value nested too deep for the oracle that are looked at


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one instruction: ``kind`` is ok, error, panic or unsupported; ``line`` is how it was written.

    A value nested too deep for the oracle is cut short, with null in place of what lies deeper.
    """

    kind: str
    value: Any
    line: bytes = b""


@dataclass(frozen=True, slots=True)
class Ticket:
    """An instruction that was given; its outcome is fetched with it."""

    id: int
    what: str
    results: tuple[Type, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A JSON text to be put into an instruction as it stands, where Python's value of it would lose something."""

    text: str

    def __repr__(self) -> str:
        return self.text


def instruction(fields: dict[str, Any]) -> bytes:
    """One line for the testee; raises ValueError for NaN and infinities."""
    texts: list[str] = []

    def default(value: object) -> str:
        if not isinstance(value, Written):
            raise TypeError(f"an instruction cannot hold {value!r}")
        texts.append(value.text)
        return f"\0{len(texts) - 1}\0"

    line = json.dumps(fields, allow_nan=False, default=default)
    for number, text in enumerate(texts):
        line = line.replace(f'"\\u0000{number}\\u0000"', text)
    return line.encode() + b"\n"


MIB = 1 << 20


def longest_outcome(scale: float) -> int:
    """How many bytes an outcome may have, by the scale of large cases.

    It may repeat the largest string of a case, 64 MiB times the scale, with six bytes for each character.
    """
    return max(128 * MIB, int(512 * MIB * scale))


class Lines:
    """Splits a stream into lines; ``limit`` is how many bytes a line may have, without its line feed."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []  # long lines come in small pieces
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take more of the stream; returns the lines that are complete now.

        Raises:
            Failure: a line is longer than the limit, whether it is complete or not.
        """
        first, *rest = data.split(b"\n")
        self._add(first)
        lines = []
        for following in rest:
            lines.append(b"".join(self._pieces))
            self._pieces, self._size = [], 0
            self._add(following)
        return lines

    def _add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            begin = b"".join(self._pieces[:8])[:200] or piece[:200]
            self._pieces.clear()
            raise Failure(
                "the testee printed an outcome line that is too long",
                expected=f"a line feed within {self._limit} bytes",
                seen=f"{self._size} bytes without one, which begin with {begin!r}",
            )
        if piece:
            self._pieces.append(piece)


def read_outcome(line: bytes, known: Container[int]) -> tuple[int, Result]:
    """The outcome on a line, and the instruction that it belongs to.

    Raises:
        Failure: the line is not strict JSON, or no outcome of an instruction in ``known``.
    """
    try:
        value = strict.loads(line)
    except strict.NotStrict as error:
        try:
            value = strict.loads(cut(line, SHALLOW))
        except strict.NotStrict:
            seen = f"{error}: {line[:200]!r}"
            raise Failure("the testee printed an outcome that is not JSON", seen=seen) from None
        if "too deep" not in str(error):
            raise Failure("the testee printed an outcome that is not JSON", seen=f"{error}: {line[:200]!r}") from None
    id_ = value.get("id") if isinstance(value, dict) else None
    kinds = [kind for kind in KINDS if isinstance(value, dict) and kind in value]
    if type(id_) is not int or id_ not in known or len(kinds) != 1:
        raise Failure("the testee printed something that is no outcome", seen=line[:200].decode(errors="replace"))
    return id_, Result(kinds[0], value[kinds[0]], line)


_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)


def cut(text: bytes, levels: int) -> bytes:
    """A JSON text with null in place of every array and object that lies deeper than ``levels``."""
    parts: list[bytes] = []
    depth = start = 0
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token in (b"[", b"{"):
            depth += 1
            if depth == levels + 1:
                parts += [text[start : match.start()], b"null"]
        elif token in (b"]", b"}"):
            depth -= 1
            if depth == levels:
                start = match.end()
    return b"".join([*parts, text[start:]])
