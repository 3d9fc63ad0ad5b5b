"""Event loops on a connection: calls that are awaited, on the same streams as those that block.

Each loop of asyncio that makes calls has a *port* on the connection. A port never sleeps in it. It watches the
descriptors through its loop, and when one is ready it takes a *turn*: it becomes the leader for one step, which
reads what is there, hands it out to whomever it is for, and writes what there is room for. So a turn is to the
connection a caller who is leader for a moment, and everything that `connection` says about leaders holds.

Who reads, when threads and loops use one connection:

1. A thread that waits for its reply is always willing to read, a loop only when it gets around to it. So threads
   lead, and a loop reads while none does. A thread that comes in the middle of a turn becomes the leader at its end.
2. A port that finds a thread leading does not watch any more; when the last thread leaves, it resumes every port
   that has calls. Replies that a thread reads for a loop are put into the port's inbox.
3. Several loops watch at the same time, and whichever comes first reads for all. So a loop that is busy, or was
   stopped, holds up its own calls only.
4. A turn ends with the stream armed and watched, or with another turn on its way.

A call that is cancelled is forgotten: unless its message has been begun it is never sent, and a late reply is ignored.

The first message of an iteration of the loop is written at once, so that the host begins to work; the others are
collected and written together in the next iteration.

What must hold under the mutex of the connection is called from any thread; all the rest runs in the loop's thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
from collections import deque
from collections.abc import Callable
from threading import get_ident
from typing import TYPE_CHECKING, Protocol

from ..errors import CallTimeout, ConnectionLost, MisuseError
from ..wire import MAX_SEQUENCE, Reply, join_call
from .connection import Call, Connection

if TYPE_CHECKING:
    from .connection import Port as AnyPort, Waiter

__all__ = ["Port", "port_of"]

READS = 8
"""How often a turn reads before the loop's other business gets its turn."""

_TURN = -1
"""The sequence of the calls that stand for turns; no real one has it."""


