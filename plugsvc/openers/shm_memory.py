"""The memory file of a `shm` connection: its layout, how it is made, and what is checked before it is trusted.

`docs/shm.md` has the format, to the byte, and the reasons.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
from typing import NamedTuple

from ..errors import OpenError
from .descriptors import standard_reserved

__all__ = [
    "CONSUMER_WAITING",
    "DATA_OFFSET",
    "DOORBELLS",
    "HEAD",
    "MAX_CAPACITY",
    "MIN_CAPACITY",
    "PRODUCER_WAITING",
    "REPLIES",
    "REQUESTS",
    "TAIL",
    "VERSION",
    "Memory",
    "Ring",
    "RingLayout",
    "check_capacity",
    "describe",
]

MAGIC = b"plugshm\n"
VERSION = 1
DATA_OFFSET = 4096
MIN_CAPACITY = 64
MAX_CAPACITY = 1 << 30

# Magic, version, data offset, capacity of requests, capacity of replies, file size; the rest is reserved.
_HEADER = struct.Struct("<8sIIIIQ96x")
_RESERVED = slice(32, 128)

DOORBELLS = ("requests.filled", "requests.drained", "replies.filled", "replies.drained")
"""What the names of the FIFOs end in, after the path of the file and a dot."""


class Ring(NamedTuple):
    """A ring's name, for messages, and where its words begin and end in the file."""

    name: str
    begin: int
    end: int


class RingLayout(NamedTuple):
    """A ring in a memory file: `base` is the offset of its data, `half` its capacity halved."""

    name: str
    capacity: int
    half: int
    base: int


REQUESTS = Ring("requests", 0x080, 0x280)
REPLIES = Ring("replies", 0x280, 0x480)

TAIL, PRODUCER_WAITING, HEAD, CONSUMER_WAITING = 0, 16, 32, 48
"""The words of a ring, as indexes of 8 bytes."""


def check_capacity(capacity: int) -> None:
    """Raise `ValueError` unless a ring can have that capacity."""
    if not MIN_CAPACITY <= capacity <= MAX_CAPACITY or capacity & (capacity - 1):
        raise ValueError(f"a ring of {capacity} bytes; expected a power of two, {MIN_CAPACITY} to {MAX_CAPACITY}")


class Memory:
    """The mapping of a memory file, which its two rings share: unmapped when both have called `release`."""

    capacities: dict[Ring, int]
    offsets: dict[Ring, int]
    map: mmap.mmap
    words: dict[Ring, memoryview[int]]

    def __init__(self, fd: int, requests: int, replies: int) -> None:
        """Map the file `fd`, which has two rings of these capacities and that size, and stays the caller's."""
        self.capacities = {REQUESTS: requests, REPLIES: replies}
        self.offsets = {REQUESTS: DATA_OFFSET, REPLIES: DATA_OFFSET + requests}
        with standard_reserved():  # the mapping has a copy of the descriptor
            self.map = mmap.mmap(fd, DATA_OFFSET + requests + replies)
        with memoryview(self.map) as view:
            self.words = {ring: view[ring.begin : ring.end].cast("Q") for ring in (REQUESTS, REPLIES)}
        self._users = 2

    def layout(self, ring: Ring) -> RingLayout:
        """Return where a ring lies."""
        capacity = self.capacities[ring]
        return RingLayout(ring.name, capacity, capacity // 2, self.offsets[ring])

    @classmethod
    def create(cls, fd: int, requests: int, replies: int) -> Memory:
        """Make a memory file of the empty file `fd`. Raises `ValueError` for bad capacities, `OSError`."""
        _check_machine()
        check_capacity(requests)
        check_capacity(replies)
        size = DATA_OFFSET + requests + replies
        # All of it now: a hole that the file system has no room for later is a SIGBUS.
        os.posix_fallocate(fd, 0, size)
        memory = cls(fd, requests, replies)
        memory.map[: _HEADER.size] = _HEADER.pack(MAGIC, VERSION, DATA_OFFSET, requests, replies, size)
        return memory

    @classmethod
    def open(cls, fd: int) -> Memory:
        """Check the memory file `fd` and map it. Raises `OpenError` that says what is wrong with it."""
        _check_machine()
        header = os.pread(fd, _HEADER.size, 0)
        requests, replies = _check_header(header, os.fstat(fd).st_size)
        memory = cls(fd, requests, replies)
        try:
            for ring in (REQUESTS, REPLIES):
                _check_counters(memory, ring)
        except BaseException:
            memory.release()
            memory.release()
            raise
        return memory

    def release(self) -> None:
        """One of the two users needs it no longer."""
        self._users -= 1
        if self._users == 0:
            for words in self.words.values():
                words.release()
            self.map.close()


def _check_machine() -> None:
    if sys.byteorder != "little":
        # Words would have to be swapped at each access; nobody has asked for it yet.
        raise OpenError("shared memory is little-endian, and this machine is not")


def _check_header(header: bytes, size: int) -> tuple[int, int]:
    """Return the capacities."""
    if size < DATA_OFFSET or len(header) < _HEADER.size:
        raise OpenError(f"it has {size} bytes, too few for a memory file with two rings")
    magic, version, offset, requests, replies, stated = _HEADER.unpack(header)
    if magic != MAGIC:
        raise OpenError(f"it is not a memory file with two rings: it begins with {magic!r}")
    if version != VERSION:
        raise OpenError(f"its rings have version {version}, this program knows version {VERSION}")
    if offset != DATA_OFFSET:
        raise OpenError(f"its header is corrupt: the data begins at {offset}, not at {DATA_OFFSET}")
    for ring, capacity in ((REQUESTS, requests), (REPLIES, replies)):
        try:
            check_capacity(capacity)
        except ValueError as error:
            raise OpenError(f"its header is corrupt: {ring.name}: {error}")
    needed = DATA_OFFSET + requests + replies
    if stated != needed or size != needed:
        raise OpenError(f"its header is corrupt: it has {size} bytes, says {stated}, and its rings need {needed}")
    if any(header[_RESERVED]):
        raise OpenError("its header is corrupt: reserved bytes are not zero")
    return requests, replies


def _check_counters(memory: Memory, ring: Ring) -> None:
    head, tail = memory.words[ring][HEAD], memory.words[ring][TAIL]
    if not 0 <= tail - head <= memory.capacities[ring]:
        raise OpenError(f"its {ring.name} are corrupt: {describe(head, tail, memory.capacities[ring])}")


def describe(head: int, tail: int, capacity: int) -> str:
    """Say what counters are, in an error."""
    return f"head {head}, tail {tail}, capacity {capacity}"
