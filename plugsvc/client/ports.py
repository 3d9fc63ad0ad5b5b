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

A message is written at once, the others of the same iteration of the loop together in the next one; where it went so
the last time, the first one waits for them, too. Of very many some go ahead, so that the host is not idle meanwhile.

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
from .glancing import Glancing

if TYPE_CHECKING:
    from .connection import Port as AnyPort, Waiter

__all__ = ["Port", "port_of"]

READS = 8
"""How often a turn reads before the loop's other business gets its turn."""

TOGETHER = 64
"""How many calls of one iteration are collected at most, so that the host is not idle meanwhile."""

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
    return port  # type: ignore[return-value]  # there are no others


class Batch(Protocol):
    """What a call stands for that is several calls; `whole` is that call."""

    sequence: int
    message: bytes
    whole: Call

    def add(self) -> None:
        """With the mutex held, make them known."""

    def drop(self) -> None:
        """With the mutex held, forget those that have no reply."""


class Awaited(Call):
    """A call whose reply ends up in a future."""

    __slots__ = ("batch", "forgotten", "future", "timer", "waiter")

    def __init__(
        self, sequence: int, message: bytes, port: Port, future: asyncio.Future[Reply], batch: Batch | None
    ) -> None:
        super().__init__(sequence, message)
        self.future = future
        self.forgotten = False
        self.timer: asyncio.TimerHandle | None = None
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
        self._outgoing: list[Awaited] = []
        self._flushing = False  # a flush is on its way
        self._started = 0  # how many calls since the last one
        self._busy = False
        self._glancing = Glancing(loop, lambda: self._calls, connection.spin)
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
        call = self.begin(prefix, args, timeout)
        try:
            return await call.future
        finally:
            self.finish(call)

    def begin(self, prefix: bytes, args: bytes, timeout: float | None) -> Awaited:
        """Begin what `call_raw` does; who awaits the future of the call has to `finish` the call, whatever happens."""
        sequence = next(self.connection._sequences) & MAX_SEQUENCE
        call = Awaited(sequence, join_call(sequence, prefix, args), self, self._loop.create_future(), None)
        return self._begin(call, timeout)

    def begin_batch(self, batch: Batch, timeout: float | None) -> Awaited:
        """Begin a call that stands for several, as `begin`."""
        call = Awaited(batch.sequence, batch.message, self, self._loop.create_future(), batch)
        batch.whole = call
        return self._begin(call, timeout)

    def _begin(self, call: Awaited, timeout: float | None) -> Awaited:
        try:
            self._start(call)
        except BaseException:
            self._forget(call)
            raise
        if timeout is not None:
            call.timer = self._loop.call_later(timeout, self._expire, call, timeout)
        return call

    def finish(self, call: Awaited) -> None:
        """End a call, with or without its reply."""
        if call.timer is not None:
            call.timer.cancel()
        if call.reply is None:
            self._forget(call)

    # The beginning and the end of a call

    def _start(self, call: Awaited) -> None:
        """Send a call, now or with others in the next iteration."""
        if self._flushing or self._busy:
            self._outgoing.append(call)
            if len(self._outgoing) >= TOGETHER:
                self._send_outgoing()
        else:
            self._send([call])
        self._started += 1
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _send(self, calls: list[Awaited]) -> None:
        """Let replies be matched with calls, and write their messages, or leave them to whoever writes.

        Raises `ConnectionLost`.
        """
        connection = self.connection
        self._thread = me = get_ident()
        if me in connection._active:
            raise MisuseError("a coroutine cannot be run in the middle of its thread's own call")
        connection._active.add(me)
        try:
            with connection._mutex:
                connection._check()
                pending = connection._pending
                for call in calls:
                    pending[call.sequence] = call
                    if call.batch is not None:
                        call.batch.add()
                self._calls += len(calls)
                writes = connection._writer is None and connection._current is None
                if writes:
                    message = calls[0].message if len(calls) == 1 else b"".join([call.message for call in calls])
                    self._turn.message = connection._current = message
                    connection._writer = self._turn
                else:
                    for call in calls:
                        connection._queue[call.sequence] = call.message
            if writes:
                try:
                    connection._write(self._turn)
                except BaseException:
                    connection._leave(self._turn, me)
                    raise
        finally:
            self._done(me)

    def _flush(self) -> None:
        """Send what has been collected since the last time, and see to it that replies will be read."""
        self._flushing = False
        # Where many calls come in one iteration the first one waits for the others, next time.
        self._busy, self._started = self._started > 1, 0
        if self._outgoing:
            self._send_outgoing()
        if self._is_free():
            if self._must_watch():
                self._take_turn()
            self._glancing.begin()

    def _send_outgoing(self) -> None:
        calls = [call for call in self._outgoing if not (call.forgotten or call.future.done())]
        self._outgoing.clear()
        if not calls:
            return
        try:
            self._send(calls)
        except ConnectionLost:
            self._inbox.extend(calls)
            self._deliver()

    def _forget(self, call: Awaited) -> None:
        connection = self.connection
        me = get_ident()
        if me in connection._active:
            # A coroutine is thrown away by the garbage collector, which may run anywhere. If the loop is gone
            # as well, the call stays known until its reply comes.
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._forget, call)
            return
        call.forgotten = True
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
        self._calls -= 1
        self._inbox.append(call)  # type: ignore[arg-type]  # calls with another waiter do not come here
        # In this order: a turn that is ending looks into the inbox after it has said so.
        if not self._taking_turn and not self._delivering:
            self._delivering = True
            self._soon(self._deliver)

    def _deliver(self) -> None:
        self._delivering = False
        inbox = self._inbox
        if inbox:
            self._glancing.found()
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
        for _ in range(READS):
            # What has woken us is most likely input, and to find none costs no more than to ask.
            connection._take_input()
            if connection._ended is not None:
                return False
            if not connection._ready() and connection._arm():
                return connection._stalled and not connection._arm_writer()
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
            # A loop that stands still may do so for ever, and minds nobody.
            if get_ident() == self._thread or not self._loop.is_running():
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
