"""One side of a recorded connection: a byte stream each way, which can end on its own where there is such a thing."""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Callable
from contextlib import suppress

from ..openers.descriptors import duplicate
from ..openers.sockets import socket_of
from ..openers.stream import Duplex, Stream

__all__ = ["Side"]


class Side:
    """The recorder's end of the connection with the host, or with the plugin.

    `linger` is what `Channel.linger` is: it waits until the other side has read everything, where closing would take
    that away.
    """

    def __init__(self, duplex: Duplex, linger: Callable[[threading.Event], None] | None = None) -> None:
        self.reader: Stream = duplex.reader
        self.writer: Stream = duplex.writer
        self._duplex, self._linger = duplex, linger
        self._is_socket = stat.S_ISSOCK(os.fstat(duplex.writer.fileno()).st_mode)
        self._separate = duplex.reader is not duplex.writer

    def end_writing(self) -> bool:
        """Let the other side see the end of what is written; return whether reading has ended with that.

        It has on a terminal, which can only be hung up as a whole.
        """
        if self._is_socket:
            self._shut_down(socket.SHUT_WR)
        elif self._separate:
            self.writer.close()
        else:
            self.close()
            return True
        return False

    def stop_reading(self) -> None:
        """Let the other side see that nobody reads any more; on a terminal, and over TCP, only `close` does."""
        if self._is_socket:
            self._shut_down(socket.SHUT_RD)
        elif self._separate:
            self.reader.close()

    def close(self, *, gone: bool = False) -> None:
        """Close both directions. Safe to call again. `gone`: the other side's process has ended."""
        linger, self._linger = self._linger, None
        if linger is not None and not gone:
            linger(threading.Event())
        self._duplex.close()

    def _shut_down(self, how: int) -> None:
        streams = (self.reader, self.writer) if self._separate else (self.writer,)
        stream = streams[0] if how == socket.SHUT_RD else streams[-1]
        with suppress(OSError, ValueError), socket_of(duplicate(stream.fileno())) as copy:
            copy.shutdown(how)
