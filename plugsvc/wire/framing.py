"""The message reader: bytes to messages, wherever the reads cut them.

The stream is JSON objects with any white space, or none, between them. A message is complete with its last byte,
whether or not a newline follows. Most reads hold complete messages that end in a newline: msgspec decodes them at once.
Everything else goes to the scanner, which keeps its position, so that the work is linear in the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar

from msgspec import DecodeError, MsgspecError
from msgspec.json import Decoder

from ..errors import ProtocolError
from ..jsontext import Malformed, Scanner, provably_shallow, skip_space
from .fields import InvalidField, read_reply, read_request
from .messages import MAX_SEQUENCE, Reply, Request

__all__ = ["MAX_DEPTH", "MAX_MESSAGE", "MessageReader", "ReplyReader", "RequestReader"]

MAX_MESSAGE = 256 * 1024 * 1024
"""The longest message that is read unless told otherwise, in bytes."""
MAX_DEPTH = 500
"""How deep a message may be nested unless told otherwise, its own braces counted."""

_STACKED = 500
"""How deep a message may be nested for msgspec to decode it. It calls itself for each level, which takes 50 bytes of
stack: so many levels fit on the smallest stack of a thread, whatever the interpreter's limit on recursion is."""
_LARGE = 4096
"""Pieces of this size or more are searched for a possible end of a message before they are scanned."""
_HUGE = 256 * 1024
"""With a buffer of this size or more, small pieces are searched like large ones, and large pieces are no longer decoded
only to detect errors early. Errors are then found where a message may end, or at the end of the stream."""
_BUDGET = 16
"""How often the bytes of a message may be decoded without success, on average, before only the scanner is used. It
takes some fifty times as long as msgspec, but keeps its position."""
_EXCERPT = 32
_ENDS = b"\n}"

# A brace that may end a message: what follows it inside of one is a comma or another closing bracket.
_possible_end = re.compile(rb"\}(?![ \t\r\n]*[,\]}])").search

_lone_surrogate = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])").search

M = TypeVar("M", Request, Reply)


