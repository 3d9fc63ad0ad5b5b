"""Who does what on a connection: the programs of its threads, step by step, without threads.

Threads have roles:

- The *reader* reads requests and answers quick calls itself. There is one at a time.
- The *watchdog* looks every few milliseconds. When the reader is still busy with the same call or write, the watchdog
  takes the reader role over, and a new watchdog starts. The old reader finishes its call and becomes a worker.
- *Workers* run the calls that are handed on. Some stay when there is nothing to do.

A program is a generator. What it does between two `yield`s is one step: the driver takes the step while it holds the
lock of the connection, carries out what was yielded without the lock, and sends the result in. So a test can run all
interleavings of the very code that threads run. `signals` are conditions for the driver to notify after each step.
"""

from __future__ import annotations

import enum
from collections.abc import Generator
from typing import Any

from ..errors import PluginError
from ..wire import Message
from .calls import Call, failed
from .core import Event, HostCore, Reading, State
from .dispatch import Place, place

__all__ = ["MAX_IDLE", "Do", "Program", "Roles", "Signal"]

MAX_IDLE = 16
"""So many workers stay when there is nothing to do. Without a bound their number would grow: each reader that was taken
over from becomes one, on a busy machine several a second."""
QUIET_TICKS = 10
FLUSH_BYTES = 256 * 1024
"""Replies to several requests of one read are written together up to about this size."""


class Do(enum.Enum):
    """What a program asks its driver to do, and what it gets."""

    READ = "let the input receive what comes next; None, or the `ProtocolError` of a broken stream"
    RUN = "run a call; its reply, or None where something has to be awaited"
    WRITE = "write all bytes, however long that takes; how many were, None when nobody reads any more"
    WRITE_SOME = "write the bytes that there is room for; how many, None when nobody reads any more"
    START = "start a thread with a program; None, or the exception"
    SUBMIT = "let the event loop take the calls that wait for it; None, or the exception"
    WAIT = "wait for a signal, in the same step"
    TICK = "wait for the alarm, or a few milliseconds, in the same step"
    AWAIT_READER_GONE = "wait so many seconds, or for ever, until the plugin does not read any more; whether that came"
    DRAIN = "wait until the plugin has read what would be lost with the channel"
    CLOSE = "close the channel"
    FINISH = "tell that the connection has ended"


class Signal(enum.Enum):
    """What the driver has to tell others: the first three are what threads wait for."""

    ROOM = "there is room, the reader may read"
    WORK = "there is a call for a worker"
    ALARM = "the reader is busy, the watchdog has to look"
    INTERRUPT = "nobody may wait for the channel any more"
    CANCEL = "nobody wants the results of coroutines any more"


READ, RUN, WRITE, WRITE_SOME, START, SUBMIT, WAIT, TICK, AWAIT_READER_GONE, DRAIN, CLOSE, FINISH = Do
ROOM, WORK, ALARM, INTERRUPT, CANCEL = Signal
INLINE = Place.INLINE
GO, PAUSED, ENDED = Reading
OPEN, LEAVING, DRAINING, OVER = State

Program = Generator[tuple[Do, Any], Any, None]


