"""The two ends of a ring in shared memory, as streams.

`docs/shm.md` describes each step taken here under the same name ("to write", "to wait for bytes", ...), with
the reasons for their order. What is particular to Python:

- A word is read and written through a `memoryview` of 8-byte integers, which is one access of the processor.
- The fence is an uncontended lock, taken and let go: the instruction that does it is a full barrier on x86,
  where nothing else is reordered that matters here. Other processors may reorder more, so there the fence also
  stands where the document asks for release or acquire; and it is done twice, since letting a lock go and
  taking it again is a full barrier on those, too.
- A signal handler may run, and raise, between any two steps. Each step is such that doing the next ones later,
  or never, loses nobody's wake-up but that of the interrupted caller. An interrupted `read` may have lost what
  it had read, as over any other stream; then the connection has to end.
- Interpreting a line costs as much as half a system call. So what is usual comes first and is decided by one
  comparison: each end knows up to which count it can go on without a second thought, and has that limit
  lowered by whatever calls for one. `_map[count + _shift]` is where byte number `count` lies up to there.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import threading
from collections.abc import Callable

from ..errors import ProtocolError
from .shm_memory import CONSUMER_WAITING, HEAD, PRODUCER_WAITING, TAIL, Memory, Ring, RingLayout, describe

__all__ = ["Doorbells", "RingReader", "RingWriter"]

PIECE = 128 * 1024
"""A long message is published in pieces of this size, so that the other side begins before this one ends."""

_STRONG = os.uname().machine in ("x86_64", "i686", "i386")
_NEVER = -1
_RING = b"\1"
_DOORBELL_SIZE = 4096


class Doorbells:
    """The two descriptors of a ring's end: one to listen to, one to ring. They belong to this object."""

    def __init__(self, heard: int, rung: int) -> None:
        self.heard: int = heard
        self.rung: int = rung
        self._pid = os.getpid()

    @property
    def is_owner(self) -> bool:
        """Whether this process opened them; a forked child did not."""
        return os.getpid() == self._pid

    def ring(self) -> None:
        """Wake the other side. Raises `BrokenPipeError` when it is gone."""
        try:
            os.write(self.rung, _RING)
        except BlockingIOError:
            return  # full of rings that were not heard yet

    def ring_if_there(self) -> None:
        """Wake the other side. If it is gone, what it has left behind is of use all the same."""
        with contextlib.suppress(BrokenPipeError):
            self.ring()

    def hear(self) -> bool:
        """Read away what has been rung; return whether the other side is still there."""
        try:
            heard = os.read(self.heard, _DOORBELL_SIZE)
        except BlockingIOError:
            return True
        # A doorbell that nobody has opened yet reads like one that everybody has closed; `poll` knows better.
        if heard:
            return True
        poll = select.poll()
        poll.register(self.heard, 0)
        return not poll.poll(0)

    def take(self) -> tuple[int, int]:
        """Return both, for the caller to close; from then on this object has none."""
        heard, rung = self.heard, self.rung
        self.heard = self.rung = -1
        return heard, rung


