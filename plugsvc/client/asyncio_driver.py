"""The asyncio driver: calls that are awaited, on the same connection as those that block.

Each event loop that makes calls has a driver on the connection. A driver never sleeps in it. It watches the descriptors
through its loop, and when one is ready it takes a *step*: it becomes the reader for a moment, reads what is there,
hands it out to whomever it is for, and writes what there is room for. So to the leader/followers machine a step is a
member like a thread.

Who reads, when threads and loops use one connection:

1. A thread that waits for its reply is always willing to read, a loop only when it gets around to it. So threads
   read, and a loop reads while none does. A thread that comes in the middle of a step becomes the reader at its end.
2. A driver that finds a thread reading stops watching; when the last thread leaves, it tells every driver that has
   calls. Replies that a thread reads for a loop are put into the driver's inbox.
3. Several loops watch at the same time, and whichever comes first reads for all. So a loop that is busy, or was
   stopped, holds up its own calls only.
4. A step ends with the stream armed and watched, or with another step scheduled.

A call that is cancelled is forgotten: unless its message has been taken it is never sent, and a late reply is ignored.

The methods that `LoopDriver` has, and `completed`, are called with the connection's lock held and, some of them, by any
thread; all others run in the loop's thread.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from threading import get_ident

from ..errors import CallTimeout, ConnectionLost, MisuseError, ServiceError
from ..wire import Reply
from .connection import Connection
from .core import Batch, Call, Request
from .descriptors import Descriptors
from .spin_in_loop import SpinInLoop

__all__ = ["AsyncioDriver", "driver_of"]

READS = 8
"""How often a step reads before the loop's other business has its turn."""

TOGETHER = 64
"""How many calls of one iteration are collected at most, so that the host is not idle meanwhile."""


