"""The host's and the plugin's ends of a connection; whatever fails, no descriptor is left open."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable

from ...openers.descriptors import pipe
from ...openers.sockets import SocketStream
from ...openers.stream import Duplex, FdStream
from ..channel import Channel

__all__ = ["HeldEnd", "PipePair", "channel_of_descriptors", "channel_of_duplex", "channel_of_socket"]


class PipePair:
    """Two new pipes, one for each direction; `close` closes what nobody has taken.

    `ours` and `theirs` are the ends of the host and of the plugin, to read and to write.
    """

    def __init__(self) -> None:
        self.ours: list[int] = []
        self.theirs: list[int] = []
        their_reader, our_writer = pipe()
        try:
            our_reader, their_writer = pipe()
        except BaseException:
            os.close(their_reader)
            os.close(our_writer)
            raise
        self.ours = [our_reader, our_writer]
        self.theirs = [their_reader, their_writer]

    def take_ours(self) -> tuple[int, int]:
        """Return the host's ends, to read and to write, which the caller owns from now on."""
        reader, writer = self.ours
        self.ours = []
        return reader, writer

    def take_theirs(self) -> tuple[int, int]:
        """Return the plugin's ends, to read and to write, which the caller owns from now on."""
        reader, writer = self.theirs
        self.theirs = []
        return reader, writer

    def close(self) -> None:
        """Close what is left. Safe to call again."""
        left, self.ours, self.theirs = self.ours + self.theirs, [], []
        for fd in left:
            os.close(fd)


class HeldEnd:
    """The host's copy of an end of the plugin that the plugin has still to open, by a path that leads to this copy.

    As long as the plugin has not come, the copy keeps the connection from looking closed. It must stay open even when
    the host has given the connection up: its number, or its terminal, would become that of something else, which the
    plugin would open then.
    """

    fd: int

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._closing = threading.Lock()

    def close(self) -> None:
        """Close the copy. Safe to call again, and from any thread."""
        with self._closing:
            fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


class _AnnouncingStream(FdStream):
    """A stream that calls `begun`, once, when its first bytes were read."""

    def __init__(self, fd: int, begun: Callable[[], object] | None) -> None:
        super().__init__(fd)
        self._begun = begun

    def read(self, size: int) -> bytes | None:
        """Return what is there, as `FdStream.read` does. Raises `OSError`."""
        data = super().read(size)
        if data and self._begun is not None:
            begun, self._begun = self._begun, None
            begun()
        return data


def channel_of_descriptors(
    reader: int, writer: int | None = None, *, begun: Callable[[], object] | None = None
) -> Channel:
    """Return the channel over one duplex descriptor, or over one to read and one to write; it owns them.

    `begun` is called, in any thread, when the plugin's first bytes were read: it has opened the end that it writes to.

    Raises `OSError`; then both descriptors are closed.
    """
    pending = [reader] if writer is None or writer == reader else [reader, writer]
    streams: list[FdStream] = []
    try:
        while pending:
            streams.append(FdStream(pending[0]) if begun is None or streams else _AnnouncingStream(pending[0], begun))
            del pending[0]
        return Channel(Duplex(streams[0], streams[-1]))
    except BaseException:
        for stream in streams:
            stream.close()
        for fd in pending:
            os.close(fd)
        raise


def channel_of_socket(connected: socket.socket) -> Channel:
    """Return the channel over a connected socket, which it owns. Raises `OSError`; then the socket is closed."""
    try:
        stream = SocketStream(connected)
    except BaseException:
        connected.close()
        raise
    return channel_of_duplex(Duplex(stream, stream))


def channel_of_duplex(duplex: Duplex) -> Channel:
    """Return the channel over two streams, which it owns. Raises `OSError`; then both are closed."""
    try:
        return Channel(duplex)
    except BaseException:
        duplex.close()
        raise
