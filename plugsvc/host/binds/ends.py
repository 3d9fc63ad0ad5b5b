"""The host's and the plugin's ends of a connection; whatever fails, no descriptor is left open."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

from ...openers.descriptors import pipe
from ...openers.sockets import SocketStream
from ...openers.stream import Duplex, FdStream
from ..channel import Channel

__all__ = ["PipePair", "channel_of_descriptors", "channel_of_duplex", "channel_of_socket"]


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


def channel_of_descriptors(
    reader: int, writer: int | None = None, *, held: Sequence[int] = (), kept: Sequence[int] = ()
) -> Channel:
    """Return the channel over one duplex descriptor, or over one to read and one to write; it owns all of them.

    `held` and `kept` are as for `Channel`. Raises `OSError`; then all descriptors are closed.
    """
    pending = [reader] if writer is None or writer == reader else [reader, writer]
    streams: list[FdStream] = []
    try:
        while pending:
            streams.append(FdStream(pending[0]))
            del pending[0]
        return Channel(Duplex(streams[0], streams[-1]), held=held, kept=kept)
    except BaseException:
        for stream in streams:
            stream.close()
        for fd in (*pending, *held, *kept):
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
