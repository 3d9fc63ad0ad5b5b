"""One connection to the host, shared by any number of threads, without a thread of its own.

A caller writes its own request and reads its own reply; there is nobody to hand them to, so a call costs no
switch between threads. When several threads call at once they share the work through two roles:

- The *writer* is whoever is writing right now. A caller that finds one leaves its message in a queue, which
  the writer empties before it goes on. When the pipe is full the writer does not wait: it leaves the rest to
  the leader.
- The *leader* is the one caller that reads, for everybody. It alone ever sleeps on the descriptors: for input,
  and for room to write when something is left to write. So a host that is itself stuck writing a big reply to
  us is always read from, however much we have to say to it. All other callers, the *followers*, sleep on a
  lock each.

Why nobody is forgotten (`_mutex` guards every step named here):

1. A caller becomes leader, when there is none, or follower in the same step that makes it known as pending.
2. The leader leaves in one step, which makes one of the followers the leader and wakes it. So while there are
   followers, there is a leader, and it is a caller that has not left yet: awake, or asleep on the descriptors.
3. A follower is woken when its reply is in, when it becomes the leader, and when the connection ends. It may
   be woken before it has gone to sleep: the lock remembers. One that was woken for nothing looks again.
4. A caller that gives up (time-out, Ctrl-C) leaves as everybody else does, and passes on what it was. A
   follower that gives up in the moment it was made leader finds that out in the step in which it leaves.
5. What others do to a sleeping leader (more to write, the end of the connection) they announce on an event
   descriptor, which it watches, and which keeps the announcement until it looks.

A message that was begun is finished before another one begins, also when its caller has given up meanwhile:
the rest stays where it is and goes first. Only where an exception (Ctrl-C) strikes between a system call and
the note of what it did, nobody knows any more where in the stream we are; then the connection ends, with
that reason.

Event loops use the same connection without ever sleeping in it: see `ports`.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
import time
import weakref
from itertools import count
from threading import get_ident
from typing import Protocol

from ..errors import CallTimeout, ConnectionLost, ProtocolError, ServiceError
from ..openers import Duplex
from ..openers.descriptors import eventfd, pipe
from ..openers.large import expect_large
from ..openers.looking import Looking
from ..wire import MAX_DEPTH, MAX_MESSAGE, MAX_SEQUENCE, Reply, ReplyReader, join_call, request_prefix

__all__ = ["Connection"]

READ_SIZE = 64 * 1024
BIG = 1024 * 1024
"""Read size and pipe capacity once a message did not fit into one read."""

BATCH = 64 * 1024
"""Messages of several callers are joined into one write up to about this size."""

REENTRY = "a signal handler or finalizer cannot call a service in the middle of its thread's own call"

_FOREVER_MS = 24 * 3600 * 1000
_FOREVER = _FOREVER_MS / 1000


class Waiter(Protocol):
    """Who waits for a call in another way than by leading and following. Called with the mutex held."""

    def arrived(self, call: Call) -> None:
        """Take note that the call has its reply, or, if it has none, that the connection has ended."""


class Port(Protocol):
    """What an event loop is to a connection, see `ports`. Called with the mutex held, by any thread."""

    def resume(self) -> None:
        """Take note that nobody reads at the moment."""

    def ended(self) -> bool:
        """Take note that the connection has ended; return whether the descriptors are free to be closed."""


class Call:
    """One call in progress.

    `lock` is held, and waited for, by a follower; None for who was leader from the start. `left`: it was
    leader, and has nothing to leave any more. `waiter` is None where the thread that has made the call waits
    for it, and another one in the calls of subclasses.
    """

    __slots__ = ("left", "lock", "message", "reply", "sequence")

    waiter: Waiter | None = None

    def __init__(self, sequence: int, message: bytes) -> None:
        self.sequence = sequence
        self.message = message
        self.reply: Reply | None = None
        self.lock: threading.Lock | None = None
        self.left = False


class Connection:
    """A connection over `duplex`, which belongs to it from now on. Safe for use by many threads.

    `max_message` (bytes) and `max_depth` limit what the host may send. `spin`: whether to look for a reply
    for a short while before going to sleep; by default where this process may use more than one CPU.
    """

    def __init__(
        self,
        duplex: Duplex,
        *,
        max_message: int = MAX_MESSAGE,
        max_depth: int = MAX_DEPTH,
        spin: bool | None = None,
        first_sequence: int = 1,
    ) -> None:
        self._duplex = duplex
        self._reader, self._writer_stream = duplex.reader, duplex.writer
        self._ready = duplex.reader.ready
        self._frames = ReplyReader(max_message=max_message, max_depth=max_depth)
        self._sequences = count(first_sequence)
        self._read_size = READ_SIZE
        self.spin = spin
        self._look = Looking(spin).until

        self._mutex = threading.Lock()
        self._pending: dict[int, Call] = {}
        self._followers: dict[int, Call] = {}
        self._leader: Call | None = None
        self._writer: Call | None = None
        self._current: bytes | memoryview | None = None  # what is being written, or the rest of it
        self._stalled = False  # there is a rest, and no room for it
        self._queue: dict[int, bytes] = {}  # what is to be written next, by sequence
        self._reading = False  # bytes have been taken from the stream and not yet been dealt with
        self._ended: str | None = None
        self._cause: ProtocolError | None = None
        self._end_asked: str | None = None
        self.ports: dict[object, Port] = {}  # by event loop
        # Threads that are in the middle of a call: a signal handler or finalizer that calls from in there
        # would wait for itself.
        self._active: set[int] = set()

        self._wake_read, self._wake_write = _event_descriptors()
        self._poller = select.poll()
        self._poller.register(self._wake_read, select.POLLIN)
        self._reader_fd, self._writer_fd = duplex.reader.fileno(), duplex.writer.fileno()
        self._arm, self._arm_writer, self._room = duplex.reader.arm, duplex.writer.arm, duplex.writer.room
        self._watching_room = False
        self._watch(False)
        _connections.add(self)

    @property
    def closed(self) -> str | None:
        """Why the connection has ended, or None while it has not."""
        return self._ended

    @property
    def urls(self) -> tuple[str, ...]:
        """The URLs that it was opened by, if any."""
        return self._duplex.urls

    def call_raw(self, prefix: bytes, args: bytes, timeout: float | None = None) -> Reply:
        """Send one request and return its reply, whatever that says.

        `prefix` is made by `request_prefix`, `args` is a JSON array (or null). `timeout` is in seconds, None
        for none.

        Raises:
            ConnectionLost: the connection has ended, before or during the call; says why. CallTimeout: no
            reply in time. The connection goes on, and the late reply is ignored. ServiceError: called by a
            signal handler or finalizer in the middle of another call of this thread.
        """
        me = get_ident()
        if me in self._active:
            raise ServiceError(REENTRY)
        deadline = None if timeout is None else time.monotonic() + timeout
        sequence = next(self._sequences) & MAX_SEQUENCE
        call = Call(sequence, join_call(sequence, prefix, args))
        try:
            self._active.add(me)
            self._register(call)
            if self._writer is call:
                self._write(call)
            if call.lock is None or self._follow(call, deadline):
                self._lead(call, deadline)
        finally:
            if call.left:
                self._active.discard(me)
            else:
                try:
                    self._leave(call, me)
                finally:
                    if me in self._active:  # leaving itself was interrupted
                        self._leave(call, me)
        if call.reply is not None:
            return call.reply
        self._check()
        raise CallTimeout(f"no reply within {timeout:g} s")

    def request(self, type: str, namespace: str, name: str = "", timeout: float | None = None) -> Reply:
        """Send a request without arguments and return its reply, whatever that says. Raises as `call_raw`."""
        return self.call_raw(request_prefix(type, namespace, name), b"null", timeout)

    def close(self, reason: str = "the connection was closed by this program") -> None:
        """End the connection: every pending and every later call fails with `reason`. Safe to call again.

        A message that is partly written stays so; the host sees the end of file in the middle of it.
        """
        me = get_ident()
        if me in self._active:
            # From a signal handler in the middle of a call, which may hold the mutex: the leader does it.
            self._end_asked = reason
            self._wake()
            return
        self._active.add(me)
        try:
            self._end(reason)
        finally:
            self._active.discard(me)

    # Becoming part of it, and leaving

    def _register(self, call: Call) -> None:
        with self._mutex:
            self._check()
            sequence = call.sequence
            self._pending[sequence] = call
            if self._leader is None:
                self._leader = call
            else:
                call.lock = threading.Lock()
                call.lock.acquire()
                self._followers[sequence] = call
            if self._writer is None and self._current is None:
                self._writer = call
                self._current = call.message
            else:
                self._queue[sequence] = call.message

    def _check(self) -> None:
        if self._ended is not None:
            raise ConnectionLost(self._ended) from self._cause

    def _leave(self, call: Call, me: int) -> None:
        """Undo `_register` and pass on the roles that this caller has. Does nothing when done again."""
        with self._mutex:
            sequence = call.sequence
            self._pending.pop(sequence, None)
            if self._queue:
                self._queue.pop(sequence, None)
            if self._followers:
                self._followers.pop(sequence, None)
            if self._writer is call:
                self._writing_interrupted(call)
            if self._leader is call:
                if self._reading:
                    self._reading = False
                    self._end_locked(f"interrupted while reading a reply{_by()}")
                if self._followers:
                    # The one that came last is the most likely to be still awake, and to stay leader for
                    # long.
                    heir = next(reversed(self._followers.values()))
                    release(heir)
                    self._leader = heir
                    del self._followers[heir.sequence]
                else:
                    self._leader = None
                    for port in self.ports.values():
                        port.resume()
            ended = self._ended or self._end_asked
            if ended is not None:
                self._end_locked(ended)
        self._active.discard(me)

    def _writing_interrupted(self, call: Call) -> None:
        """Sort out what an exception in the middle of `_write` has left."""
        if self._current is call.message and len(call.message) <= self._writer_stream.atomic:
            # All of our message or nothing of it has gone out: nobody else is concerned.
            self._current = None
        elif self._current is not None:
            self._end_locked(f"interrupted while writing a request{_by()}")
        if self._queue:
            self._take_queue()
            self._stalled = True
            self._wake()
        self._writer = None

    # Writing

    def _write(self, call: Call) -> None:
        """As the writer, write `_current` and then the queue, as far as there is room."""
        stream = self._writer_stream
        while True:
            data = self._current
            if data is None:
                self._writer = None
                return
            try:
                written = stream.write(data)
            except (OSError, ProtocolError) as error:
                self._current = None
                self._writer = None
                self._end(f"the host does not read any more ({_text(error)})")
                return
            if written < len(data):
                if written:
                    self._current = memoryview(data)[written:]
                if len(data) > READ_SIZE:
                    stream.grow(BIG)
                    expect_large()
                if not written:
                    with self._mutex:
                        self._stalled = True
                        self._writer = None
                        if self._leader is not call:
                            self._wake()
                    return
                continue
            with self._mutex:
                self._current = None
                if not self._queue:
                    self._writer = None
                    return
                self._take_queue()

    def _take_queue(self) -> None:
        """Make the queued messages, or the first of many, what is written next."""
        batch: dict[int, bytes] = {}
        size = 0
        for sequence, message in self._queue.items():
            batch[sequence] = message
            size += len(message)
            if size >= BATCH:
                break
        self._current = b"".join(batch.values())
        for sequence in batch:
            del self._queue[sequence]

    def _resume_writing(self, call: Call) -> None:
        """As the leader, go on where there was no room before."""
        with self._mutex:
            if self._writer is not None or not self._stalled:
                return
            self._stalled = False
            self._writer = call
        self._write(call)

    # Waiting

    def _follow(self, call: Call, deadline: float | None) -> bool:
        """Sleep until this call has its reply or is the leader, the connection has ended, or time is up.

        Returns whether it is the leader.
        """
        lock = call.lock
        assert lock is not None
        while True:
            if deadline is None:
                lock.acquire()
            else:
                left = deadline - time.monotonic()
                if left <= 0 or not lock.acquire(timeout=min(left, _FOREVER)):
                    if deadline <= time.monotonic():
                        return False
                    continue
            if call.reply is not None or self._ended is not None:
                return False
            # The leader wakes its heir inside the step that makes it so; wait for the end of that step.
            with self._mutex:
                if self._leader is call:
                    return True

    def _lead(self, call: Call, deadline: float | None) -> None:
        """Read for everybody until this call has its reply, the connection has ended, or time is up."""
        ready = self._ready
        while call.reply is None and self._ended is None:
            if not ready() and (self._stalled or not self._look(ready)):
                if not self._sleep(call, deadline):
                    return
                continue
            self._take_input()
            # There may be input for others without end.
            if deadline is not None and time.monotonic() >= deadline:
                return

    def _sleep(self, call: Call, deadline: float | None) -> bool:
        """Sleep until there is input, room for what is stalled, or an announcement; False when time is up."""
        if self._stalled is not self._watching_room:
            self._watch(self._stalled)
        if not self._arm():
            return True
        if self._watching_room and not self._arm_writer():
            self._resume_writing(call)
            return True
        before = time.monotonic()
        if deadline is None:
            events = self._poller.poll()
        elif before >= deadline:
            return False
        else:
            events = self._poller.poll(min((deadline - before) * 1000, _FOREVER_MS))
        for fd, event in events:
            if fd == self._wake_read:
                with contextlib.suppress(BlockingIOError):
                    os.read(fd, 8)
                if self._end_asked is not None:
                    self._end(self._end_asked)
            elif fd == self._writer_fd and (event & ~select.POLLIN or self._room == select.POLLIN):
                self._resume_writing(call)
        return True

    def _watch(self, room: bool) -> None:
        """Set what the leader sleeps for: input, and room to write if asked for."""
        events = self._room if room else 0
        if self._reader_fd == self._writer_fd:
            self._poller.register(self._reader_fd, select.POLLIN | events)
        else:
            self._poller.register(self._reader_fd, select.POLLIN)
            if room:
                self._poller.register(self._writer_fd, events)
            elif self._watching_room:
                self._poller.unregister(self._writer_fd)
        self._watching_room = room

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full of announcements already
            os.write(self._wake_write, b"\1\0\0\0\0\0\0\0")

    # Reading

    def _take_input(self) -> None:
        """As the leader, read once and hand out the replies that came."""
        self._reading = True
        try:
            data = self._reader.read(self._read_size)
        except (OSError, ProtocolError) as error:
            self._reading = False
            self._end(f"reading from the host failed ({_text(error)})")
            return
        if data is None:
            self._reading = False
            return
        if not data:
            self._reading = False
            self._end_of_file()
            return
        frames = self._frames
        replies = frames.feed(data)
        if replies:
            self._read_size = READ_SIZE
            with self._mutex:
                if len(replies) == 1 and not (self._followers or self._queue or self.ports):
                    reply, leader = replies[0], self._leader
                    if leader is not None and reply.sequence == leader.sequence and self._is_quiet():
                        # Nobody else is here: hand out and `_leave` in one step.
                        del self._pending[leader.sequence]
                        leader.reply = reply
                        self._reading = False
                        self._leader = None
                        leader.left = True  # last: until then an interruption makes it leave once more
                        return
                for reply in replies:
                    self._hand_out(reply)
        elif self._read_size != BIG:
            self._read_size = BIG
            self._reader.grow(BIG)
            expect_large()
        self._reading = False
        malformed = frames.error
        if malformed is not None:
            self._cause = malformed
            where = f"byte {malformed.offset} of the stream"
            self._end(f"the host sent what is not the protocol: {malformed.reason} ({where})")

    def _is_quiet(self) -> bool:
        """Whether nobody is writing and nothing has ended, or is about to."""
        return self._writer is None and self._ended is None and self._end_asked is None and self._frames.error is None

    def _hand_out(self, reply: Reply) -> None:
        sequence = reply.sequence
        call = self._pending.get(sequence)
        if call is None:
            return  # late, a duplicate, or never asked for: ignored
        call.reply = reply
        if call.waiter is not None:
            call.waiter.arrived(call)
        elif self._followers and sequence in self._followers:
            release(call)
            del self._followers[sequence]
        del self._pending[sequence]

    def _end_of_file(self) -> None:
        buffered = self._frames.buffered
        try:
            self._frames.eof()
        except ProtocolError as error:
            self._cause = error
            self._end(f"the host closed the connection in the middle of a message, after {buffered} bytes of it")
        else:
            self._end("the host closed the connection")

    # The end

    def _end(self, reason: str) -> None:
        with self._mutex:
            self._end_locked(reason)

    def _end_locked(self, reason: str) -> None:
        """Let every call fail. Does nothing new when done again, but finishes what was interrupted."""
        if self._ended is None:
            self._ended = reason
        self._queue.clear()
        for call in self._pending.values():
            if call.waiter is not None:
                call.waiter.arrived(call)
        self._pending.clear()
        for call in self._followers.values():
            release(call)
        self._followers.clear()
        free = [port.ended() for port in self.ports.values()]
        if self._leader is None and self._writer is None and all(free):
            # Not earlier: a descriptor closed under a sleeping thread may be another file's when it wakes.
            self._current = None
            self._duplex.close()
        else:
            self._wake()

    def _abandon(self) -> None:
        """In a forked child:

        let the parent have the connection, without its locks, which nobody here releases.
        """
        self._ended = "this process was forked, the connection belongs to its parent"
        self._mutex = threading.Lock()
        self._active = set()
        self._leader = self._writer = None
        self.ports = {}
        self._duplex.close()
        # The event descriptor is shared with the parent: a write to it would wake the parent's leader.
        os.close(self._wake_read)
        if self._wake_write != self._wake_read:
            os.close(self._wake_write)
        self._wake_read, self._wake_write = _event_descriptors()

    def __del__(self) -> None:
        if hasattr(self, "_wake_write"):
            self._duplex.close()
            os.close(self._wake_read)
            if self._wake_write != self._wake_read:
                os.close(self._wake_write)


def release(call: Call) -> None:
    """Wake a follower. It may be awake already, where an exception cut a former attempt short."""
    assert call.lock is not None
    with contextlib.suppress(RuntimeError):
        call.lock.release()


def _text(error: OSError | ProtocolError) -> str:
    if isinstance(error, ProtocolError):
        return error.reason
    return (error.strerror or str(error)).lower()


def _by() -> str:
    error = sys.exception()
    return f" ({type(error).__name__})" if error is not None else ""


def _event_descriptors() -> tuple[int, int]:
    """Return what to watch and what to write 8 bytes to, to wake who watches."""
    if hasattr(os, "eventfd"):
        fd = eventfd()
        return fd, fd
    read, write = pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    return read, write


_connections: weakref.WeakSet[Connection] = weakref.WeakSet()


def _abandon_all() -> None:
    for connection in list(_connections):
        connection._abandon()


os.register_at_fork(after_in_child=_abandon_all)
