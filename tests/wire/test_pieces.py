"""Long messages as pieces: together they are the message that is otherwise written in one."""

from __future__ import annotations

import pytest

from plugsvc.wire import Message, call_message, join_call, join_reply, reply_message, request_prefix
from plugsvc.wire.pieces import PIECES_FROM

PREFIX = request_prefix("call", "n", "f")


def array(size: int) -> bytes:
    """Return a JSON array of so many bytes."""
    return b'["%b"]' % bytes(ord("a") + index % 26 for index in range(size - 4))


@pytest.mark.parametrize("size", [4, PIECES_FROM - 1, PIECES_FROM, PIECES_FROM + 1, 3 * PIECES_FROM])
def test_pieces_are_the_whole_message(size: int) -> None:
    body = array(size)
    made: list[tuple[Message, bytes]] = [
        (call_message(7, PREFIX, body), join_call(7, PREFIX, body)),
        (reply_message(7, body), join_reply(7, body)),
    ]
    for message, whole in made:
        assert isinstance(message, tuple) is (size >= PIECES_FROM)
        assert (b"".join(message) if isinstance(message, tuple) else message) == whole


def test_the_middle_of_a_long_message_is_not_copied() -> None:
    body = array(4 * PIECES_FROM)
    message = reply_message(1, body)
    assert isinstance(message, tuple)
    views = [piece for piece in message if isinstance(piece, memoryview)]
    assert [view.obj is body for view in views] == [True]
    assert len(views[0]) > len(body) // 2
