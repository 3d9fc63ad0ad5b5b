"""The descriptors of one connection: reading, writing, sleeping until something happens, and being woken.

They belong to the connection's driver, which decides who may use them when, and when they are closed.
"""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Callable

from ..openers import Duplex, Stream
from ..openers.descriptors import eventfd, pipe

__all__ = ["Descriptors", "Doorbell"]

MAX_SLEEP = 24 * 3600.0
"""Seconds that one sleep takes at most: `poll` and locks do not take any number."""


class Doorbell:
    """A descriptor that becomes readable when it is rung, and stays so until it is cleared."""

    def __init__(self) -> None:
        if hasattr(os, "eventfd"):
            self._read = self._write = eventfd()
        else:
            self._read, self._write = pipe()
            os.set_blocking(self._read, False)
            os.set_blocking(self._write, False)

    def fileno(self) -> int:
        """Return the descriptor to watch for input."""
        return self._read

    def ring(self) -> None:
        """Wake who watches. From any thread, and from signal handlers."""
        if self._write < 0:
            return
        with contextlib.suppress(BlockingIOError):  # it rings already
            os.write(self._write, b"\1\0\0\0\0\0\0\0")

    def clear(self) -> None:
        """Take note of the ringing."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 8)

    def close(self) -> None:
        """Close its descriptors. Safe to call again."""
        read, write, self._read, self._write = self._read, self._write, -1, -1
        if read >= 0:
            os.close(read)
            if write != read:
                os.close(write)

    def __del__(self) -> None:
        if getattr(self, "_write", -1) >= 0:
            self.close()


class Descriptors:
    """The two streams of a connection, its doorbell, and the `poll` object that watches them.

    `reader`, `writer`: the streams. `ready`: whether reading would return something at once.
    """

    reader: Stream
    writer: Stream
    urls: tuple[str, ...]
    ready: Callable[[], bool]
    reader_fd: int
    writer_fd: int

    def __init__(self, duplex: Duplex) -> None:
        self.reader, self.writer, self.urls = duplex.reader, duplex.writer, duplex.urls
        self.ready = duplex.reader.ready
        self.reader_fd, self.writer_fd = duplex.reader.fileno(), duplex.writer.fileno()
        self._duplex = duplex
        self._doorbell = Doorbell()
        self._poller = select.poll()
        self._poller.register(self._doorbell.fileno(), select.POLLIN)
        self._poller.register(self.reader_fd, select.POLLIN)
        self._watching_room = False

    @property
    def room_is_input(self) -> bool:
        """Whether the writer's descriptor is a doorbell, too: it becomes readable when there is room."""
        return self.writer.room == select.POLLIN

    def wait(self, room: bool, seconds: float | None) -> tuple[bool, bool]:
        """Sleep until there is input, room to write if asked for, a ring, or the time is up; it may return early.

        Returns whether the doorbell rang, and whether there may be room.
        """
        if room is not self._watching_room:
            self._watch(room)
        if not self.reader.arm():
            return False, False
        if room and not self.writer.arm():
            return False, True
        rang = has_room = False
        for fd, event in self._poller.poll(None if seconds is None else min(seconds, MAX_SLEEP) * 1000):
            if fd == self._doorbell.fileno():
                self._doorbell.clear()
                rang = True
            elif fd == self.writer_fd and room and (event & ~select.POLLIN or self.room_is_input):
                has_room = True
        return rang, has_room

    def _watch(self, room: bool) -> None:
        events = self.writer.room if room else 0
        if self.reader_fd == self.writer_fd:
            self._poller.register(self.reader_fd, select.POLLIN | events)
        elif room:
            self._poller.register(self.writer_fd, events)
        else:
            self._poller.unregister(self.writer_fd)
        self._watching_room = room

    def ring(self) -> None:
        """Wake who sleeps in `wait`. From any thread, and from signal handlers."""
        self._doorbell.ring()

    def close_streams(self) -> None:
        """Close both directions, so that the host sees the end. Safe to call again."""
        self._duplex.close()

    def close(self) -> None:
        """Close everything. Safe to call again."""
        self._duplex.close()
        self._doorbell.close()