class _End:
    """What both ends of a ring have in common.

    `memory` is shared with the other ring; this end has one of its two shares. `ring` is where the ring lies. `asleep`:
    a sleep was announced to the other side. Used by one thread at a time.
    """

    atomic = 0
    room = 0
    waiting_word = own_word = -1
    """Indexes of the words that this kind of end writes: whether it sleeps, and its counter."""

    def __init__(self, memory: Memory, ring: Ring, heard: int, rung: int) -> None:
        self.memory: Memory = memory
        self.ring: RingLayout = memory.layout(ring)
        self.doorbells: Doorbells = Doorbells(heard, rung)
        self.asleep: bool = False
        self._map, self._words = memory.map, memory.words[ring]
        # The own counter: no need to look into the memory for it. What is written to one is written to both,
        # and here first: interrupted in between, bytes go out with the next ones.
        self._count = self._words[self.own_word]
        self._shift = 0
        self._limit = _NEVER
        self._gone = False
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """Return the doorbell to listen to. Raises `ValueError` after `close`."""
        if self.doorbells.heard < 0:
            raise ValueError("the stream is closed")
        return self.doorbells.heard

    def grow(self, size: int) -> None:
        """Do nothing: a ring has its size for ever."""

    def establish(self, deadline: float) -> None:
        """Do nothing: an end that is open is connected."""

    def close(self) -> None:
        """Give up this end; the other side sees it at the doorbells."""
        if self.doorbells.heard < 0:
            return
        heard, rung = self.doorbells.take()
        try:
            self._leave_close_notice()
        finally:
            self.memory.release()
            os.close(heard)
            os.close(rung)

    def _leave_close_notice(self) -> None:
        """Leave something in the memory for the other side, if need be."""

    def __del__(self) -> None:
        if hasattr(self, "_lock"):  # else it was not made to the end
            self.close()

    def _fence(self) -> None:
        """Let no load after this be served before the stores before it can be seen by everybody.

        If a signal handler raises in between, the lock is left taken; then the next fence finds it so, and
        lets it go, which is a barrier as well.
        """
        self._lock.acquire(False)
        self._lock.release()
        if not _STRONG:
            self._lock.acquire(False)
            self._lock.release()

    def _fence_elsewhere(self) -> None:
        """Stand for release and acquire, where a processor reorders loads with loads or stores with stores."""
        if not _STRONG:
            self._fence()

    def _wake_up(self) -> None:
        """After a sleep: quieten the doorbell, and see whether the other side is still there."""
        self.asleep = False
        self._words[self.waiting_word] = 0
        if not self.doorbells.hear():
            self._gone = True

    def _place(self) -> int:
        """Note where the next byte lies, and return the count at which the data of the ring begin anew."""
        lap = self._count - self._count % self.ring.capacity
        self._shift = self.ring.base - lap
        return lap + self.ring.capacity

    def _corrupt(self, head: int, tail: int) -> ProtocolError:
        reason = f"the ring of {self.ring.name} is corrupt: {describe(head, tail, self.ring.capacity)}"
        return ProtocolError(reason, self._count)


class RingReader(_End):
    """The consumer's end. `begun` is called, once, when the first bytes were read."""

    waiting_word: int = CONSUMER_WAITING
    own_word: int = HEAD

    def __init__(
        self, memory: Memory, ring: Ring, filled: int, drained: int, *, begun: Callable[[], object] | None = None
    ) -> None:
        super().__init__(memory, ring, filled, drained)
        self._begun = begun

    def ready(self) -> bool:
        """Whether `read` would return something at once. Without a system call, unless after a sleep.

        That the other side is gone shows only after a sleep, which ends at once then.
        """
        if self.asleep:
            self._wake_up()
        return self._words[TAIL] != self._count or self._gone

    def arm(self) -> bool:
        """Announce a sleep; return False when there is something to read already."""
        words = self._words
        words[CONSUMER_WAITING] = 1
        self._fence()
        left = words[TAIL] - self._count
        if words[PRODUCER_WAITING] and left <= self.ring.half:
            self.doorbells.ring_if_there()
        if left == 0 and not self._gone:
            self.asleep = True
            return True
        words[CONSUMER_WAITING] = 0
        return False

    def read(self, size: int) -> bytes | None:
        """Return what is there, `b""` at the end, None when nothing is there yet.

        Raises `ProtocolError` when the counters make no sense.
        """
        if self.asleep:
            self._wake_up()
        words = self._words
        head = self._count
        tail = words[TAIL]
        if not head < tail <= self._limit or tail - head > size:
            return self._read_slow_path(size)
        shift = self._shift
        data = self._map[head + shift : tail + shift]
        self._count = words[HEAD] = tail
        # Without a fence: what is missed here is seen by `arm`, which comes before every sleep.
        if words[PRODUCER_WAITING]:
            self.doorbells.ring_if_there()
        return data

    def _read_slow_path(self, size: int) -> bytes | None:
        """Read at an end of the data, or of the stream, or less than is there; return as `read`."""
        words = self._words
        head = self._count
        tail = words[TAIL]
        there = tail - head
        if not 0 < there <= self.ring.capacity:
            if there:
                raise self._corrupt(head, tail)
            return b"" if self._gone else None
        self._fence_elsewhere()
        anew = self._place()
        end = min(tail, head + size)
        shift = self._shift
        if end <= anew:
            data = self._map[head + shift : end + shift]
        else:
            with memoryview(self._map) as view:
                first = view[head + shift : anew + shift]
                data = b"".join((first, view[self.ring.base : self.ring.base + end - anew]))
                first.release()
        self._fence_elsewhere()
        self._count = words[HEAD] = end
        self._limit = self._place() if _STRONG else _NEVER
        if words[PRODUCER_WAITING] and tail - end <= self.ring.half:
            self.doorbells.ring_if_there()
        if self._begun is not None:
            begun, self._begun = self._begun, None
            begun()
        return data

    def write(self, data: bytes | memoryview) -> int:
        """Raise `io.UnsupportedOperation`: this is the end to read from."""
        raise io.UnsupportedOperation("this end of a ring is for reading")

    def _leave_close_notice(self) -> None:
        # So that the next write rings, and finds out. Not in a forked child, whose parent goes on reading.
        if self.doorbells.is_owner:
            self._words[CONSUMER_WAITING] = 1