class Roles:
    """The roles of one connection. `core` is what they work on."""

    def __init__(self, core: HostCore) -> None:
        self.core = core
        self.signals: list[Signal] = []
        self._step = 0  # counts the busy times of the reader; who has another number has lost the role
        self._busy = False
        self._inline: Call | None = None
        self._blocked = False  # the reader waits for room
        self._asleep = False  # the watchdog waits for the alarm
        self._idle = 0  # workers that wait and have not been called
        self._coming = 0  # workers that were called or started, and have not come for a call yet
        self._submitted = False  # the event loop was asked to take calls, and has not begun to
        self._reading = True  # a thread has the reader role, or will have
        self._told = OPEN  # the last state that others were told of

    # Events from outside

    def happen(self, event: Event) -> None:
        """Let an event change the state of the connection, and signal to everybody whom that concerns."""
        self.core.happen(event)
        self._react()

    def fail(self, error: BaseException) -> None:
        """End the connection, since the host cannot go on."""
        if not isinstance(error, PluginError):
            cause, error = error, PluginError(f"the host cannot serve the plugin: {error}")
            error.__cause__ = cause
        self.core.fail(error)
        self._react()

    def _react(self) -> None:
        core, signals = self.core, self.signals
        if self._blocked and core.reading is not PAUSED:
            self._blocked = False
            signals.append(ROOM)
        state = core.state
        if state is self._told:
            return
        self._told = state
        if state is LEAVING:
            signals.append(INTERRUPT)
        elif state is OVER:
            signals += (INTERRUPT, CANCEL)
            signals += [WORK] * self._idle
            self._coming += self._idle
            self._idle = 0
            self._wake_watchdog()

    # The reader

    def reader(self) -> Program:
        """Read and answer, to the end or until the role is taken over."""
        core, output, calls, arrivals = self.core, self.core.output, self.core.calls, self.core.input
        step = self._step
        try:
            requests = arrivals.requests
            while (reading := core.reading) is not ENDED:
                request = None if reading is not GO else requests.popleft() if requests else core.next_request()
                # Before it waits the reader writes what is left: the plugin may wait for just that.
                if request is None and not output.takeable:
                    if reading is PAUSED:
                        self._blocked = True
                        yield WAIT, ROOM
                    elif not arrivals.ended:
                        error = yield READ, arrivals
                        if error is not None:
                            arrivals.break_off(error)
                    continue
                # From here on it may be held up, so the watchdog looks.
                step = self._step = self._step + 1
                self._busy = True
                if self._asleep:
                    self._wake_watchdog()
                if request is not None:
                    call = core.resolve(request)
                    request = None  # the bytes that it came in may be many
                    if isinstance(call, bytes):
                        output.add(call)
                    elif place((service := call.service).pace, service.is_async, calls.running < calls.limit) is INLINE:
                        calls.running += 1
                        self._inline = call
                        reply = yield RUN, call
                        if step == self._step:
                            self._inline = None
                        if reply is not None:
                            core.completed(calls, call, reply)
                            del reply
                        else:
                            yield from self._await_result(call)
                        if calls.waiting:
                            yield from self._call_workers()
                    else:
                        yield from self._hand_over(call)
                    del call
                if step != self._step:
                    break
                if not requests or output.unsent >= FLUSH_BYTES or reading is PAUSED:
                    # As `flush`, without its price: there is nothing more usual.
                    data = output.take()
                    if data is not None:
                        count = yield WRITE, data
                        if count is not None:
                            core.written(data, count)
                        else:
                            core.write_failed(data)
                        del data
                        if step != self._step:
                            yield from self._leave_channel()
                        if output.takeable:
                            yield from self.flush()
                        if step != self._step:
                            break
                self._busy = False
        except Exception as error:
            self.fail(error)
        if step == self._step:
            yield from self._end()
        else:
            # The role was taken over.
            if output.takeable:
                yield from self.flush()
            yield from self._work()

    def _hand_over(self, call: Call) -> Program:
        core = self.core
        if call.service.is_async:
            if core.queue(core.awaited, call):
                yield from self._submit()
        elif core.queue(core.calls, call):
            yield from self._call_workers()

    def _end(self) -> Program:
        """Drain the connection, and end it. Only one thread ever gets here: the last reader."""
        core = self.core
        self._react()
        if core.state is DRAINING:
            if core.output.takeable:
                yield from self.flush()
            while core.state is DRAINING:
                gone = yield AWAIT_READER_GONE, core.limits.drain_timeout if core.error is not None else None
                self.happen(Event.READER_GONE if gone else Event.TIMEOUT)
        yield DRAIN, None
        self.happen(Event.CLOSED)
        self._reading = False
        if not core.output.writing:
            yield CLOSE, None
        yield FINISH, None

    # The watchdog

    def _wake_watchdog(self) -> None:
        if self._asleep:
            self._asleep = False
            self.signals.append(ALARM)

    def watchdog(self) -> Program:
        """Take the reader role over when the reader is held up."""
        core = self.core
        seen, quiet = 0, 0
        while self._busy or (self._reading and core.state is not OVER):
            if self._step != seen:
                seen, quiet = self._step, 0
            elif self._busy:
                self._step += 1
                self._busy = False
                slow, self._inline = self._inline, None
                if slow is not None:
                    slow.service.pace.disappoint()
                    core.charge(slow)
                # Also when the connection is over: then it ends without the call that the old reader is in.
                if core.state is not OVER:
                    error = yield START, self.watchdog
                    if error is not None:
                        self.fail(error)
                yield from self.reader()
                return
            else:
                quiet += 1
            if quiet < QUIET_TICKS:
                yield TICK, None
            else:
                self._asleep = True
                yield WAIT, ALARM
                quiet = 0

    # The workers

    def worker(self) -> Program:
        """Run calls that were handed on."""
        self._coming -= 1
        yield from self._work()

    def _work(self) -> Program:
        core, calls = self.core, self.core.calls
        while True:
            call = calls.take()
            if call is None:
                if core.state is OVER or self._idle >= MAX_IDLE:
                    return
                self._idle += 1
                yield WAIT, WORK
                self._coming -= 1
                continue
            self._react()
            reply = yield RUN, call
            if reply is not None:
                core.completed(calls, call, reply)
                del reply
            else:
                yield from self._await_result(call)
            del call
            self._react()
            if core.output.takeable:
                yield from self.flush()

    def _call_workers(self) -> Program:
        """Have a worker come for each call that may run."""
        core = self.core
        while core.calls.startable > self._coming:
            self._coming += 1
            if self._idle:
                self._idle -= 1
                self.signals.append(WORK)
            else:
                error = yield START, self.worker
                if error is not None:
                    self._coming -= 1
                    self.fail(error)

    # Everybody

    def flush(self) -> Program:
        """Write everything that waits, unless another thread is at it: that one writes this, too."""
        yield from self._flush(WRITE)

    def _flush(self, how: Do) -> Program:
        core, output = self.core, self.core.output
        while True:
            data = output.take()
            if data is None:
                return
            count = yield how, data
            if count is None:
                core.write_failed(data)
            else:
                core.written(data, count)
            yield from self._leave_channel()
            if count is not None and count < len(data):
                return

    def _leave_channel(self) -> Program:
        """After a write: close the channel where the last reader has left that to the writer."""
        self._react()
        if self.core.state is OVER and not self._reading:
            yield CLOSE, None

    # The event loop

    def _submit(self) -> Program:
        """Let the event loop take the calls that wait for it, once for all that it has not taken yet."""
        if self._submitted:
            return
        self._submitted = True
        error = yield SUBMIT, None
        if error is not None:  # the loop is closed
            self._submitted = False
            while (call := self.core.awaited.take()) is not None:
                self.core.completed(self.core.awaited, call, failed(call.sequence, error))
            self._react()

    def _await_result(self, call: Call) -> Program:
        if self.core.await_result(call):
            yield from self._submit()

    def take_awaited(self) -> list[Call]:
        """Return the calls that the event loop has to begin."""
        self._submitted = False
        calls = []
        while (call := self.core.awaited.take()) is not None:
            calls.append(call)
        if calls:
            self._react()
        return calls

    def answered(self, call: Call, reply: Message | None) -> None:
        """Take note that the event loop has ended a call; None where it was cancelled."""
        self.core.completed(self.core.awaited, call, reply)
        self._react()

    def flush_from_loop(self, may_write: bool) -> Program:
        """Write what there is room for, and leave the rest to a thread: a loop does not wait for a plugin."""
        if may_write:
            yield from self._flush(WRITE_SOME)
        if self.core.output.takeable:
            error = yield START, self.flush
            if error is not None:
                self.fail(error)
