"""The two ends of a ring in shared memory, as streams.

`docs/shm.md` describes each step taken here under the same name ("to write", "to wait for bytes", ...), with
the reasons for their order. What is particular to Python:

- A word is read and written through a `memoryview` of 8-byte integers, which is one access of the processor.
- The fence is an uncontended lock, taken and let go: the instruction that does it is a full barrier on x86,
  where nothing else is reordered that matters here. Other processors may reorder more, so there the fence also
  stands where the document asks for release or acquire; and it is done twice, since letting a lock go and
  taking it again is a full barrier on those, too.
- A signal handler may run, and raise, between any two steps. Each step is such that doing the next ones later,
  or never, loses nobody's wake-up but that of the interrupted caller; and nothing is remembered outside of the
  shared memory that would be wrong then.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import threading

from ..errors import ProtocolError
from .shm_memory import Memory, Ring, describe

__all__ = ["RingReader", "RingWriter"]

PIECE = 128 * 1024
"""A long message is published in pieces of this size, so that the other side begins before this one ends."""

_STRONG = os.uname().machine in ("x86_64", "i686", "i386")
_RING = b"\1"
_BELL_SIZE = 4096


class _End:
    """What both ends of a ring have in common.

    `heard` and `rung` are the descriptors of the bells to listen to and to ring; they and a share in the memory
    belong to this end from now on. Used by one thread at a time.
    """

    atomic = 0
    room = 0

    def __init__(
        self, memory: Memory, ring: Ring, heard: int, rung: int, own: int, waiting: int, others_waiting: int
    ) -> None:
        self._memory = memory
        self._map, self._words = memory.map, memory.words
        self._name = ring.name
        self._tail, self._head = ring.tail, ring.head
        self._waiting, self._others_waiting = waiting, others_waiting
        self._capacity = memory.capacities[ring]
        self._mask = self._capacity - 1
        self._base = memory.offsets[ring]
        self._limit = self._base + self._capacity
        self._heard, self._rung = heard, rung
        self._count = memory.words[own]
        """The own counter: no need to look into the memory for it."""
        self._asleep = False
        self._gone = False
        self._pid = os.getpid()
        lock = threading.Lock()
        self._take, self._let_go = lock.acquire, lock.release

    def fileno(self) -> int:
        """Return the bell to listen to. Raises `ValueError` after `close`."""
        if self._heard < 0:
            raise ValueError("the stream is closed")
        return self._heard

    def grow(self, size: int) -> None:
        """Do nothing: a ring has its size for ever."""

    def establish(self, deadline: float) -> None:
        """Do nothing: an end that is open is connected."""

    def close(self) -> None:
        """Give up this end; the other side sees it at the bells."""
        if self._heard < 0:
            return
        heard, rung = self._heard, self._rung
        self._heard = self._rung = -1
        try:
            self._say_farewell()
        finally:
            self._memory.release()
            os.close(heard)
            os.close(rung)

    def _say_farewell(self) -> None:
        """Leave something in the memory for the other side, if need be."""

    def __del__(self) -> None:
        if getattr(self, "_heard", -1) >= 0:
            self.close()

    def _fence(self) -> None:
        """Let no load after this be served before the stores before it can be seen by everybody.

        If a signal handler raises in between, the lock is left taken; then the next fence finds it so, and
        lets it go, which is a barrier as well.
        """
        self._take(False)
        self._let_go()
        if not _STRONG:
            self._take(False)
            self._let_go()

    def _wake_up(self) -> None:
        """After a sleep: quieten the bell, and see whether the other side is still there."""
        self._asleep = False
        self._words[self._waiting] = 0
        try:
            heard = os.read(self._heard, _BELL_SIZE)
        except BlockingIOError:
            return
        # A bell that nobody has opened yet reads like one that everybody has closed; `poll` knows better.
        if not heard and self._hung_up():
            self._gone = True

    def _hung_up(self) -> bool:
        poll = select.poll()
        poll.register(self._heard, 0)
        return bool(poll.poll(0))

    def _ring(self) -> None:
        """Wake the other side. Raises `BrokenPipeError` when it is gone."""
        try:
            os.write(self._rung, _RING)
        except BlockingIOError:
            return  # full of rings that were not heard yet

    def _corrupt(self, head: int, tail: int, at: int) -> ProtocolError:
        return ProtocolError(f"the ring of {self._name} is corrupt: {describe(head, tail, self._capacity)}", at)


class RingReader(_End):
    """The consumer's end."""

    def __init__(self, memory: Memory, ring: Ring, filled: int, drained: int) -> None:
        super().__init__(memory, ring, filled, drained, ring.head, ring.consumer_waiting, ring.producer_waiting)
        self._half = self._capacity // 2

    def ready(self) -> bool:
        """Whether `read` would return something at once. Without a system call, unless after a sleep.

        That the other side is gone shows only after a sleep, which ends at once then.
        """
        if self._asleep:
            self._wake_up()
        return self._words[self._tail] != self._count or self._gone

    def arm(self) -> bool:
        """Announce a sleep; return False when there is something to read already."""
        words = self._words
        words[self._waiting] = 1
        self._fence()
        left = words[self._tail] - self._count
        if words[self._others_waiting]:
            self._ring_if_drained(left)
        if left == 0 and not self._gone:
            self._asleep = True
            return True
        words[self._waiting] = 0
        return False

    def read(self, size: int) -> bytes | None:
        """Return what is there, `b""` at the end, None when nothing is there yet.

        Raises `ProtocolError` when the counters make no sense.
        """
        if self._asleep:
            self._wake_up()
        words = self._words
        head = self._count
        tail = words[self._tail]
        there = tail - head
        if not 0 < there <= self._capacity:
            if there:
                raise self._corrupt(head, tail, head)
            return b"" if self._gone else None
        if not _STRONG:
            self._fence()
        if there < size:
            size = there
        start = self._base + (head & self._mask)
        end = start + size
        if end <= self._limit:
            data = self._map[start:end]
        else:
            with memoryview(self._map) as view:
                data = b"".join((view[start : self._limit], view[self._base : end - self._capacity]))
        if not _STRONG:
            self._fence()
        words[self._head] = self._count = head + size
        # Without a fence: what is missed here is seen by `arm`, which comes before every sleep.
        if words[self._others_waiting]:
            self._ring_if_drained(tail - head - size)
        return data

    def _ring_if_drained(self, left: int) -> None:
        if left > self._half:
            return
        with contextlib.suppress(BrokenPipeError):  # it is gone, but what it has left behind can be read
            self._ring()

    def write(self, data: bytes | memoryview) -> int:
        """Raise `io.UnsupportedOperation`: this is the end to read from."""
        raise io.UnsupportedOperation("this end of a ring is for reading")

    def _say_farewell(self) -> None:
        # So that the next write rings, and finds out. Not in a forked child, whose parent goes on reading.
        if os.getpid() == self._pid:
            self._words[self._waiting] = 1


