"""Several requests sent together, whose replies are waited for as one.

To a connection a batch is one call, the *whole*, with the messages of all: what is written is written in one go, and
its thread, or its future, waits for the last reply. The *parts* are what replies are matched with.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import count
from threading import get_ident
from typing import TYPE_CHECKING

from ..errors import CallTimeout, ConnectionLost, ServiceError
from ..wire import MAX_SEQUENCE, Reply, join_call
from .connection import REENTRY, Call, Connection, Waiter, release

if TYPE_CHECKING:
    from .ports import Port

__all__ = ["Request", "exchange", "exchange_in_loop"]

Request = tuple[bytes, bytes]
"""A prefix by `request_prefix`, and arguments as JSON."""

_wholes = count(2)
"""Their sequences are negative: nothing that a host sends is meant for them."""


class _Part(Call):
    __slots__ = ("waiter",)

    def __init__(self, sequence: int, batch: Waiter) -> None:
        # Without the detour over `Call`: there are as many of them as calls.
        self.sequence = sequence
        self.message = b""
        self.reply = None
        self.lock = None
        self.left = False
        self.waiter: Waiter | None = batch


class _Batch:
    """The parts, and how many of them have no reply yet."""

    def __init__(self, connection: Connection, requests: Sequence[Request]) -> None:
        self._connection = connection
        self._left = len(requests)
        self.whole: Call
        self.parts: list[_Part] = []
        messages = []
        sequences = connection._sequences
        for prefix, args in requests:
            sequence = next(sequences) & MAX_SEQUENCE
            self.parts.append(_Part(sequence, self))
            messages.append(join_call(sequence, prefix, args))
        self.sequence = -next(_wholes)
        self.message = b"".join(messages)

    def arrived(self, call: Call) -> None:
        """See `Waiter`."""
        if call.reply is None:
            return  # the end; the whole is told by itself
        self._left -= 1
        if self._left == 0:
            self._finish(call.reply)

    def _finish(self, reply: Reply) -> None:
        """Take note, with the mutex held, that the last reply is in."""
        whole, connection = self.whole, self._connection
        if connection._pending.get(whole.sequence) is not whole:
            return  # given up just now
        whole.reply = reply
        if whole.waiter is not None:
            del connection._pending[whole.sequence]
            whole.waiter.arrived(whole)
        elif whole.sequence in connection._followers:
            release(whole)
            del connection._followers[whole.sequence]

    def add(self) -> None:
        """With the mutex held, let replies be matched with the parts."""
        pending = self._connection._pending
        for part in self.parts:
            pending[part.sequence] = part

    def drop(self) -> None:
        """With the mutex held, let the replies that have not come yet be ignored."""
        pending = self._connection._pending
        for part in self.parts:
            if part.reply is None:
                pending.pop(part.sequence, None)

    def replies(self) -> list[Reply | None]:
        return [part.reply for part in self.parts]


def exchange(
    connection: Connection, requests: Sequence[Request], timeout: float | None = None
) -> tuple[list[Reply | None], ServiceError | None]:
    """Send requests together and return their replies, in order, whatever those say.

    `timeout`: seconds for all of them, None for no limit. Where a reply has not come it is None, and there is the
    reason as well: a `ConnectionLost` or a `CallTimeout`.

    Raises `ServiceError` where a signal handler or finalizer calls, see `Connection.call_raw`.
    """
    if not requests:
        return [], None
    me = get_ident()
    if me in connection._active:
        raise ServiceError(REENTRY)
    deadline = None if timeout is None else time.monotonic() + timeout
    batch = _Batch(connection, requests)
    whole = batch.whole = Call(batch.sequence, batch.message)
    try:
        connection._active.add(me)
        with connection._mutex:
            connection._check()
            batch.add()
        connection._register(whole)
        if connection._writer is whole:
            connection._write(whole)
        if whole.lock is None or connection._follow(whole, deadline):
            connection._lead(whole, deadline)
    except ConnectionLost as error:
        return batch.replies(), error
    finally:
        try:
            if whole.reply is None:
                with connection._mutex:
                    batch.drop()
            connection._leave(whole, me)
        finally:
            if me in connection._active:  # leaving itself was interrupted
                connection._leave(whole, me)
    if whole.reply is not None:
        return batch.replies(), None
    if connection.closed is not None:
        lost = ConnectionLost(connection.closed)
        lost.__cause__ = connection._cause
        return batch.replies(), lost
    return batch.replies(), CallTimeout(f"no reply within {timeout:g} s")


async def exchange_in_loop(
    port: Port, requests: Sequence[Request], timeout: float | None = None
) -> tuple[list[Reply | None], ServiceError | None]:
    """As `exchange`, for the task that awaits it."""
    if not requests:
        return [], None
    batch = _Batch(port.connection, requests)
    try:
        whole = port.begin_batch(batch, timeout)
        try:
            await whole.future
        finally:
            port.finish(whole)
    except (ConnectionLost, CallTimeout) as error:
        return batch.replies(), error
    return batch.replies(), None
