"""What was said on one connection: the messages of both sides, matched, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.oracle import strict
from conformance.oracle.frames import BadFrame, FrameReader
from conformance.traffic.recording import REPLIES, REQUESTS, Event

LARGEST_SEQUENCE = (1 << 64) - 1
NOT_READ = ("nested too deep", "digits, where this reader")
"""How `strict.loads` refuses what is legal and more than it takes."""


@dataclass
class Message:
    """One message as it was written.

    ``problem`` says why it is not strict JSON, ``unread`` that it may be and is more than this reader takes.
    ``line_feed`` says whether a line feed follows at once, None where nothing follows any more.
    """

    at: float
    direction: str
    raw: bytes
    value: Any = None
    problem: str = ""
    unread: bool = False
    line_feed: bool | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """The object, empty where it is none."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def malformed(self) -> str:
        """Why the reader has to end the connection, empty where it has not."""
        return self.problem or malformed(self.direction, self.value, self.unread)


@dataclass
class Exchange:
    """A request and the replies that it got."""

    request: Message
    replies: list[Message] = field(default_factory=list)


@dataclass
class Conversation:
    """One connection. ``ended`` and ``closed``: when a direction had its end of file, and when its reader went away.

    ``stray`` are replies that no request was waiting for. ``exit`` is the event of the plugin's end, None where the
    recording ends before. ``cut`` is the unfinished message at the end of a direction.
    """

    events: Sequence[Event]
    messages: list[Message] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    stray: list[tuple[Message, Exchange | None]] = field(default_factory=list)
    reused: list[Message] = field(default_factory=list)
    ended: dict[str, float] = field(default_factory=dict)
    closed: dict[str, float] = field(default_factory=dict)
    cut: dict[str, bytes] = field(default_factory=dict)
    exit: Event | None = None

    @property
    def until(self) -> float:
        """When the recording ends."""
        return self.events[-1].at

    def first_malformed(self, direction: str) -> Message | None:
        """The first message of a direction with which its reader has to end the connection."""
        return next((m for m in self.messages if m.direction == direction and m.malformed), None)


def malformed(direction: str, value: Any, unread: bool = False) -> str:
    """Why a message is malformed by the table of section 13 of the specification, empty where it is not, or is free."""
    if unread or value is None:
        return ""
    if not isinstance(value, dict):
        return f"expected an object, got {type(value).__name__}"
    sequence = value.get("sequence")
    if sequence is not None and not _is_sequence(sequence):
        return f"the sequence is {sequence!r}"
    if direction == REQUESTS:
        for key in ("type", "namespace", "name"):
            if not isinstance(value.get(key), str | None):
                return f"{key} is neither a string nor null"
        return ""
    if not isinstance(value.get("error"), str | None):
        return "error is neither a string nor null"
    if not isinstance(value.get("ok"), bool | None):
        return "ok is neither a boolean nor null"
    services = value.get("services")
    if services is not None and not (isinstance(services, list) and all(isinstance(each, str) for each in services)):
        return "services is neither an array of strings nor null"
    return ""


def _is_sequence(value: Any) -> bool:
    """Whether this is a sequence, or a spelling of one that is free (7.0)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= LARGEST_SEQUENCE and value == int(value)


def converse(events: Sequence[Event]) -> Conversation:
    """The conversation that the events of one connection show."""
    talk = Conversation(events)
    readers = {REQUESTS: _Reader(REQUESTS), REPLIES: _Reader(REPLIES)}
    waiting: dict[Any, list[Exchange]] = {}
    answered: dict[Any, Exchange] = {}
    for event in events:
        if event.kind == "data":
            for message in readers[event.direction].feed(event):
                talk.messages.append(message)
                sequence = _key(message)
                if event.direction == REQUESTS:
                    exchange = Exchange(message)
                    if waiting.get(sequence):
                        talk.reused.append(message)
                    waiting.setdefault(sequence, []).append(exchange)
                    talk.exchanges.append(exchange)
                elif waiting.get(sequence):
                    exchange = waiting[sequence].pop(0)
                    exchange.replies.append(message)
                    answered[sequence] = exchange
                else:
                    talk.stray.append((message, answered.get(sequence)))
        elif event.kind == "eof":
            talk.ended.setdefault(event.direction, event.at)
        elif event.kind == "closed":
            talk.closed.setdefault(event.direction, event.at)
        elif event.kind == "exit":
            talk.exit = event
    for direction, reader in readers.items():
        if reader.rest:
            talk.cut[direction] = reader.rest
        if direction in talk.ended:
            reader.finish()
    return talk


def _key(message: Message) -> Any:
    """By what requests and replies are matched: an absent sequence counts as 0, which is free."""
    sequence = message.fields.get("sequence")
    if isinstance(sequence, bool) or not isinstance(sequence, int | float | None):
        return repr(sequence)
    return sequence or 0


class _Reader:
    """Cuts one direction into messages; after something that is no message it gives that, and nothing more."""

    def __init__(self, direction: str) -> None:
        self._direction = direction
        self._frames = FrameReader()
        self._pending: bytearray = bytearray()
        self._broken = False
        self._last: Message | None = None

    @property
    def rest(self) -> bytes:
        """What has begun and not ended."""
        return b"" if self._broken else bytes(self._pending).lstrip(b" \t\r\n")

    def feed(self, event: Event) -> list[Message]:
        """The messages that the data completes."""
        found: list[Message] = []
        pieces = event.data.split(b"}")
        for at, piece in enumerate(pieces):
            last = at == len(pieces) - 1
            data = piece if last else piece + b"}"
            if self._broken or not data:
                continue
            self._follows(data[:1] == b"\n")
            self._pending += data
            try:
                frames = self._frames.feed(data)
            except BadFrame as error:
                self._broken = True
                found.append(Message(event.at, self._direction, bytes(self._pending), problem=str(error)))
                continue
            if frames:
                self._pending.clear()
                self._last = self._message(event.at, frames[0])
                found.append(self._last)
        return found

    def finish(self) -> None:
        """The direction has ended: nothing follows."""
        self._follows(False)

    def _follows(self, line_feed: bool) -> None:
        """Note what follows the last message."""
        if self._last is not None:
            self._last.line_feed = line_feed
            self._last = None

    def _message(self, at: float, raw: bytes) -> Message:
        try:
            value = strict.loads(raw)
        except strict.NotStrict as error:
            if any(text in str(error) for text in NOT_READ):
                return Message(at, self._direction, raw, unread=True)
            return Message(at, self._direction, raw, problem=str(error))
        return Message(at, self._direction, raw, value)
