"""Long messages to bytes without joining them: pieces that are written one after the other.

To join a long message means to copy its arguments or results into a new block of memory. The system clears that block
page by page, which takes longer than the copy.
"""

from __future__ import annotations

__all__ = ["PIECES_FROM", "Message", "call_message", "reply_message"]

PIECES_FROM = 128 * 1024
"""From this many bytes of arguments or results on, a message is made of pieces. The C library gives blocks of this size
back to the system as soon as they are free."""

EDGE = 32 * 1024
"""Bytes of the first and of the last piece, which are copied. A shorter one would cost a wake-up of its own."""

Message = bytes | tuple[bytes | memoryview, ...]
"""One message, or its pieces in the order in which they have to be written, with nothing in between."""


def call_message(sequence: int, prefix: bytes, args: bytes) -> Message:
    """Return the request with this sequence, a prefix by `request_prefix`, and arguments (a JSON array)."""
    if len(args) < PIECES_FROM:
        return b'{"sequence":%d%b%b}\n' % (sequence, prefix, args)  # as `join_call`, without one more call
    return _pieces(b'{"sequence":%d%b' % (sequence, prefix), args)


def reply_message(sequence: int, reply: bytes) -> Message:
    """Return the reply with this sequence and these results (a JSON array)."""
    if len(reply) < PIECES_FROM:
        return b'{"sequence":%d,"reply":%b}\n' % (sequence, reply)  # as `join_reply`, likewise
    return _pieces(b'{"sequence":%d,"reply":' % sequence, reply)


def _pieces(head: bytes, body: bytes) -> Message:
    return head + body[:EDGE], memoryview(body)[EDGE:-EDGE], body[-EDGE:] + b"}\n"