def port_of(connection: Connection) -> Port:
    """Return the port that the running event loop has on a connection.

    Raises `MisuseError` where no loop of asyncio runs.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise MisuseError(
            "an async stub is for the event loops of asyncio, and none is running here;"
            " elsewhere, let a thread call a blocking stub (trio.to_thread.run_sync)"
        ) from None
    port = connection.ports.get(loop)
    if port is None:
        port = Port.open(connection, loop)
    assert isinstance(port, Port)
    return port


class Batch(Protocol):
    """What a call stands for that is several calls. Called with the mutex held."""

    def add(self) -> None:
        """Make them known."""

    def drop(self) -> None:
        """Forget those that have no reply."""


class Awaited(Call):
    """A call whose reply ends up in a future."""

    __slots__ = ("batch", "future", "waiter")

    def __init__(
        self, sequence: int, message: bytes, port: Port, future: asyncio.Future[Reply], batch: Batch | None
    ) -> None:
        super().__init__(sequence, message)
        self.future = future
        self.batch = batch
        self.waiter: Waiter | None = port


class Port:
    """One loop's way to one connection."""

    def __init__(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        self.connection = connection
        self._loop = loop
        self._thread = get_ident()
        self._turn = Call(_TURN, b"")
        self._calls = 0  # how many are waited for; changed under the mutex
        self._inbox: deque[Awaited] = deque()
        self._delivering = False  # a delivery is on its way
        self._flushing = False
        self._taking_turn = False
        self._resuming = False
        self._leaving = False
        self._watching = False
        self._watching_room = False

    @classmethod
    def open(cls, connection: Connection, loop: asyncio.AbstractEventLoop) -> Port:
        """Return a new port."""
        port = cls(connection, loop)
        with connection._mutex:
            # Each asyncio.run has a loop of its own, so there may be many over time.
            ports: dict[object, AnyPort] = {loop: port}
            for other, each in connection.ports.items():
                if isinstance(other, asyncio.AbstractEventLoop) and not other.is_closed():
                    ports[other] = each
            connection.ports = ports
        return port

    async def call_raw(self, prefix: bytes, args: bytes, timeout: float | None = None) -> Reply:
        """Send one request and return its reply, whatever that says; see `Connection.call_raw`.

        Raises:
            ConnectionLost: the connection has ended, before or during the call; says why. CallTimeout: no
            reply in time. After that, and when the task is cancelled, the connection goes on, and the late
            reply is ignored.
        """
        sequence = next(self.connection._sequences) & MAX_SEQUENCE
        return await self.wait_for(self.new_call(sequence, join_call(sequence, prefix, args)), timeout)

    def new_call(self, sequence: int, message: bytes, batch: Batch | None = None) -> Awaited:
        """Return a call for `wait_for`, which stands for several where it has a batch."""
        return Awaited(sequence, message, self, self._loop.create_future(), batch)

    async def wait_for(self, call: Awaited, timeout: float | None) -> Reply:
        """Make a call. Raises as `call_raw`."""
        timer = None
        try:
            self._start(call)
            if timeout is not None:
                timer = self._loop.call_later(timeout, self._expire, call, timeout)
            return await call.future
        finally:
            if timer is not None:
                timer.cancel()
            if call.reply is None:
                self._forget(call)

    # The beginning and the end of a call

    def _start(self, call: Awaited) -> None:
        connection = self.connection
        self._thread = me = get_ident()
        if me in connection._active:
            raise MisuseError("a coroutine cannot be run in the middle of its thread's own call")
        connection._active.add(me)
        try:
            with connection._mutex:
                connection._check()
                connection._pending[call.sequence] = call
                if call.batch is not None:
                    call.batch.add()
                self._calls += 1
                at_once = not self._flushing and connection._writer is None and connection._current is None
                if at_once:
                    self._turn.message = connection._current = call.message
                    connection._writer = self._turn
                else:
                    connection._queue[call.sequence] = call.message
            if at_once:
                self._write()
        finally:
            self._done(me)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _forget(self, call: Awaited) -> None:
        connection = self.connection
        me = get_ident()
        if me in connection._active:
            # A coroutine is thrown away by the garbage collector, which may run anywhere. If the loop is gone
            # as well, the call stays known until its reply comes.
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._forget, call)
            return
        connection._active.add(me)
        try:
            with connection._mutex:
                if connection._pending.pop(call.sequence, None) is not None:
                    self._calls -= 1
                connection._queue.pop(call.sequence, None)
                if call.batch is not None:
                    call.batch.drop()
        finally:
            self._done(me)

    def _expire(self, call: Awaited, timeout: float) -> None:
        if not call.future.done():
            call.future.set_exception(CallTimeout(f"no reply within {timeout:g} s"))

    def _done(self, me: int) -> None:
        """Let this thread's signal handlers and finalizers use the connection again."""
        connection = self.connection
        connection._active.discard(me)
        if connection._end_asked is not None and connection._ended is None:
            connection._end(connection._end_asked)

    # Replies

    def arrived(self, call: Call) -> None:
        """See `Waiter`."""
        assert isinstance(call, Awaited)
        self._calls -= 1
        self._inbox.append(call)
        # In this order: a turn that is ending looks into the inbox after it has said so.
        if not self._taking_turn and not self._delivering:
            self._delivering = True
            self._soon(self._deliver)

    def _deliver(self) -> None:
        self._delivering = False
        inbox = self._inbox
        while inbox:
            call = inbox.popleft()
            future = call.future
            if future.done():
                continue
            if call.reply is not None:
                future.set_result(call.reply)
            else:
                lost = ConnectionLost(self.connection._ended or "")
                lost.__cause__ = self.connection._cause
                future.set_exception(lost)

    # Writing

    def _write(self) -> None:
        """As the writer, write as far as there is room."""
        connection = self.connection
        try:
            connection._write(self._turn)
        except BaseException:
            connection._leave(self._turn, get_ident())
            raise

    def _flush(self) -> None:
        """Write what has been collected since the first message, and see to it that replies will be read."""
        self._flushing = False
        connection = self.connection
        if connection._queue:
            self._write_queue()
        if connection._leader is None and self._must_watch():
            self._take_turn()

    def _write_queue(self) -> None:
        connection = self.connection
        me = get_ident()
        connection._active.add(me)
        try:
            with connection._mutex:
                if connection._writer is not None or connection._current is not None or not connection._queue:
                    return  # whoever writes, or will when there is room, writes this, too
                self._turn.message = b""
                connection._take_queue()
                connection._writer = self._turn
            self._write()
        finally:
            self._done(me)

    # Turns

    def resume(self) -> None:
        """See `connection.Port`."""
        if self._calls and not self._taking_turn and self._must_watch():
            self._resume_soon()

    def _must_watch(self) -> bool:
        """Whether something can happen that the loop does not tell of."""
        return not self._watching or (self.connection._stalled and not self._watching_room)

    def _resume_soon(self) -> None:
        if not self._resuming:
            self._resuming = True
            self._soon(self._resume)

    def _resume(self) -> None:
        self._resuming = False
        self._take_turn()

    def _take_turn(self) -> None:
        """Read and write what is possible now, if nobody else does, and see to it that there will be another turn."""
        connection = self.connection
        self._thread = me = get_ident()
        if me in connection._active:
            return  # a loop within a finalizer; the descriptor stays ready
        connection._active.add(me)
        more = False
        try:
            with connection._mutex:
                leader = connection._leader
                if leader is None:
                    self._turn.message = b""
                    self._taking_turn = True
                    connection._leader = self._turn
                elif leader.sequence != _TURN:
                    self._unwatch()
                    return
                else:
                    return  # another loop's turn; what it leaves is seen when the loop looks again
            try:
                more = self._step()
            finally:
                connection._leave(self._turn, me)
        finally:
            self._taking_turn = False
            self._done(me)
            self._deliver()
        if more:
            self._resume_soon()
        if not self._watching or connection._stalled is not self._watching_room:
            with connection._mutex:
                # A thread that has come to lead resumes this port when it leaves.
                if self._is_free():
                    self._watch(connection._stalled)

    def _is_free(self) -> bool:
        """Whether nobody reads, and somebody may."""
        return self.connection._leader is None and self.connection._ended is None

    def _step(self) -> bool:
        """As the leader, read and write; return whether there is more to do at once."""
        connection = self.connection
        if connection._stalled:
            connection._resume_writing(self._turn)
        ready = connection._ready
        for _ in range(READS):
            if connection._ended is not None:
                return False
            if not ready():
                if not connection._arm():
                    continue
                return connection._stalled and not connection._arm_writer()
            connection._take_input()
        return True

    # Watching

    def _watch(self, room: bool) -> None:
        """Have the loop tell when there is input, and when there is room to write if that is asked for."""
        connection, loop = self.connection, self._loop
        if not self._watching:
            loop.add_reader(connection._reader_fd, self._take_turn)
            self._watching = True
        if room is not self._watching_room:
            self._watching_room = room
            fd = connection._writer_fd
            if connection._room == select.POLLOUT:
                loop.add_writer(fd, self._take_turn) if room else loop.remove_writer(fd)
            elif fd != connection._reader_fd:  # a bell
                loop.add_reader(fd, self._take_turn) if room else loop.remove_reader(fd)

    def _unwatch(self) -> None:
        if self._watching:
            if self._watching_room:
                self._watch(False)
            self._loop.remove_reader(self.connection._reader_fd)
            self._watching = False

    def ended(self) -> bool:
        """See `connection.Port`."""
        if self._loop.is_closed():
            self._watching = self._watching_room = False
        if self._watching:
            if get_ident() == self._thread:
                self._unwatch()
            elif not self._leaving:
                self._leaving = True
                self._soon(self._leave)
        return not self._watching

    def _leave(self) -> None:
        self._unwatch()
        self.connection._end("")

    def _soon(self, callback: Callable[[], None]) -> None:
        """Have the loop call something, from any thread. What says that it will has to be noted before."""
        # A loop that is closed will never wait for anything again.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback)
