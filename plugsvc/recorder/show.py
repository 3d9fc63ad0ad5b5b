"""Shows a recording as plain text: one line for each message and event, with the time that each reply took."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ..host.printable import printable
from ..jsontext import Malformed, Scanner, skip_space
from .recording import Event

__all__ = ["WIDTH", "show_lines"]

MAX_DEPTH = 100_000
WIDTH = 160


class _Messages:
    """Cuts the bytes of one direction into messages; from the first byte that is none on, everything is one rest."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._place = 0
        self._scanner = Scanner(MAX_DEPTH)
        self._reason: str | None = None

    def feed(self, data: bytes) -> Iterator[tuple[bytes, str | None]]:
        """Yield each message that the data completes; with a reason, what is no message."""
        if self._reason is not None:
            yield data, self._reason
            return
        self._buffer += data
        try:
            while True:
                if self._place == 0:
                    del self._buffer[: skip_space(self._buffer)]
                self._place = self._scanner.scan(self._buffer, self._place)
                if not self._scanner.done:
                    return
                yield bytes(self._buffer[: self._place]), None
                del self._buffer[: self._place]
                self._place = 0
                self._scanner.reset()
        except Malformed as error:
            self._reason = error.reason
            yield bytes(self._buffer), error.reason

    def rest(self) -> bytes:
        """Return what has begun and not ended."""
        return b"" if self._reason is not None else bytes(self._buffer)


def show_lines(events: Iterable[Event], *, width: int | None = WIDTH) -> Iterator[str]:
    """Yield lines: seconds since the connection began, direction, message; of a reply also how long it took.

    `>` is what the plugin wrote, `<` what the host wrote, `!` an event. Longer lines than `width` are cut short.
    """
    connections: dict[str, _Connection] = {}
    for event in events:
        connection = connections.get(event.connection)
        if connection is None:
            connection = connections[event.connection] = _Connection(event)
        for line in connection.lines(event):
            yield line if width is None or len(line) <= width else line[: width - 3] + "..."
    for connection in connections.values():
        for direction, rest in connection.unfinished():
            yield f"{'':12} {direction} unfinished: {printable(rest.decode('utf-8', 'replace'))}"


class _Connection:
    def __init__(self, first: Event) -> None:
        self._began = first.at
        self._messages = {">": _Messages(), "<": _Messages()}
        self._asked: dict[Any, list[tuple[float, str]]] = {}

    def lines(self, event: Event) -> Iterator[str]:
        at = f"{event.connection[:4]} {event.at - self._began:9.6f}"
        if event.kind != "data":
            yield f"{at} {event.direction or '!'} {_event(event)}"
            return
        for raw, reason in self._messages[event.direction].feed(event.data):
            text = printable(raw.decode("utf-8", "replace"))
            if reason is not None:
                yield f"{at} {event.direction} MALFORMED ({reason}): {text}"
            elif event.direction == ">":
                self._ask(event.at, raw)
                yield f"{at} > {text}"
            else:
                yield f"{at} < {self._answer(event.at, raw)}{text}"

    def unfinished(self) -> Iterator[tuple[str, bytes]]:
        for direction, messages in self._messages.items():
            if rest := messages.rest():
                yield direction, rest

    def _ask(self, at: float, raw: bytes) -> None:
        fields = _fields(raw)
        what = str(fields.get("name") or fields.get("type"))
        self._asked.setdefault(_sequence(fields), []).append((at, what))

    def _answer(self, at: float, raw: bytes) -> str:
        """Return what a reply is the answer to, and how long it took."""
        waiting = self._asked.get(_sequence(_fields(raw)))
        if not waiting:
            return "[no request is waiting] "
        asked, what = waiting.pop(0)
        return f"[{printable(what)}, {(at - asked) * 1000:.3f} ms] "


def _fields(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _sequence(fields: dict[str, Any]) -> str:
    return repr(fields.get("sequence") or 0)


_WORDS = {
    "eof": {">": "the plugin has ended its writing", "<": "the host has ended its writing"},
    "closed": {">": "the host does not read any more", "<": "the plugin does not read any more"},
}


def _event(event: Event) -> str:
    if event.kind in _WORDS and event.direction in _WORDS[event.kind]:
        return _WORDS[event.kind][event.direction]
    fields = ", ".join(f"{name} {json.dumps(value)}" for name, value in event.fields.items())
    return printable(f"{event.kind}: {fields}" if fields else event.kind)
