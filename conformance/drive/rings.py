"""Shared memory, as docs/shm.md describes it: the suite's own half of a connection, as host or as plugin.

The rest of the suite moves bytes through descriptors. So a `Bridge` stands between the rings and two pipes, with a
thread for each direction that sleeps whenever there is nothing to do.
"""

from __future__ import annotations

import array
import fcntl
import itertools
import mmap
import os
import select
import struct
import termios
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MAGIC = b"plugshm\n"
DATA = 4096
HEADER = struct.Struct("<8sIIIIQ")
RINGS = ("requests", "replies")
DOORBELLS = tuple(f"{ring}.{doorbell}" for ring in RINGS for doorbell in ("filled", "drained"))
FIRST_WORD = {"requests": 0x080, "replies": 0x280}
TAIL, PRODUCER_WAITS, HEAD, CONSUMER_WAITS = (offset // 8 for offset in (0, 0x80, 0x100, 0x180))
PIECE = 1 << 16
SPINS = 300
"""How often a side that is to cross the other one's way to sleep looks whether that is about to go there."""
STEPS = (*range(0, 60, 3), *range(60, 400, 20))
"""How many steps, of some tens of nanoseconds, it then goes on waiting: another number each time."""


class Corrupt(Exception):
    """The memory holds what cannot be; one line."""


def fence() -> None:
    """What was stored is there before what follows is loaded: any locked instruction does that."""
    with _lock:
        pass


_lock = threading.Lock()


def header(requests: int, replies: int) -> bytes:
    """The first bytes of a memory file with rings of these capacities."""
    return HEADER.pack(MAGIC, 1, DATA, requests, replies, DATA + requests + replies)


class Memory:
    """The mapping of a memory file."""

    def __init__(self, fd: int) -> None:
        """Map a file, and look at its header.

        Raises:
            Corrupt: the header is not one, or the file is not of its size.
        """
        size = os.fstat(fd).st_size
        if size < DATA:
            raise Corrupt(f"the memory file has {size} bytes, fewer than its header")
        self.map = mmap.mmap(fd, size)
        magic, version, data, requests, replies, said = HEADER.unpack_from(self.map)
        if (magic, version, data) != (MAGIC, 1, DATA):
            raise Corrupt(f"the header of the memory file begins with {self.map[:16]!r}")
        for capacity in (requests, replies):
            if capacity & (capacity - 1) or not 64 <= capacity <= 1 << 30:
                raise Corrupt(f"{capacity} is no capacity of a ring")
        if not said == size == DATA + requests + replies:
            raise Corrupt(f"the memory file has {size} bytes, and says {said}, with rings of {requests} and {replies}")
        if any(self.map[HEADER.size : 128]):
            raise Corrupt("the reserved bytes of the header are not zero")
        self._view = memoryview(self.map)
        self.words = self._view.cast("Q")
        self.capacity = {"requests": requests, "replies": replies}
        self.start = {"requests": DATA, "replies": DATA + requests}
        self.bytes = self._view

    def word(self, ring: str, which: int) -> int:
        """The index of a word of a ring."""
        return FIRST_WORD[ring] // 8 + which

    def fill(self, ring: str) -> int:
        """How many bytes a ring holds, as its counters say."""
        tail, head = (self.words[self.word(ring, which)] for which in (TAIL, HEAD))
        return (tail - head) % (1 << 64)

    def close(self) -> None:
        """Give the mapping back."""
        self.words.release()
        self._view.release()
        self.map.close()


def make(path: str, requests: int, replies: int) -> tuple[Memory, dict[str, int]]:
    """As the host: make the memory file and the doorbells beside it, and return the host's ends of these by name."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.posix_fallocate(fd, 0, DATA + requests + replies)
        os.pwrite(fd, header(requests, replies), 0)
        memory = Memory(fd)
    finally:
        os.close(fd)
    doorbells = {}
    for doorbell in DOORBELLS:
        os.mkfifo(f"{path}.{doorbell}", 0o600)
    for doorbell in DOORBELLS:
        reading = os.open(f"{path}.{doorbell}", os.O_RDONLY | os.O_NONBLOCK)
        if doorbell in ("requests.filled", "replies.drained"):
            doorbells[doorbell] = reading
        else:
            doorbells[doorbell] = os.open(f"{path}.{doorbell}", os.O_WRONLY | os.O_NONBLOCK)
            os.close(reading)
    return memory, doorbells


class Bridge:
    """Carries bytes between the rings and two pipes: the suite reads ``read_fd`` and writes ``write_fd``.

    ``takes`` and ``gives`` are the rings that the suite reads and writes. The bridge owns the doorbells. ``report`` is
    called with what is wrong with the memory.
    """

    def __init__(self, memory: Memory, doorbells: dict[str, int], *, takes: str, gives: str) -> None:
        self.memory = memory
        self.report: Callable[[str], None] = lambda problem: None
        self.read_fd, to_suite = os.pipe()
        from_suite, self.write_fd = os.pipe()
        self.stopped, self._stop = os.pipe()
        for fd in (to_suite, from_suite, *doorbells.values()):
            os.set_blocking(fd, False)
        self.taking = _Taking(self, takes, to_suite, doorbells[f"{takes}.filled"], doorbells[f"{takes}.drained"])
        self.giving = _Giving(self, gives, from_suite, doorbells[f"{gives}.drained"], doorbells[f"{gives}.filled"])
        for half in (self.taking, self.giving):
            half.thread.start()

    def unread(self) -> int | None:
        """How many bytes the other side has not taken yet."""
        if self.giving.over:
            return None
        count = array.array("i", [0])
        fcntl.ioctl(self.giving.pipe, termios.FIONREAD, count)
        return count[0] + self.giving.carrying + self.memory.fill(self.giving.ring)

    def corrupt(self, ring: str, which: int, beside: int, by: int) -> None:
        """Set a counter of a ring to the impossible value ``beside`` + ``by``, and ring its doorbells."""
        memory = self.memory
        for half in (self.taking, self.giving):
            half.trusts = False
        memory.words[memory.word(ring, which)] = (memory.words[memory.word(ring, beside)] + by) % (1 << 64)
        half = self.taking if self.taking.ring == ring else self.giving
        half.ring_doorbell()

    def cross(self, most: int = PIECE) -> None:
        """From now on take bytes, and give them, just when the other side finds that it has to sleep.

        That is when its ring is full, or empty. No more than ``most`` bytes are given at once.
        """
        for half in (self.taking, self.giving):
            half.steps = itertools.cycle(STEPS)
            half.most = most

    def over(self, read: bool, write: bool) -> bool:
        """Whether the directions that the suite has closed are closed towards the other side as well."""
        return (not read or self.taking.over) and (not write or self.giving.over)

    def close(self) -> None:
        """End both directions, and give everything back but the suite's own ends. Safe to call again."""
        if self._stop < 0:
            return
        os.close(self._stop)
        self._stop = -1
        for half in (self.taking, self.giving):
            half.thread.join()
            half.close()
            half.close_pipe()
        os.close(self.stopped)
        self.memory.close()


@dataclass(frozen=True)
class _Place:
    """Where a ring is: all words of the memory, the indices of its own, where its bytes start, how many there are."""

    words: memoryview[int]
    index: dict[int, int]
    start: int
    capacity: int


class _Half:
    """One direction: a thread, a ring, its end of a pipe with the suite, doorbells to wait for and to ring."""

    def __init__(self, bridge: Bridge, ring: str, pipe: int, waits: int, rings: int) -> None:
        self.bridge, self.ring, self.pipe = bridge, ring, pipe
        self._waits, self._rings = waits, rings
        self.over = False
        self.trusts = True
        self.steps: Iterator[int] | None = None
        self.most = PIECE
        self._gone = False
        memory = bridge.memory
        index = {which: memory.word(ring, which) for which in (TAIL, HEAD, PRODUCER_WAITS, CONSUMER_WAITS)}
        self._place = _Place(memory.words, index, memory.start[ring], memory.capacity[ring])
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self._carry()
        except Corrupt as problem:
            self.bridge.report(str(problem))
        self.close()

    def _carry(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Close the two doorbells."""
        if not self.over:
            os.close(self._waits)
            os.close(self._rings)
            self.over = True

    def close_pipe(self) -> None:
        """Close this end of the pipe with the suite, if it is open."""
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1

    def _load(self, which: int) -> int:
        return self._place.words[self._place.index[which]]

    def _store(self, which: int, value: int) -> None:
        self._place.words[self._place.index[which]] = value

    def _fill(self) -> int:
        fill = (self._load(TAIL) - self._load(HEAD)) % (1 << 64)
        if fill > self._place.capacity and not self.trusts:
            fill = 0  # the suite itself has made it so
        if fill > self._place.capacity:
            raise Corrupt(f"the ring of the {self.ring} says that it holds {fill} bytes of {self._place.capacity}")
        return fill

    def _cross(self, fill: int) -> None:
        """Wait, not for long, until the ring holds so many bytes, and a moment more."""
        if self.steps is None:
            return
        tail, head, words = self._place.index[TAIL], self._place.index[HEAD], self._place.words
        for _ in range(SPINS):
            if words[tail] - words[head] == fill:
                break
        for _ in range(next(self.steps)):
            pass

    def ring_doorbell(self) -> bool:
        """Wake the other side; False where nobody hears it any more."""
        try:
            os.write(self._rings, b"!")
        except BlockingIOError:
            pass
        except BrokenPipeError:
            return False
        return True

    def _wait(self, fd: int, events: int) -> bool:
        """Sleep until the doorbell rings, or something happens at a pipe; False when it is time to stop."""
        poll = select.poll()
        poll.register(self.bridge.stopped, select.POLLIN)
        poll.register(fd, events)
        if not self._gone:
            poll.register(self._waits, select.POLLIN)
        happened = dict(poll.poll())
        if self._waits in happened and not self._gone:
            self._gone = bool(happened[self._waits] & select.POLLHUP)
            try:
                while len(os.read(self._waits, 4096)) == 4096:
                    continue
            except BlockingIOError:
                pass
        return self.bridge.stopped not in happened


class _Taking(_Half):
    """From the ring to the suite."""

    def _carry(self) -> None:
        while True:
            data = self._take()
            if data:
                if not self._hand_over(data):
                    break
                continue
            if self._gone:
                self.close_pipe()  # end of file
                return
            self._store(CONSUMER_WAITS, 1)
            fence()
            if self._fill():
                self._store(CONSUMER_WAITS, 0)
                continue
            more = self._wait(self.pipe, 0)  # an error there: the suite has closed its end
            self._store(CONSUMER_WAITS, 0)
            if not more or _broken(self.pipe):
                break
        self._store(CONSUMER_WAITS, 1)  # so that a producer rings, and is told

    def _take(self) -> bytes:
        self._cross(self._place.capacity)
        fill = self._fill()
        head = self._load(HEAD)
        at = head % self._place.capacity
        count = min(fill, self._place.capacity - at, PIECE)
        if not count:
            return b""
        data = bytes(self.bridge.memory.bytes[self._place.start + at : self._place.start + at + count])
        self._store(HEAD, head + count)
        fence()
        if self._load(PRODUCER_WAITS) and fill - count <= self._place.capacity // 2:
            self.ring_doorbell()
        return data

    def _hand_over(self, data: bytes) -> bool:
        while data:
            try:
                data = data[os.write(self.pipe, data) :]
            except BrokenPipeError:
                return False
            except BlockingIOError:
                poll = select.poll()
                poll.register(self.bridge.stopped, select.POLLIN)
                poll.register(self.pipe, select.POLLOUT)
                if self.bridge.stopped in dict(poll.poll()):
                    return False
        return True


class _Giving(_Half):
    """From the suite to the ring."""

    carrying = 0

    def _carry(self) -> None:
        while True:
            self.carrying = 1
            try:
                data = os.read(self.pipe, PIECE)
            except BlockingIOError:
                self.carrying = 0
                if not self._wait(self.pipe, select.POLLIN):
                    return
                if self._gone:
                    break
                continue
            if not data or not self._give(data):
                break
        self.carrying = 0
        if self._gone:
            self.close_pipe()  # nobody reads any more

    def _give(self, data: bytes) -> bool:
        """Put everything into the ring; False where there is nobody to take it."""
        while data:
            self._cross(0)
            room = self._place.capacity - self._fill()
            if room:
                data = self._put(data, room)
                if self._gone:
                    return False
                continue
            self._store(PRODUCER_WAITS, 1)
            fence()
            if self._fill() <= self._place.capacity // 2:
                self._store(PRODUCER_WAITS, 0)
                continue
            more = self._wait(self.bridge.stopped, select.POLLIN)
            self._store(PRODUCER_WAITS, 0)
            if not more or self._gone:
                return False
        return True

    def _put(self, data: bytes, room: int) -> bytes:
        tail = self._load(TAIL)
        at = tail % self._place.capacity
        count = min(room, len(data), self.most)
        first = min(count, self._place.capacity - at)
        self.carrying = len(data)
        memory, start = self.bridge.memory.bytes, self._place.start
        memory[start + at : start + at + first] = data[:first]
        memory[start : start + count - first] = data[first:count]  # what goes on at the beginning of the ring
        self._store(TAIL, tail + count)
        fence()
        if self._load(CONSUMER_WAITS) and not self.ring_doorbell():
            self._gone = True
        return data[count:]


def _broken(fd: int) -> bool:
    """Whether nobody reads a pipe any more."""
    poll = select.poll()
    poll.register(fd, 0)
    return bool(poll.poll(0))
