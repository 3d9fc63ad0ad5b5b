"""One connection to the host, shared by any number of threads and event loops, without a thread of its own.

A `Connection` drives the client core (`core`) and the leader/followers machine (`leader_followers`). It owns the lock
that guards them and the descriptors, and with that the life of the connection. A caller writes its own request and
reads its own reply, so that a call costs no switch between threads. Here is the driver of blocking calls, and what the
drivers of event loops (`asyncio_driver`) are built on: `send`, `cancel`, `step`.

What an interruption by a signal handler's exception leaves is cleared up by `_leave`, in a `finally`. A `with`
statement over the lock itself is safe: the interpreter runs no handler between taking the lock and entering the block,
nor between the end of the block and giving it back.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from threading import get_ident
from typing import ParamSpec, Protocol, TypeVar

from ..errors import CallTimeout, ConnectionLost, MisuseError, ProtocolError, ServiceError
from ..openers import Duplex
from ..openers.spin import Spin
from ..wire import MAX_DEPTH, MAX_MESSAGE, Reply, request_prefix
from .core import IDLE, READ_SIZE, Batch, Call, Core, Request
from .descriptors import MAX_SLEEP, Descriptors
from .leader_followers import LeaderFollowers, Member
from .process import FOREIGN

__all__ = ["Connection", "LoopDriver"]

P = ParamSpec("P")
R = TypeVar("R")

PIPE_SIZE = 1024 * 1024
"""What to make a pipe hold once messages do not fit into one read, in bytes."""

REENTRY = "a signal handler or finalizer cannot call a service in the middle of its thread's own call"
IN_A_CALL = "a coroutine cannot be run in the middle of its thread's own call"


class LoopDriver(Member, Protocol):
    """What an event loop is to a connection. All of it is called with the lock held: `vacant` and `ended` by any
    thread, the others by that of the loop."""

    def stepping(self) -> None:
        """Take note that it is the reader, for one step."""

    def occupied(self, by_thread: bool) -> None:
        """Take note that somebody else reads: a thread, or the step of another loop."""

    def watch(self, room: bool) -> None:
        """Have the loop tell when there is input, and when there is room to write if that is asked for."""

    def vacant(self) -> None:
        """Take note that nobody reads at the moment."""

    def ended(self) -> bool:
        """Take note that the connection is over; return whether the descriptors may be closed."""


class _InThread:
    """A call that a thread waits for: the call itself is the member of the leader/followers.

    `lock` is held, and waited for, by a follower; it is None for who was the reader from the start. `left`: it has
    given up its roles.
    """

    __slots__ = ()

    left: bool
    lock: threading.Lock | None

    def wake(self) -> None:
        """See `Member`."""
        if self.lock is not None:
            try:  # quicker than a context manager, and done for each call of several threads
                self.lock.release()
            except RuntimeError:
                pass  # it is awake already

    def completed(self) -> None:
        """See `Call`."""
        if self.lock is not None:
            self.wake()

    def sleep(self, deadline: float | None) -> bool:
        """Sleep until it is woken; return False when time is up."""
        lock = self.lock
        assert lock is not None
        if deadline is None:
            return lock.acquire()
        while (left := deadline - time.monotonic()) > 0:
            if lock.acquire(timeout=min(left, MAX_SLEEP)):
                return True
        return False


class BlockingCall(_InThread, Call):
    """One call that a thread waits for."""

    __slots__ = ("left", "lock")

    prefix: bytes
    args: bytes
    sequence: int
    reply: Reply | None
    left: bool
    lock: threading.Lock | None

    def __init__(self, prefix: bytes, args: bytes) -> None:
        # All attributes here: there is one of these for each call, and a call of `super` costs as much again.
        self.prefix, self.args = prefix, args
        self.reply, self.lock, self.sequence = None, None, -1
        self.done = self.left = False


class BlockingBatch(_InThread, Batch):
    """A batch that a thread waits for."""

    __slots__ = ("left", "lock")

    left: bool
    lock: threading.Lock | None

    def __init__(self, requests: Sequence[Request]) -> None:
        super().__init__(requests)
        self.left, self.lock = False, None


class Connection:
    """A connection over `duplex`, which belongs to it from now on. Safe for use by many threads.

    `max_message` (bytes) and `max_depth` limit what the host may send. `spin`: whether to look for a reply
    for a short while before going to sleep; by default where this process may use more than one CPU.

    `loops`: the drivers of event loops that use it, by loop. `descriptors`: for these to watch.
    """

    descriptors: Descriptors

    def __init__(
        self,
        duplex: Duplex,
        *,
        max_message: int = MAX_MESSAGE,
        max_depth: int = MAX_DEPTH,
        spin: bool | None = None,
        first_sequence: int = 1,
    ) -> None:
        self.spin = spin
        self.loops: dict[object, LoopDriver] = {}
        self.descriptors = Descriptors(duplex)
        self._core = Core(max_message=max_message, max_depth=max_depth, first_sequence=first_sequence)
        self._roles = LeaderFollowers(self._core)
        self._spin = Spin(spin).until
        self._lock = threading.Lock()
        # Threads that are in the middle of something here: a signal handler or finalizer that calls from in there
        # would wait for itself. Each thread adds and removes only itself; a set does that in one step.
        self._active: set[int] = set()
        self._close_asked: str | None = None
        _connections.add(self)

    @property
    def closed(self) -> str | None:
        """Why the connection is over, or None while it is not."""
        over = self._core.over
        return None if over is None else over.reason

    @property
    def urls(self) -> tuple[str, ...]:
        """The URLs that it was opened by, if any."""
        return self.descriptors.urls

    @property
    def pending(self) -> int:
        """How many replies are expected."""
        return self._core.pending

    @property
    def idle(self) -> bool:
        """Whether nobody uses it, and nothing waits to be written."""
        return self._roles.empty and not (self._roles.followers or self._roles.blocked or self._active or self.pending)

    @property
    def has_reader(self) -> bool:
        """Whether somebody reads at the moment."""
        return self._roles.reader is not None

    @property
    def blocked(self) -> bool:
        """Whether something waits for room to be written."""
        return self._core.state != IDLE and self._roles.blocked

    def lost(self) -> ConnectionLost:
        """Return the error of a call after the end. Raises `AssertionError` before."""
        over = self._core.over
        assert over is not None
        return over.error()

    # Blocking calls

    def call_raw(self, prefix: bytes, args: bytes, timeout: float | None = None) -> Reply:
        """Send one request and return its reply, whatever that says.

        `prefix` is made by `request_prefix`, `args` is a JSON array (or null). `timeout` is in seconds, None
        for none.

        Raises:
            ConnectionLost: the connection has ended, before or during the call; says why. CallTimeout: no
            reply in time. The connection goes on, and the late reply is ignored. ServiceError: called by a
            signal handler or finalizer in the middle of another call of this thread.
        """
        call = BlockingCall(prefix, args)
        self._run(call, timeout)
        if call.reply is not None:
            return call.reply
        raise self._missing(timeout)

    def request(self, type: str, namespace: str, name: str = "", timeout: float | None = None) -> Reply:
        """Send a request without arguments and return its reply, whatever that says. Raises as `call_raw`."""
        return self.call_raw(request_prefix(type, namespace, name), b"null", timeout)

    def call_batch(
        self, requests: Sequence[Request], timeout: float | None = None
    ) -> tuple[list[Reply | None], ServiceError | None]:
        """Send requests together and return their replies, in order, whatever those say.

        `timeout`: seconds for all of them, None for no limit. Where a reply has not come it is None, and there is the
        reason as well: a `ConnectionLost` or a `CallTimeout`. Raises `ServiceError` as `call_raw`.
        """
        if not requests:
            return [], None
        batch = BlockingBatch(requests)
        try:
            self._run(batch, timeout)
        except ConnectionLost as error:
            return batch.replies, error
        return batch.replies, None if batch.done else self._missing(timeout)

    def close(self, reason: str = "the connection was closed by this program") -> None:
        """End the connection: every pending and every later call fails with `reason`. Safe to call again.

        A message that is partly written stays so; the host sees the end of file in the middle of it.
        """
        me = get_ident()
        if me in self._active:
            # By a signal handler in the middle of a call, which may hold the lock: who is interrupted does it.
            self._close_asked = reason
            self.descriptors.ring()
            return
        self._exclusively(self._end, reason)

    def _missing(self, timeout: float | None) -> ServiceError:
        """Return why a call has no reply."""
        over = self._core.over
        return over.error() if over is not None else CallTimeout(f"no reply within {timeout:g} s")

    def _run(self, call: BlockingCall | BlockingBatch, timeout: float | None) -> None:
        """Make a call, and wait until it has its reply, the connection is over, or time is up."""
        me = get_ident()
        if me in self._active:
            raise ServiceError(REENTRY)
        deadline = None if timeout is None else time.monotonic() + timeout
        roles = self._roles
        try:
            self._active.add(me)
            with self._lock:
                chunk = roles.join(call, call)
                if roles.reader is not call:
                    call.lock = threading.Lock()
                    call.lock.acquire()
            if chunk is not None:
                self._write(chunk)
            if call.lock is None or self._follow(call, deadline):
                self._lead(call, deadline)
        finally:
            try:
                if not call.left:
                    self._leave(call, (call,))
                self._active.discard(me)
            finally:
                if me in self._active:  # that was interrupted
                    self._leave(call, (call,))
                    self._active.discard(me)

    def _follow(self, call: BlockingCall | BlockingBatch, deadline: float | None) -> bool:
        """Sleep until the call is completed, or time is up; return whether the call is the reader now."""
        while call.sleep(deadline):
            if call.done or self._core.over is not None:
                return False
            # The reader wakes its successor inside the step that makes it so; wait for the end of that step.
            with self._lock:
                if self._roles.reader is call:
                    return True
        return False

    def _lead(self, call: BlockingCall | BlockingBatch, deadline: float | None) -> None:
        """Read for everybody until the call is completed, or time is up."""
        core, roles, ready = self._core, self._roles, self.descriptors.ready
        while not call.done and core.over is None:
            if not ready() and ((core.state != IDLE and roles.blocked) or not self._spin(ready)):
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return
                rang, has_room = self.descriptors.wait(roles.blocked, left)
                if rang and self._close_asked is not None:
                    self._end(self._close_asked)
                elif has_room:
                    self._resume(call)
                continue
            if self._receive(call, call):
                call.left = True
                return
            # There may be input for others without end.
            if deadline is not None and time.monotonic() >= deadline:
                return

    # Reading and writing, for all drivers

    def _receive(self, member: Member, call: Call | None = None) -> bool:
        """As the reader, read once and tell those whose calls are completed.

        If `call` is one of them the member leaves in the same step; returns whether it has.
        """
        core, roles = self._core, self._roles
        roles.in_hand = True
        try:
            data = self.descriptors.reader.read(core.read_size)
        except (OSError, ProtocolError) as error:
            roles.in_hand = False
            self._end(f"reading from the host failed ({_text(error)})")
            return False
        if data is None:
            roles.in_hand = False
            return False
        with self._lock:
            core.received(data)
            if core.over is not None:
                roles.in_hand = False
                self._wind_up()
                return False
            completed = core.completed
            if len(completed) == 1 and completed[0] is call:
                completed.clear()  # it is here to see that
            elif completed:
                self._tell()
            roles.in_hand = False
            if call is not None and call.done and self._close_asked is None:
                if roles.followers or self.loops:
                    self._pass_on(member)
                else:
                    roles.leave(member)
                return True
        if core.read_size != READ_SIZE:
            self.descriptors.reader.grow(PIPE_SIZE)
        return False

    def _write(self, chunk: bytes | memoryview | None) -> None:
        """As the writer, write the chunk and what else there is, as far as there is room."""
        roles, stream = self._roles, self.descriptors.writer
        while chunk is not None:
            try:
                written = stream.write(chunk)
            except (OSError, ProtocolError) as error:
                roles.stop_writing()
                self._end(f"the host does not read any more ({_text(error)})")
                return
            if written < len(chunk) and len(chunk) > READ_SIZE:
                stream.grow(PIPE_SIZE)
            with self._lock:
                if written:
                    chunk = roles.wrote(written)
                elif roles.no_room():
                    self.descriptors.ring()
                    return
                else:
                    return

    def _resume(self, member: Member) -> None:
        """As the reader, go on writing where there was no room before."""
        with self._lock:
            chunk = self._roles.resume(member)
        self._write(chunk)

    # Leaving, and the end

    def _leave(self, member: Member, calls: Sequence[Call]) -> None:
        """Forget calls that are not done and pass on the roles of a member. Does nothing when done again."""
        core, roles = self._core, self._roles
        with self._lock:
            for call in calls:
                core.cancel(call)
            if roles.writer is member and not core.lose_track(calls, self.descriptors.writer.atomic):
                core.end(f"interrupted while writing a request{_by()}")
            if roles.reader is member and roles.in_hand:
                roles.in_hand = False
                core.end(f"interrupted while reading a reply{_by()}")
            self._pass_on(member)
            if core.state != IDLE and roles.blocked:
                self.descriptors.ring()  # for the reader, if there is one
            if self._close_asked is not None:
                core.end(self._close_asked)
            if core.over is not None:
                self._wind_up()

    def _pass_on(self, member: Member) -> None:
        """Have a member leave, and wake who comes after it."""
        roles = self._roles
        if roles.followers:
            successor = roles.successor(member)
            if successor is not None:
                successor.wake()
        was_reader = roles.reader is member
        roles.leave(member)
        if self.loops and was_reader and roles.reader is None:
            for loop in self.loops.values():
                loop.vacant()

    def _tell(self) -> None:
        """Tell those who wait for the calls that are completed."""
        completed, roles = self._core.completed, self._roles
        for call in completed:
            if roles.followers:
                roles.served(call)
            call.completed()
        completed.clear()  # last: after an interruption all are told again

    def _end(self, reason: str) -> None:
        with self._lock:
            self._core.end(reason)
            self._wind_up()

    def _wind_up(self) -> None:
        """Let every call fail, and close the descriptors as soon as nobody uses them. May be done again."""
        core, roles = self._core, self._roles
        assert core.over is not None
        core.end(core.over.reason)  # an interruption may have cut it short
        self._tell()
        may_close = [loop.ended() for loop in self.loops.values()]
        if roles.empty and all(may_close):
            # Not earlier: a descriptor closed under a sleeping thread may be another file's when it wakes.
            self.descriptors.close_streams()
        else:
            self.descriptors.ring()

    # For the drivers of event loops

    def add_loop(self, loop: object, driver: LoopDriver, alive: Callable[[object], bool]) -> None:
        """Add the driver of an event loop, and forget those of loops that are not `alive`."""
        with self._lock:
            # A new dictionary: others may be iterating over the old one.
            self.loops = {**{each: known for each, known in self.loops.items() if alive(each)}, loop: driver}

    def in_use_here(self) -> bool:
        """Whether the calling thread is in the middle of using the connection: this is a finalizer, say."""
        return get_ident() in self._active

    def send(self, driver: LoopDriver, calls: Sequence[Call]) -> None:
        """Submit calls, and write their messages, or leave them to who is writing.

        Raises `ConnectionLost`, and `MisuseError` in the middle of a call of this thread.
        """
        if get_ident() in self._active:
            raise MisuseError(IN_A_CALL)
        self._exclusively(self._send, driver, calls)

    def cancel(self, call: Call) -> None:
        """Forget a call. Not in the middle of a call of this thread."""
        self._exclusively(self._cancel, call)

    def step(self, driver: LoopDriver, reads: int) -> bool:
        """Become the reader for one step, if nobody reads: write what there is room for, read up to `reads` times.

        Never sleeps. Returns whether there is more to do at once. Not in the middle of a call of this thread.
        """
        return self._exclusively(self._visit, driver, reads)

    def _exclusively(self, action: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do something while signal handlers and finalizers of this thread must not use the connection."""
        me = get_ident()
        try:
            self._active.add(me)
            return action(*args, **kwargs)
        finally:
            try:
                self._active.discard(me)
                if self._close_asked is not None and self._core.over is None:
                    self._end(self._close_asked)
            finally:
                self._active.discard(me)  # once more: an exception may have come before it was done

    def _send(self, driver: LoopDriver, calls: Sequence[Call]) -> None:
        try:
            with self._lock:
                chunk = self._roles.send(driver, calls)
            self._write(chunk)
        except BaseException:
            self._leave(driver, calls)
            raise

    def _cancel(self, call: Call) -> None:
        with self._lock:
            self._core.cancel(call)

    def _visit(self, driver: LoopDriver, reads: int) -> bool:
        try:
            with self._lock:
                if not self._roles.visit(driver):
                    driver.occupied(isinstance(self._roles.reader, _InThread))
                    return False
                driver.stepping()
            return self._step(driver, reads)
        finally:
            try:
                if self._roles.reader is driver:
                    self._leave(driver, ())
            finally:
                if self._roles.reader is driver:  # leaving itself was interrupted
                    self._leave(driver, ())

    def _step(self, member: Member, reads: int) -> bool:
        descriptors = self.descriptors
        if self.blocked:
            self._resume(member)
        for _ in range(reads):
            # What has woken us is most likely input, and to find none costs no more than to ask.
            self._receive(member)
            if self._core.over is not None:
                return False
            if not descriptors.ready() and descriptors.reader.arm():
                return self.blocked and not descriptors.writer.arm()
        return True

    @property
    def vacant(self) -> bool:
        """Whether nobody reads, and somebody may."""
        return self._roles.reader is None and self._core.over is None

    def watch_if_vacant(self, driver: LoopDriver) -> None:
        """Have a loop watch, unless somebody reads: a thread that comes to read calls `vacant` when it leaves."""
        with self._lock:
            if self.vacant:
                driver.watch(self._roles.blocked)

    def end_again(self) -> None:
        """Close the descriptors after the end, where a loop has kept them open."""
        with self._lock:
            self._wind_up()

    # Processes

    def abandon(self) -> None:
        """In a forked child, leave the connection to the parent: close the copies, and take no lock of the parent's."""
        self._lock = threading.Lock()
        self._active = set()
        self._core.end(FOREIGN)
        self._roles.abandon()
        self.loops = {}
        self.descriptors.close()

    def __del__(self) -> None:
        if hasattr(self, "descriptors"):
            self.descriptors.close()


def _text(error: OSError | ProtocolError) -> str:
    if isinstance(error, ProtocolError):
        return error.reason
    return (error.strerror or str(error)).lower()


def _by() -> str:
    error = sys.exception()
    return f" ({type(error).__name__})" if error is not None else ""


_connections: weakref.WeakSet[Connection] = weakref.WeakSet()


def _abandon_all() -> None:
    for connection in list(_connections):
        connection.abandon()


os.register_at_fork(after_in_child=_abandon_all)