class RingWriter(_End):
    """The producer's end."""

    room = select.POLLIN

    def __init__(self, memory: Memory, ring: Ring, drained: int, filled: int) -> None:
        super().__init__(memory, ring, drained, filled, ring.tail, ring.producer_waiting, ring.consumer_waiting)
        # Room for half of the ring is what a wake-up promises.
        self._half = self._capacity // 2
        self.atomic = min(select.PIPE_BUF, self._half)
        self._until = 0
        """Up to which count there is room for sure: the consumer has come at least so far that it is."""

    def ready(self) -> bool:
        """Return False: there is never anything to read."""
        return False

    def arm(self) -> bool:
        """Announce a sleep; return False when half of the ring is free already."""
        words = self._words
        words[self._waiting] = 1
        self._fence()
        if self._count - words[self._head] > self._half and not self._gone:
            self._asleep = True
            return True
        words[self._waiting] = 0
        return False

    def read(self, size: int) -> bytes | None:
        """Raise `io.UnsupportedOperation`: this is the end to write to."""
        raise io.UnsupportedOperation("this end of a ring is for writing")

    def write(self, data: bytes | memoryview) -> int:
        """Write what fits now, at most one piece; return how much that was, 0 when nothing fits.

        Raises `BrokenPipeError` when nobody reads any more, as far as that is known without a system call, and
        `ProtocolError` when the counters make no sense.
        """
        if self._asleep:
            self._wake_up()
        tail = self._count
        size = len(data)
        if tail + size > self._until or size > PIECE or self._gone:
            room = self._measure()
            if size > room or size > PIECE:
                if room == 0 or size <= self.atomic:
                    return 0
                size = min(size, room, PIECE)
                data = memoryview(data)[:size]
        start = self._base + (tail & self._mask)
        end = start + size
        if end <= self._limit:
            self._map[start:end] = data
        else:
            first = self._limit - start
            rest = memoryview(data)
            self._map[start : self._limit] = rest[:first]
            self._map[self._base : end - self._capacity] = rest[first:]
        if not _STRONG:
            self._fence()
        words = self._words
        # In this order: interrupted in between, the bytes go out with the next ones.
        self._count = tail = tail + size
        words[self._tail] = tail
        self._take(False)  # the fence, in place
        self._let_go()
        if not _STRONG:
            self._fence()
        if words[self._others_waiting]:
            self._ring()
        return size

    def _measure(self) -> int:
        """See how far the consumer has come, and return how much room there is."""
        if self._gone:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        head = self._words[self._head]
        room = self._capacity - self._count + head
        if not 0 <= room <= self._capacity:
            raise self._corrupt(head, self._count, self._count)
        if not _STRONG:
            self._fence()
        self._until = head + self._capacity
        return room
