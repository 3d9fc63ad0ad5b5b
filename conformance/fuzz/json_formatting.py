"""The same message in other bytes: white space, order of keys, escapes, unknown keys, cuts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, cycle, islice, pairwise
from typing import Any, ClassVar

from hypothesis import strategies as st

from conformance.fuzz.batches import MOST, planned, size_of
from conformance.fuzz.values import ANYS

_SPACES = ("", "", "", " ", "\n", "\t", "\r\n", "  \n ")


@dataclass(frozen=True)
class Formatting:
    """How a message is written; every choice comes out of ``choices``, a byte each, over and over."""

    choices: bytes
    ascii: bool
    unknown: bool

    def write(self, message: dict[str, Any]) -> bytes:
        """The bytes of a message in this formatting."""
        return _Writer(self).message(message)


class _Writer:
    def __init__(self, formatting: Formatting) -> None:
        self._style = formatting
        self._at = 0

    def message(self, message: dict[str, Any]) -> bytes:
        pairs = list(message.items())
        if self._style.unknown:
            pairs.append(("unknown to everybody", {"sequence": 0, "error": "not an error", "}": ["{"]}))
        turn = self._next() % len(pairs)
        return (self._object(pairs[turn:] + pairs[:turn]) + self._space()).encode("utf-8")

    def _next(self) -> int:
        self._at += 1
        choices = self._style.choices
        return choices[self._at % len(choices)] if choices else 0

    def _space(self) -> str:
        return _SPACES[self._next() % len(_SPACES)]

    def _object(self, pairs: list[tuple[str, Any]]) -> str:
        members = [
            f"{self._space()}{self._string(key)}{self._space()}:{self._space()}{self._value(value)}{self._space()}"
            for key, value in pairs
        ]
        return "{" + ",".join(members) + "}"

    def _value(self, value: Any) -> str:
        if isinstance(value, dict):
            return self._object(list(value.items()))
        if isinstance(value, list):
            return "[" + ",".join(f"{self._space()}{self._value(item)}{self._space()}" for item in value) + "]"
        if isinstance(value, str):
            return self._string(value)
        return json.dumps(value, allow_nan=False)

    def _string(self, text: str) -> str:
        if self._next() % 4:
            return json.dumps(text, ensure_ascii=self._style.ascii)
        units = text.encode("utf-16-be")
        codes = [int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2)]
        return '"' + "".join(f"\\u{code:04{'x' if self._next() % 2 else 'X'}}" for code in codes) + '"'


PLACE = 10**19
"""Stands for a sequence in a message of which the sequence is not known yet; no drawn number is as large."""


def in_place(written: bytes, sequence: int) -> bytes:
    """The message with its sequence at the `PLACE`, and white space up to the same length for every sequence."""
    return written.replace(b"%d" % PLACE, (b"%d" % sequence).ljust(20), 1)


STYLES = st.builds(Formatting, st.binary(max_size=24), st.booleans(), st.booleans())

Cuts = list[int] | bytes
"""Where bytes are cut: into pieces of these sizes, or behind each of these bytes."""

_BEHIND = [b"-+.", b'"\\udD', b"[{]}:,", b" \t\r\n", bytes(range(0x80, 0xF5))]
"""What numbers, strings, structure, white space and characters are apt to be cut behind."""
_SIZES: st.SearchStrategy[Cuts] = st.lists(st.one_of(st.integers(1, 4), st.integers(1, 60)), max_size=12)
CUTS = st.builds(
    lambda sizes, behind: (*sizes, *behind), st.lists(_SIZES, min_size=1, max_size=3), st.sampled_from([[], _BEHIND])
)
"""Several ways to cut, for one part of a stream each."""
TOGETHER = 8
"""Messages in one part of a stream."""


def in_pieces(messages: Sequence[bytes], cuts: Sequence[Cuts]) -> list[bytes]:
    """The messages joined, `TOGETHER` at a time, each such part cut in the next way."""
    parts = [b"".join(messages[at : at + TOGETHER]) for at in range(0, len(messages), TOGETHER)]
    return [piece for part, transport in zip(parts, cycle(cuts)) for piece in pieces(part, transport)]


def pieces(data: bytes, cuts: Cuts, most: int = 48) -> list[bytes]:
    """The data cut as it is said, the sizes over and over, and a last piece of what is left, ``most`` in all."""
    if isinstance(cuts, bytes):
        ends: Iterable[int] = (at for at, byte in enumerate(data, 1) if byte in cuts)
    else:
        ends = accumulate(cycle(cuts))
    places = [0, *islice(ends, most - 1), len(data)]
    found = [data[start:end] for start, end in pairwise(places)]
    return [piece for piece in found if piece]


@dataclass(frozen=True)
class MessageSession:
    """Values, formattings of the messages that carry them, a plan that pairs them, and ways to cut the bytes."""

    STEP: ClassVar[int] = 1
    """Bytes of one step of the plan."""

    pool: tuple[Any, ...]
    formattings: tuple[Formatting, ...]
    plan: bytes
    cuts: tuple[Cuts, ...]

    def turns(self) -> list[tuple[Any, Formatting]]:
        """For each message its value and its formatting."""
        return [(self.pool[value], self.formattings[formatting]) for value, formatting in self._picks()]

    def written(self, message: Callable[[Any], dict[str, Any]]) -> list[bytes]:
        """For each message its bytes, with a sequence still to be put `in_place`; ``message`` makes one of a value."""
        made: dict[tuple[int, int], bytes] = {}
        for pick in self._picks():
            if pick not in made:
                value, formatting = pick
                made[pick] = self.formattings[formatting].write(message(self.pool[value]))
        return [made[pick] for pick in self._picks()]

    def _picks(self) -> list[tuple[int, int]]:
        values, formattings = len(self.pool), len(self.formattings)
        sizes = [size_of(value) for value in self.pool]
        found: list[tuple[int, int]] = []
        size = 0
        for byte in self.plan:
            size += sizes[byte % values]
            if found and size > MOST:
                break
            found.append((byte % values, byte // values % formattings))
        return found


def message_sessions(size: int) -> st.SearchStrategy[MessageSession]:
    """Talks of about ``size`` messages."""
    pool = ANYS.map(tuple)
    formattings = st.lists(STYLES, min_size=1, max_size=6).map(tuple)
    return planned(
        lambda plan, cuts, formattings, pool: MessageSession(pool, formattings, plan, cuts),
        size,
        CUTS,
        formattings,
        pool,
    )


DAMAGES = ("flip", "delete", "insert", "duplicate", "overwrite", "truncate", "splice", "swap", "repeat")


@dataclass(frozen=True)
class Damage:
    """One change of a stream of bytes at a relative place (0 to 1), and perhaps further changes behind it.

    ``other`` is a second relative place: where a splice takes its bytes from, what a swap exchanges.
    """

    kind: str
    place: float
    data: bytes
    other: float = 0.0
    then: tuple[Damage, ...] = ()

    def kinds(self) -> list[str]:
        """The kinds of all changes."""
        return [self.kind, *(kind for damage in self.then for kind in damage.kinds())]

    def apply(self, stream: bytes) -> tuple[bytes, int]:
        """The damaged stream, and the place of the first byte that may differ."""
        damaged, first = self.change(stream)
        for damage in self.then:
            damaged, at = damage.change(damaged)
            first = min(first, at)
        return damaged, first

    def change(self, stream: bytes) -> tuple[bytes, int]:
        """This change alone: the changed stream, and the place of the first byte that may differ."""
        at = min(int(self.place * len(stream)), max(len(stream) - 1, 0))
        before, after = stream[:at], stream[at:]
        size = max(1, len(self.data))
        far = min(int(self.other * len(stream)), max(len(stream) - 1, 0))
        chunk = stream[far : far + size * 8]
        if self.kind == "flip" and after:
            return before + bytes([after[0] ^ (1 << len(self.data) % 8)]) + after[1:], at
        if self.kind == "delete":
            return before + after[size * size :], at
        if self.kind == "insert":
            return before + self.data + after, at
        if self.kind == "duplicate":
            return before + after[: size * 4] + after, at
        if self.kind == "overwrite":
            return before + self.data + after[len(self.data) :], at
        if self.kind == "splice":  # a part of one message in the middle of another
            return before + chunk + after[len(chunk) :], at
        if self.kind == "swap":
            low, high = sorted((at, far))
            return stream[:low] + stream[high : high + size] + stream[low + size : high] + stream[low : low + size] + (
                stream[high + size :]
            ), low
        if self.kind == "repeat":
            return before + after[:1] * (size * 50) + after, at
        return before, at


_PIECES = [
    b"}", b"{", b'"', b"\\", b"]", b"[", b",", b":", b"\0", b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"\xef\xbb\xbf",
    b"NaN", b"-Infinity", b"1e999", b"\\ud800", b"\\u12", b"-", b"01", b"null", b"{}", b'"sequence":1,', b"/**/",
]  # fmt: skip


def _damage(then: st.SearchStrategy[tuple[Damage, ...]]) -> st.SearchStrategy[Damage]:
    places = st.floats(0, 1, width=32)
    data = st.one_of(st.binary(min_size=1, max_size=6), st.sampled_from(_PIECES))
    return st.builds(Damage, st.sampled_from(DAMAGES), places, data, places, then)


DAMAGE = _damage(st.one_of(st.just(()), st.lists(_damage(st.just(())), max_size=2).map(tuple)))