class RingWriter(_End):
    """The producer's end."""

    atomic: int
    room: int = select.POLLIN
    waiting_word: int = PRODUCER_WAITING
    own_word: int = TAIL

    def __init__(self, memory: Memory, ring: Ring, drained: int, filled: int) -> None:
        super().__init__(memory, ring, drained, filled)
        # Half of the ring is what a wake-up promises.
        self.atomic = min(select.PIPE_BUF, self.ring.half)

    def ready(self) -> bool:
        """Return False: there is never anything to read."""
        return False

    def arm(self) -> bool:
        """Announce a sleep; return False when half of the ring is free already."""
        words = self._words
        words[PRODUCER_WAITING] = 1
        self._fence()
        if self.ring.half < self._count - words[HEAD] <= self.ring.capacity and not self._gone:
            self.asleep = True
            self._limit = _NEVER
            return True
        words[PRODUCER_WAITING] = 0
        return False

    def read(self, size: int) -> bytes | None:
        """Raise `io.UnsupportedOperation`: this is the end to write to."""
        raise io.UnsupportedOperation("this end of a ring is for writing")

    def write(self, data: bytes | memoryview) -> int:
        """Write what fits now, at most one piece; return how much that was, 0 when nothing fits.

        Raises `BrokenPipeError` when nobody reads any more, as far as that is known without a system call, and
        `ProtocolError` when the counters make no sense.
        """
        tail = self._count
        size = len(data)
        end = tail + size
        if end > self._limit:
            return self._write_slow_path(data)
        shift = self._shift
        self._map[tail + shift : end + shift] = data
        # Up to here nothing has happened for the other side; with this everything has.
        words = self._words
        self._count = words[TAIL] = end
        lock = self._lock
        lock.acquire(False)  # the fence, in place
        lock.release()
        if words[CONSUMER_WAITING]:
            self.doorbells.ring()
        return size

    def _write_slow_path(self, data: bytes | memoryview) -> int:
        """Write after a sleep, at an end of the data, or what may not fit; return as `write`."""
        if self.asleep:
            self._wake_up()
        if self._gone:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        words = self._words
        head = words[HEAD]
        tail = self._count
        room = head + self.ring.capacity - tail
        if not 0 <= room <= self.ring.capacity:
            raise self._corrupt(head, tail)
        self._fence_elsewhere()
        size = len(data)
        if size > room or size > PIECE:
            if room == 0 or size <= self.atomic:
                return 0
            size = min(size, room, PIECE)
        anew = self._place()
        shift = self._shift
        end = tail + size
        with memoryview(data) as view:
            if end <= anew:
                self._map[tail + shift : end + shift] = view[:size]
            else:
                first = anew - tail
                self._map[tail + shift : anew + shift] = view[:first]
                self._map[self.ring.base : self.ring.base + size - first] = view[first:size]
        self._fence_elsewhere()
        self._count = words[TAIL] = end
        self._fence()
        if _STRONG:
            # Up to there it is clear that the consumer has made room, and that one copy does.
            self._limit = min(head + self.ring.capacity, self._place(), end + PIECE)
        if words[CONSUMER_WAITING]:
            self.doorbells.ring()
        return size
