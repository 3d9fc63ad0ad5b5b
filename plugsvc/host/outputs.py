"""What the thread that watches a process waits for: its captured output, and an alarm from other threads."""

from __future__ import annotations

import errno
import os
import select
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

from ..openers.descriptors import pipe

__all__ = ["Alarm", "Outputs", "silence"]

READ_SIZE = 64 * 1024
LAST_READ_SECONDS = 0.25


class Alarm:
    """Makes a descriptor readable, from any thread or from a signal handler.

    There is no lock that a signal handler could wait for. The descriptors live as long as the object, so that whoever
    rings late does not write to a descriptor that has become somebody else's.
    """

    fd: int

    def __init__(self) -> None:
        self._ends: tuple[int, ...] = ()
        self._ends = self.fd, self._write = pipe()
        for fd in self._ends:
            os.set_blocking(fd, False)

    def ring(self) -> None:
        """Make the descriptor readable."""
        with suppress(BlockingIOError):  # it is readable
            os.write(self._write, b"\0")

    def __del__(self) -> None:
        for fd in self._ends:
            os.close(fd)


def silence(alarm_fd: int) -> None:
    """Make the descriptor of an alarm unreadable, until somebody rings again."""
    os.read(alarm_fd, READ_SIZE)


class _Capture:
    """The reading end of one output stream, and the part of the output that is kept."""

    def __init__(self, fd: int, limit: int, keep_start: bool) -> None:
        self.fd = fd
        self.data = bytearray()
        self.exceeded = False
        self._limit = limit
        self._keep_start = keep_start
        os.set_blocking(fd, False)

    def take(self) -> bool | None:
        """Read once; True when there was something, None when there is nothing now, False at the end."""
        try:
            data = os.read(self.fd, READ_SIZE)
        except BlockingIOError:
            return None
        if not data:
            return False
        self.data += data
        if len(self.data) > self._limit:
            self.exceeded = True
            if self._keep_start:
                del self.data[self._limit :]
            else:
                del self.data[: -self._limit]
        return True


class Outputs:
    """The captured streams of one process; of each, `keep` bytes from its end, or `limit` from its start are kept.

    `poll` knows those that have not ended, and `open` has them by descriptor.
    """

    open: dict[int, _Capture]
    poll: select.poll

    def __init__(self, streams: Sequence[IO[bytes] | None], keep: int, limit: int | None) -> None:
        if not hasattr(select, "poll"):
            raise OSError(
                errno.ENOSYS, "select.poll is missing: with eventlet, use eventlet.monkey_patch(select=False)"
            )
        kept = keep if limit is None else limit
        self._captures = [
            None if stream is None else _Capture(stream.fileno(), kept, limit is not None) for stream in streams
        ]
        self.open = {each.fd: each for each in self._captures if each is not None}
        self.poll = select.poll()
        for fd in self.open:
            self.poll.register(fd, select.POLLIN)

    @property
    def exceeded(self) -> bool:
        """Whether a stream had more than is kept of it."""
        return any(each.exceeded for each in self._captures if each is not None)

    def data(self) -> list[bytes]:
        """Return what is kept of each stream, nothing for one that is not captured."""
        return [b"" if each is None else bytes(each.data) for each in self._captures]

    def take(self, fd: int) -> bool | None:
        """Read once from that stream; True when there was something, None if nothing yet, False at the end."""
        there = self.open[fd].take()
        if there is False:
            self.poll.unregister(fd)
            del self.open[fd]
        return there

    def read_the_rest(self, linger: float) -> None:
        """Read what is there; wait for the ends of the streams, for at most `linger` seconds."""
        began = time.monotonic()
        for fd in list(self.open):
            # Bounded, for somebody else may go on writing for ever.
            while time.monotonic() < began + LAST_READ_SECONDS and self.take(fd):
                continue
        while self.open and (left := began + linger - time.monotonic()) > 0:
            for fd, _ in self.poll.poll(int(left * 1000) + 1):
                self.take(fd)
