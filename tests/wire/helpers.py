"""Readers fed in pieces, and what came of it in a form that can be compared."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from plugsvc.errors import ProtocolError
from plugsvc.wire import MessageReader, Reply, ReplyReader, Request, RequestReader

Outcome = tuple[list[Any], tuple[str, int, bytes] | None]


def plain(message: Request | Reply) -> tuple[Any, ...]:
    """Return a message as a tuple, raw parts as bytes."""
    if isinstance(message, Request):
        args = None if message.args is None else bytes(message.args)
        return (message.sequence, message.type, message.namespace, message.name, args)
    reply = None if message.reply is None else bytes(message.reply)
    return (message.sequence, message.services, message.ok, reply, message.error)


def outcome(reader: MessageReader[Any], pieces: Iterable[bytes], *, eof: bool = False) -> Outcome:
    """Return the messages in `pieces`, and what ended the stream if anything did."""
    messages: list[Any] = []
    for piece in pieces:
        messages += map(plain, reader.feed(piece))
        if reader.error is not None:
            break
    if eof and reader.error is None:
        with contextlib.suppress(ProtocolError):
            reader.eof()
    error = reader.error
    return messages, None if error is None else (error.reason, error.offset, error.excerpt)


def requests(*pieces: bytes, **limits: int) -> Outcome:
    return outcome(RequestReader(**limits), pieces)


def replies(*pieces: bytes, **limits: int) -> Outcome:
    return outcome(ReplyReader(**limits), pieces)


def by_byte(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def in_pieces(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def every_cut(data: bytes) -> Iterator[list[bytes]]:
    """Yield `data` in one piece, byte by byte, and in two pieces cut at each byte."""
    yield [data]
    yield by_byte(data)
    for cut in range(1, len(data)):
        yield [data[:cut], data[cut:]]
