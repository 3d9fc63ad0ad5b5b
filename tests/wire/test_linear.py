"""The work of reading is linear in the bytes, counted and not timed, however a stream is written and cut."""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from plugsvc.jsontext import Scanner
from plugsvc.wire import ReplyReader, framing as framing_module

from .helpers import in_pieces

RECORD = b'{"id":12,"name":"n","tags":["}","{"],"sub":{"f":1.5}}'
MIXES: dict[str, Callable[[int], bytes]] = {
    "a string": lambda n: b'["' + b"x" * n + b'"]',
    "a string of braces": lambda n: b'["' + b"}" * n + b'"]',
    "a string of braces and brackets": lambda n: b'["' + b"}{][" * (n // 4) + b'"]',
    "a string of escapes": lambda n: b'["' + rb"\n\"\\\u00e9" * (n // 12) + b'"]',
    "records": lambda n: b"[" + b",".join([RECORD] * (n // len(RECORD))) + b"]",
    "records over lines": lambda n: b"[" + b",\n".join([RECORD.replace(b",", b"\n,\n")] * (n // len(RECORD))) + b"]",
    "white space": lambda n: b"[" + b" \n" * (n // 2) + b"]",
    "a long number": lambda n: b"[" + b"7" * n + b"]",
    "numbers": lambda n: b"[" + b"1," * (n // 2) + b"1]",
    "closed braces at the ends of pieces": lambda n: (
        b"[" + b",".join([b'{"a":"' + b"x" * 90 + b'"}'] * (n // 99)) + b"]"
    ),
    "deep and wide": lambda n: b"[" + b",".join([b"[" * 50 + b"]" * 50] * (n // 101)) + b"]",
    "wide before deep": lambda n: (b"[" + b"1," * (n // 80)) * 40 + b"1" + b"]" * 40,
}


class Work:
    """Counts bytes handed to the decoder, bytes handed to patterns and steps of the scanner."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.decoded = 0
        self.scanned = 0
        self.steps = 0
        monkeypatch.setattr(ReplyReader, "_attempt", self._counting_attempt(ReplyReader._attempt))
        monkeypatch.setattr(Scanner, "scan", self._counting_scan(Scanner.scan))
        monkeypatch.setattr(framing_module, "_possible_end", self._counting_search(framing_module._possible_end))

    def _counting_attempt(self, original: Any) -> Any:
        def attempt(reader: Any, data: bytes) -> Any:
            self.decoded += len(data)
            return original(reader, data)

        return attempt

    def _counting_scan(self, original: Any) -> Any:
        def scan(scanner: Any, data: Any, position: int) -> int:
            end: int = original(scanner, data, position)
            self.scanned += end - position
            self.steps += 1
            assert end >= position
            assert len(data) - end <= 6 or scanner.done  # nothing is left to be read again
            return end

        return scan

    def _counting_search(self, original: Any) -> Any:
        def search(data: bytes) -> Any:
            self.scanned += len(data)
            return original(data)

        return search


@pytest.mark.parametrize("size", [700, 4096, 65536])
@pytest.mark.parametrize("end", [b"\n", b""], ids=["newline", "none"])
@pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES)
def test_bytes_are_looked_at_a_limited_number_of_times(
    mix: Callable[[int], bytes], end: bytes, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work(monkeypatch)
    value = mix(400_000)
    stream = b'{"reply":%b}%b' % (value, end)
    reader = ReplyReader()
    messages = [message for piece in in_pieces(stream * 2, size) for message in reader.feed(piece)]
    reader.check()
    assert [bytes(message.reply or b"") for message in messages] == [value, value]
    assert work.scanned <= 2 * 2 * len(stream)
    assert work.decoded <= (framing_module._BUDGET + 2) * 2 * len(stream)
    assert work.steps <= 3 * (2 * len(stream) // size + 4)


def test_many_small_messages_in_one_piece_are_handed_over_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(monkeypatch)
    reader = ReplyReader()
    stream = b'{"sequence":1,"reply":[3]}\n' * 10_000
    assert len([message for piece in in_pieces(stream, 65536) for message in reader.feed(piece)]) == 10_000
    assert work.decoded <= 1.01 * len(stream)
    assert work.scanned <= 1000


@pytest.mark.parametrize("mix", MIXES)
def test_the_scanners_own_steps_are_linear(mix: str) -> None:
    def steps(n: int) -> int:
        calls = 0

        def count(frame: Any, event: str, argument: Any) -> None:
            nonlocal calls
            calls += event in ("call", "c_call")

        data = MIXES[mix](n)
        scanner, position = Scanner(1000, any_value=True), 0
        sys.setprofile(count)
        try:
            for end in range(0, len(data) + 4096, 4096):
                position = scanner.scan(data[:end], position)
        finally:
            sys.setprofile(None)
        assert scanner.done
        return calls

    few, many = steps(40_000), steps(160_000)
    assert many <= 4.5 * few + 200


@pytest.mark.parametrize("mix", MIXES)
def test_memory_is_not_needed_for_each_step(mix: str) -> None:
    data = MIXES[mix](2_000_000)
    scanner = Scanner(1000, any_value=True)
    tracemalloc.start()
    try:
        scanner.scan(data, 0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert scanner.finish()
    assert peak < 8 * 2**20


@pytest.mark.parametrize(
    "unfinished",
    [
        b'["' + rb"\n" * 1_000_000,
        b'["' + b"x" * 2_000_000,
        b'["' + b'","'.join([rb"a\"b" * 10] * 40_000),
        b"[" + b"[1,2,3,[" * 200,
        b"[" + b"1" * 2_000_000,
        b"[[" + b"1e5," * 400_000,
        b"[[" + b" " * 2_000_000,
        b'[{"a":' * 100 + b'"' + b"\\\\" * 1_000_000,
    ],
)
def test_a_value_that_does_not_end_is_given_up_in_linear_time(unfinished: bytes) -> None:
    started = time.process_time()
    scanner = Scanner(1000, any_value=True)
    assert scanner.scan(unfinished, 0) >= len(unfinished) - 6
    assert not scanner.done
    assert time.process_time() - started < 10  # a second at the very most; exponential or quadratic is for ever