class MessageReader(Generic[M]):
    """Turns bytes, cut anywhere, into messages. Does no I/O.

    `error` is None until the stream turns out to be malformed; from then on it is what `feed`, `check` and `eof` raise.
    Use `RequestReader` or `ReplyReader`.
    """

    _type: type[M]
    _read: ClassVar[Callable[..., Request | Reply]]

    def __init__(self, *, max_message: int = MAX_MESSAGE, max_depth: int = MAX_DEPTH) -> None:
        """`max_message`: the longest message to read, in bytes. `max_depth`: the deepest nesting to read, in levels."""
        self.error: ProtocolError | None = None
        self._max_message = max_message
        self._stacked = min(max_depth, _STACKED)
        self._short = min(2 * max_depth, max_message, _STACKED)
        decoder = Decoder(self._type)
        self._decode: Callable[[bytes], M] = decoder.decode
        self._decode_many: Callable[[bytes | bytearray], list[M]] = decoder.decode_lines
        self._scanner = Scanner(max_depth)
        self._buffer = bytearray()  # begins with the first byte of an unfinished message
        self._base = 0  # where in the stream the buffer begins
        self._scanned = 0  # how much of the buffer the scanner has seen
        self._tried = 0  # how many bytes of it have been decoded without success
        self._truncated = False  # the last attempt to decode found a beginning of a message and nothing wrong

    @property
    def buffered(self) -> int:
        """How many bytes of an unfinished message are held."""
        return len(self._buffer)

    @property
    def offset(self) -> int:
        """How many bytes of the stream are done with: the position of the unfinished message, if there is one."""
        return self._base

    def check(self) -> None:
        """Raise the `ProtocolError` that has ended the stream, if one has."""
        if self.error is not None:
            # A new one each time: an exception that is raised again drags its old traceback along.
            raise ProtocolError(self.error.reason, self.error.offset, self.error.excerpt)

    def feed(self, data: bytes) -> list[M]:
        """Return the messages that `data` completes, in order.

        When something in `data` is malformed, the messages before it are returned and `error` is set; the next
        call raises. `data` must be bytes, which nobody changes: the raw parts of messages look into it.

        Raises:
            ProtocolError: what is in `error`, found by an earlier call. `data` is ignored.
        """
        if not self._buffer and 0 < len(data) <= self._short and data[-1] in _ENDS and self.error is None:
            # The usual case first: short, complete messages.
            try:
                short = self._decode_many(data)
            except (MsgspecError, UnicodeDecodeError, RecursionError):
                short = None
            if short is not None:
                for message in short:
                    if not 0 <= message.sequence <= MAX_SEQUENCE:
                        break
                else:
                    self._base += len(data)
                    return short
        self.check()
        if not data:
            return []
        if not self._buffer:
            return self._begin(data)
        # Writers put newlines after messages, so up to the last one they are most likely complete.
        cut = self._likely_end(data)
        if not cut or self._tried > _BUDGET * len(self._buffer):
            self._buffer += data
            return self._go_on(data, cut=0)
        self._buffer += data[:cut]
        messages = self._attempt(self._buffer)
        if messages is None:
            self._buffer += data[cut:]
            return self._go_on(data, cut)
        self._base += len(self._buffer)
        # The old buffer is not ours any more: the messages' raw parts look into it.
        self._buffer = bytearray()
        self._scanned = self._tried = 0
        self._scanner.reset()
        return messages + self._rest(data[cut:])

    def _begin(self, data: bytes) -> list[M]:
        """Take `data` while no message is unfinished."""
        cut = self._likely_end(data)
        if cut == len(data):
            messages = self._attempt(data)
            if messages is not None:
                self._base += cut
                return messages
        elif cut:
            messages = self._attempt(data[:cut])
            if messages is not None:
                self._base += cut
                return messages + self._rest(data[cut:])
        self._keep(data)
        return self._go_on(data, cut)

    def _likely_end(self, data: bytes) -> int:
        """Return where complete messages in `data` may end, for a quick attempt to decode them; 0 for none."""
        if data[-1] in _ENDS:
            return len(data)
        cut = data.rfind(b"\n") + 1
        if not cut and len(data) >= _LARGE and len(self._buffer) < _HUGE:
            # It hardly ends there; but then it is known whether all of it can be the beginning of a message.
            return len(data)
        return cut

    def _rest(self, data: bytes) -> list[M]:
        """Take what follows the last newline of a piece."""
        return self._begin(data) if data else []

    def eof(self) -> None:
        """Take note that the stream has ended.

        Raises:
            ProtocolError: it was malformed, or it ends in the middle of a message.
        """
        self.check()
        if self._buffer:
            if self._scanned < len(self._buffer):
                self._scan([])
            if self.error is None and self._buffer:
                self._fail("the stream ends in the middle of a message", len(self._buffer))
            self.check()

    def _attempt(self, data: bytes | bytearray) -> list[M] | None:
        """Decode `data` as complete messages at once; return None if it is anything else."""
        self._truncated = False
        if len(data) > self._max_message:
            return None
        if not self._is_shallow(data):
            self._tried += len(data)
            return None
        try:
            messages = self._decode_many(data)
        except DecodeError as error:
            self._tried += len(data)
            # This text is also msgspec's answer to a lone surrogate: then it says nothing about the end.
            self._truncated = str(error) == "Input data was truncated" and not (b"\\" in data and _lone_surrogate(data))
            return None
        except (MsgspecError, UnicodeDecodeError, RecursionError):
            self._tried += len(data)
            return None
        for message in messages:
            if not 0 <= message.sequence <= MAX_SEQUENCE:
                return None
        return messages

    def _is_shallow(self, data: bytes | bytearray) -> bool:
        """Return True when msgspec can decode `data` within the limit on depth and on any stack."""
        return len(data) <= self._short or provably_shallow(data, self._stacked)

    def _keep(self, data: bytes) -> None:
        """Begin the empty buffer with `data`, without white space before it."""
        start = skip_space(data)
        self._base += start
        self._buffer += data[start:] if start else data

    def _go_on(self, data: bytes, cut: int) -> list[M]:
        """Return the messages that end in the buffer, to which `data` was added; `cut` bytes were tried already."""
        messages: list[M] = []
        large = len(data) >= _LARGE or len(self._buffer) >= _HUGE
        if not large or not self._is_middle(data, cut):
            self._scan(messages)
        if self.error is None and len(self._buffer) > self._max_message:
            self._fail_size(0)
        return messages

    def _is_middle(self, data: bytes, cut: int) -> bool:
        """Return True when no message ends in `data`, a large piece, as far as can be told without scanning it."""
        if cut and not self._truncated:
            return False
        if cut < len(data) and len(self._buffer) < _HUGE:
            return False
        # One byte is found more quickly than the pattern, and there is none within a long text.
        match = _possible_end(data) if b"}" in data else None
        # The very end of the data may be one; but there msgspec has said that the message continues.
        return match is None or (cut == len(data) and skip_space(data, match.end()) == len(data))

    def _scan(self, messages: list[M]) -> None:
        """Scan what is new in the buffer, add the messages in it to `messages`, and keep the rest."""
        buffer, scanner, start = self._buffer, self._scanner, 0
        position = self._scanned
        try:
            while True:
                position = scanner.scan(buffer, position)
                if not scanner.done:
                    break
                if position - start > self._max_message:
                    self._fail_size(start)
                    return
                messages.append(self._message(bytes(buffer[start:position])))
                scanner.reset()
                self._tried = 0
                start = position = skip_space(buffer, position)
        except Malformed as malformed:
            if malformed.position - start >= self._max_message:
                self._fail_size(start)
            else:
                self._fail(malformed.reason, malformed.position, start)
            return
        except InvalidField as invalid:
            self._end(str(invalid), start, bytes(buffer[start : min(position, start + 2 * _EXCERPT)]))
            return
        if start:
            del buffer[:start]
            self._base += start
        self._scanned = position - start

    def _message(self, data: bytes) -> M:
        if not self._is_shallow(data):
            return type(self)._read(data)  # type: ignore[return-value]
        try:
            message = self._decode(data)
        except (MsgspecError, UnicodeDecodeError, RecursionError):
            return type(self)._read(data)  # type: ignore[return-value]
        if not 0 <= message.sequence <= MAX_SEQUENCE:
            return type(self)._read(data)  # type: ignore[return-value]
        return message

    def _fail_size(self, start: int) -> None:
        self._fail(f"a message is longer than {self._max_message} bytes", start + self._max_message, start)

    def _fail(self, reason: str, position: int, start: int = 0) -> None:
        """End the stream for the byte at `position` of the buffer, in the message that begins at `start`."""
        end = position + 1
        self._end(reason, position, bytes(self._buffer[max(start, end - _EXCERPT) : end]))

    def _end(self, reason: str, position: int, excerpt: bytes) -> None:
        self.error = ProtocolError(reason, self._base + position, excerpt)
        self._buffer = bytearray()


class RequestReader(MessageReader[Request]):
    """Reads requests: the host's end of a connection."""

    _type = Request
    _read = staticmethod(read_request)


class ReplyReader(MessageReader[Reply]):
    """Reads replies: the plugin's end of a connection."""

    _type = Reply
    _read = staticmethod(read_reply)