def driver_of(connection: Connection) -> AsyncioDriver:
    """Return the driver that the running event loop has on a connection.

    Raises `MisuseError` where no loop of asyncio runs.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise MisuseError(
            "an async stub is for the event loops of asyncio, and none is running here;"
            " elsewhere, let a thread call a blocking stub (trio.to_thread.run_sync)"
        ) from None
    driver = connection.loops.get(loop)
    if driver is None:
        driver = AsyncioDriver(connection, loop)
        connection.add_loop(loop, driver, _is_alive)
    return driver  # type: ignore[return-value]  # there are no others


def _is_alive(loop: object) -> bool:
    # Each asyncio.run has a loop of its own, so there may be many over time.
    return isinstance(loop, asyncio.AbstractEventLoop) and not loop.is_closed()


class LoopCall(Call):
    """One call that a task waits for: `future` gets its reply or the error."""

    __slots__ = ("driver", "future", "timer")

    prefix: bytes
    args: bytes
    reply: Reply | None
    sequence: int
    done: bool
    driver: AsyncioDriver
    future: asyncio.Future[Reply | None]

    def __init__(self, prefix: bytes, args: bytes, driver: AsyncioDriver, future: asyncio.Future[Reply | None]) -> None:
        # All attributes here: there is one of these for each call, and a call of `super` costs as much again.
        self.prefix, self.args, self.driver, self.future = prefix, args, driver, future
        self.reply, self.sequence, self.done = None, -1, False
        self.timer: asyncio.TimerHandle | None = None

    def completed(self) -> None:
        """See `Call`."""
        self.driver.completed(self)


class LoopBatch(Batch):
    """A batch that a task waits for: `future` gets None or the error."""

    __slots__ = ("driver", "future", "timer")

    driver: AsyncioDriver
    future: asyncio.Future[Reply | None]

    def __init__(
        self, requests: Sequence[Request], driver: AsyncioDriver, future: asyncio.Future[Reply | None]
    ) -> None:
        super().__init__(requests)
        self.driver, self.future = driver, future
        self.timer: asyncio.TimerHandle | None = None

    def completed(self) -> None:
        """See `Call`."""
        self.driver.completed(self)


Awaited = LoopCall | LoopBatch


class Watch:
    """What a loop watches for a connection: input, and room to write while something waits to be written."""

    room: bool
    input: bool

    def __init__(self, loop: asyncio.AbstractEventLoop, descriptors: Descriptors, ready: Callable[[], None]) -> None:
        self._loop, self._descriptors, self._ready = loop, descriptors, ready
        self.input = self.room = False

    def set(self, room: bool) -> None:
        """Watch for input, and for room if asked for."""
        loop, descriptors = self._loop, self._descriptors
        if not self.input:
            loop.add_reader(descriptors.reader_fd, self._ready)
            self.input = True
        if room is not self.room:
            self.room = room
            fd = descriptors.writer_fd
            if not descriptors.room_is_input:
                loop.add_writer(fd, self._ready) if room else loop.remove_writer(fd)
            elif fd != descriptors.reader_fd:
                loop.add_reader(fd, self._ready) if room else loop.remove_reader(fd)

    def stop(self) -> None:
        """Watch for nothing. Safe to call again, and when the loop is closed, which has stopped it."""
        if self._loop.is_closed():
            self.input = self.room = False
        if self.input:
            if self.room:
                self.set(False)
            self._loop.remove_reader(self._descriptors.reader_fd)
            self.input = False


class Collector:
    """Decides which calls are sent at once and which together with others of the same iteration of the loop.

    A message is sent at once, the others of the same iteration together in the next one; where several came the last
    time, the first one waits for them, too. Of very many some go ahead, so that the host is not idle meanwhile.
    """

    def __init__(
        self,
        soon: Callable[[Callable[[], None]], object],
        send: Callable[[list[Awaited]], None],
        after: Callable[[], None],
    ) -> None:
        self._soon, self._send, self._after = soon, send, after
        self._collected: list[Awaited] = []
        self._scheduled = False
        self._count = 0  # of calls since the last flush
        self._busy = False  # several came the last time

    def add(self, call: Awaited) -> bool:
        """Collect a call; return False if it has to be sent at once instead."""
        together = self._scheduled or self._busy
        if together:
            self._collected.append(call)
            if len(self._collected) >= TOGETHER:
                self._flush()
        self._count += 1
        if not self._scheduled:
            self._scheduled = True
            self._soon(self._next_iteration)
        return together

    def discard(self, call: Awaited) -> None:
        """Forget a call, if it was collected and not sent."""
        if self._collected and call in self._collected:
            self._collected.remove(call)

    def _next_iteration(self) -> None:
        self._scheduled = False
        self._busy, self._count = self._count > 1, 0
        self._flush()
        self._after()

    def _flush(self) -> None:
        calls, self._collected = self._collected, []
        if calls:
            self._send(calls)


class AsyncioDriver:
    """One event loop's use of one connection."""

    spin: SpinInLoop

    def __init__(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        self.connection = connection
        self._loop = loop
        self._thread = get_ident()
        # The loop adds to it, whoever reads removes from it. A set does each in one step.
        self._waiting: set[Awaited] = set()
        self._inbox: deque[Awaited] = deque()  # who is completed; filled with the lock held, emptied without
        self._collector = Collector(loop.call_soon, self._send_collected, self._after_sending)
        self._watch = Watch(loop, connection.descriptors, self._take_step)
        self.spin = SpinInLoop(loop, lambda: self._waiting, connection.spin)
        # What is scheduled in the loop, or going on; `in_step` ends before the inbox is emptied.
        self._in_step = self._delivery = self._resuming = False

    # Calls

    async def call_raw(self, prefix: bytes, args: bytes, timeout: float | None = None) -> Reply:
        """Send one request and return its reply, whatever that says; see `Connection.call_raw`.

        Raises:
            ConnectionLost: the connection has ended, before or during the call; says why. CallTimeout: no
            reply in time. After that, and when the task is cancelled, the connection goes on, and the late
            reply is ignored.
        """
        call = self.begin(prefix, args, timeout)
        try:
            reply = await call.future
        finally:
            self.finish(call)
        assert reply is not None
        return reply

    async def call_batch(
        self, requests: Sequence[Request], timeout: float | None = None
    ) -> tuple[list[Reply | None], ServiceError | None]:
        """Send requests together and return their replies; see `Connection.call_batch`."""
        if not requests:
            return [], None
        batch = LoopBatch(requests, self, self._loop.create_future())
        try:
            self._begin(batch, timeout)
            try:
                await batch.future
            finally:
                self.finish(batch)
        except (ConnectionLost, CallTimeout) as error:
            return batch.replies, error
        return batch.replies, None

    def begin(self, prefix: bytes, args: bytes, timeout: float | None) -> LoopCall:
        """Begin what `call_raw` does; who awaits the future has to `finish` the call, whatever happens."""
        call = LoopCall(prefix, args, self, self._loop.create_future())
        self._begin(call, timeout)
        return call

    def _begin(self, call: Awaited, timeout: float | None) -> None:
        self._waiting.add(call)
        try:
            if not self._collector.add(call):
                self._send([call])
        except BaseException:
            self._forget(call)
            raise
        if timeout is not None:
            call.timer = self._loop.call_later(timeout, self._expire, call.future, timeout)

    def finish(self, call: Awaited) -> None:
        """End a call, with or without its reply."""
        if call.timer is not None:
            call.timer.cancel()
        if not call.done:
            self._forget(call)

    def _forget(self, call: Awaited) -> None:
        if self.connection.in_use_here():
            # A coroutine is thrown away by the garbage collector, which may run anywhere. If the loop is gone
            # as well, the call stays known until its reply comes.
            self._soon(lambda: self._forget(call))
            return
        self._collector.discard(call)
        self._waiting.discard(call)
        self.connection.cancel(call)

    @staticmethod
    def _expire(future: asyncio.Future[Reply | None], timeout: float) -> None:
        if not future.done():
            future.set_exception(CallTimeout(f"no reply within {timeout:g} s"))

    def _send(self, calls: Sequence[Awaited]) -> None:
        self._thread = get_ident()
        self.connection.send(self, calls)

    def _send_collected(self, calls: list[Awaited]) -> None:
        wanted = [call for call in calls if not call.future.done()]
        if not wanted:
            return
        try:
            self._send(wanted)
        except ConnectionLost:
            for call in wanted:
                self.completed(call)

    def _after_sending(self) -> None:
        """At the end of an iteration with calls, see to it that replies will be read."""
        connection = self.connection
        if connection.vacant:
            if self._must_watch():
                self._take_step()
            self.spin.begin()

    # What the connection tells, with its lock held

    def wake(self) -> None:
        """See `Member`; a loop never follows."""

    def completed(self, call: Awaited) -> None:
        """Take note that a call is completed; see `Call.completed`."""
        waiting = self._waiting
        if call not in waiting:
            return
        self._inbox.append(call)
        waiting.discard(call)
        # In this order: a step that is ending empties the inbox after it has said so.
        if not self._in_step and not self._delivery:
            self._delivery = True
            self._soon(self._deliver)

    def stepping(self) -> None:
        """See `LoopDriver`."""
        self._in_step = True

    def occupied(self, by_thread: bool) -> None:
        """See `LoopDriver`. What the step of another loop leaves, the next step of this loop finds."""
        if by_thread:
            self._watch.stop()

    def watch(self, room: bool) -> None:
        """See `LoopDriver`."""
        self._watch.set(room)

    def vacant(self) -> None:
        """See `LoopDriver`."""
        if self._waiting and not self._in_step and self._must_watch():
            self._resume_soon()

    def ended(self) -> bool:
        """See `LoopDriver`."""
        # A loop that does not run may never run again; until then nothing uses what it watches.
        if get_ident() == self._thread or not self._loop.is_running():
            self._watch.stop()
        elif self._watch.input:
            self._soon(self._stop_watching)
        return not self._watch.input

    # In the loop

    def _deliver(self) -> None:
        self._delivery = False
        inbox = self._inbox
        if inbox:
            self.spin.found()
        while inbox:
            call = inbox.popleft()
            future = call.future
            if future.done():
                continue
            if call.done:
                future.set_result(call.reply)
            else:
                future.set_exception(self.connection.lost())

    def _must_watch(self) -> bool:
        """Whether something can happen that the loop does not tell of."""
        return not self._watch.input or (self.connection.blocked and not self._watch.room)

    def _resume_soon(self) -> None:
        if not self._resuming:
            self._resuming = True
            self._soon(self._resume)

    def _resume(self) -> None:
        self._resuming = False
        self._take_step()

    def _take_step(self) -> None:
        """Read and write what is possible now, if nobody else does, and see to it that there will be another step."""
        connection = self.connection
        if connection.in_use_here():
            return  # a loop within a finalizer; the descriptor stays ready
        self._thread = get_ident()
        more = False
        try:
            more = connection.step(self, READS)
        finally:
            self._in_step = False
            self._deliver()
        if more:
            self._resume_soon()
        if not self._watch.input or connection.blocked is not self._watch.room:
            connection.watch_if_vacant(self)

    def _stop_watching(self) -> None:
        self._watch.stop()
        self.connection.end_again()

    def _soon(self, callback: Callable[[], None]) -> None:
        """Have the loop call something, from any thread. What says that it will has to be noted before."""
        # A loop that is closed will never wait for anything again.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback)
