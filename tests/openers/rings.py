"""Both sides of a `shm` connection in one process, and what an end shows of itself."""

from __future__ import annotations

import os
import select
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from plugsvc.host.binds import shm
from plugsvc.host.binds.shm import create
from plugsvc.openers import Duplex, open_stream
from plugsvc.openers.shm_memory import HEAD, REQUESTS, TAIL, Memory
from plugsvc.openers.shm_ring import RingReader, RingWriter

DEADLINE = 20.0


class Sides:
    """The host's and the plugin's side."""

    def __init__(self, host: Duplex, plugin: Duplex) -> None:
        self.host, self.plugin = host, plugin
        self.producer, self.consumer = ends(plugin.writer, host.reader)
        """The two ends of `requests`."""
        self.back_producer, self.back_consumer = ends(host.writer, plugin.reader)
        """The two ends of `replies`."""

    def close(self) -> None:
        """Close all four ends."""
        self.plugin.close()
        self.host.close()


def ends(writer: object, reader: object) -> tuple[RingWriter, RingReader]:
    """Return the ends of a ring as what they are."""
    assert isinstance(writer, RingWriter)
    assert isinstance(reader, RingReader)
    return writer, reader


def words(end: RingReader | RingWriter) -> memoryview:
    """Return the words of an end's ring."""
    (found,) = (words for ring, words in end.memory.words.items() if ring.name == end.ring.name)
    return found


def _memory_from(start: int) -> type[Memory]:
    class MemoryFrom(Memory):
        @classmethod
        def create(cls, fd: int, requests: int, replies: int) -> Memory:
            memory = super().create(fd, requests, replies)
            memory.words[REQUESTS][TAIL] = memory.words[REQUESTS][HEAD] = start
            return memory

    return MemoryFrom


@contextmanager
def sides(capacity: int = 64, replies: int | None = None, start: int = 0) -> Iterator[Sides]:
    """Connect two sides; the counters of `requests` begin at `start`."""
    with tempfile.TemporaryDirectory(prefix="rings-") as directory:
        path = os.path.join(directory, "ring")
        with mock.patch.object(shm, "Memory", _memory_from(start)):
            host = create(path, capacity, replies or capacity)
        try:
            made = Sides(host, open_stream([f"shm://{path}"]))
        except BaseException:
            host.close()
            raise
        try:
            yield made
        finally:
            made.close()


def rung(end: RingReader | RingWriter) -> bool:
    """Whether the doorbell that this end listens to would let nobody sleep."""
    poll = select.poll()
    poll.register(end.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def sleep(end: RingReader | RingWriter) -> None:
    """Wait as a user of the stream does: announce it, then wait for the doorbell."""
    if end.arm():
        poll = select.poll()
        poll.register(end.fileno(), select.POLLIN)
        assert poll.poll(DEADLINE * 1000), "nobody rang the doorbell in time"


def write_all(end: RingWriter, data: bytes) -> None:
    """Write all of it, sleeping where there is no room."""
    rest = memoryview(data)
    while rest:
        count = end.write(rest)
        rest = rest[count:]
        if not count:
            sleep(end)


def read_exactly(end: RingReader, size: int) -> bytes:
    """Return that many bytes, or fewer if the end comes before."""
    parts: list[bytes] = []
    while size:
        data = end.read(size)
        if data is None:
            sleep(end)
        elif not data:
            break
        else:
            parts.append(data)
            size -= len(data)
    return b"".join(parts)


def read_all(end: RingReader) -> bytes:
    """Return everything up to the end of the stream."""
    return read_exactly(end, 1 << 40)
