"""Bytes to messages, incrementally."""

from __future__ import annotations

import json
from typing import Generic, TypeVar

import msgspec

from ..errors import ProtocolError
from .messages import MAX_SEQUENCE, Reply, Request

__all__ = ["MAX_DEPTH", "MAX_MESSAGE", "MessageReader", "ReplyReader", "RequestReader"]

MAX_MESSAGE = 256 * 1024 * 1024
MAX_DEPTH = 500

M = TypeVar("M", Request, Reply)


class MessageReader(Generic[M]):
    """Turns bytes, cut anywhere, into messages."""

    _type: type[M]

    def __init__(self, *, max_message: int = MAX_MESSAGE, max_depth: int = MAX_DEPTH) -> None:
        self.error: ProtocolError | None = None
        self._max_message = max_message
        self._max_depth = max_depth
        self._decode = msgspec.json.Decoder(self._type).decode
        self._buffer = b""
        self._consumed = 0

    @property
    def buffered(self) -> int:
        """How many bytes of an unfinished message are held."""
        return len(self._buffer)

    @property
    def offset(self) -> int:
        """How many bytes of the stream have been turned into messages."""
        return self._consumed

    def check(self) -> None:
        if self.error is not None:
            raise self.error

    def feed(self, data: bytes) -> list[M]:
        self.check()
        messages: list[M] = []
        self._buffer += data
        raw = json.JSONDecoder()
        while self._buffer.strip(b" \t\r\n"):
            text = self._buffer.decode("latin-1")
            start = len(text) - len(text.lstrip(" \t\r\n"))
            if text[start] != "{":
                self._fail("expected an object")
                break
            try:
                _, end = raw.raw_decode(text, start)
            except json.JSONDecodeError as error:
                if error.pos >= len(text.rstrip()) or "Unterminated" in error.msg:
                    break
                self._fail(error.msg)
                break
            try:
                message = self._decode(self._buffer[start:end])
            except msgspec.MsgspecError as error:
                self._fail(str(error))
                break
            if not 0 <= message.sequence <= MAX_SEQUENCE:
                self._fail("sequence out of range")
                break
            messages.append(message)
            self._consumed += end
            self._buffer = self._buffer[end:]
        return messages

    def eof(self) -> None:
        self.check()
        if self._buffer.strip(b" \t\r\n"):
            self._fail("the stream ends in the middle of a message")
            self.check()

    def _fail(self, reason: str) -> None:
        self.error = ProtocolError(reason, self._consumed, self._buffer[:40])


class RequestReader(MessageReader[Request]):
    """Reads requests: the host's end."""

    _type = Request


class ReplyReader(MessageReader[Reply]):
    """Reads replies: the plugin's end."""

    _type = Reply
