"""The host's end of one connection: reads and writes that wait no longer than there is a reason to."""

from __future__ import annotations

import errno
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..errors import ProtocolError
from ..openers.descriptors import pipe
from ..openers.spin import Spin
from ..openers.stream import Duplex, FdStream

__all__ = ["Channel", "block_sigpipe"]

READ_SIZE = 64 * 1024
LARGE_READ = 160 * 1024
PIPE_SIZE = 1024 * 1024
LINGER_SECONDS = 1.0
_VANISHED = (errno.EIO, errno.ENXIO, errno.ENODEV)
"""What a descriptor says that is of no use any more (a terminal hung up, a device vanished): an end like any other."""
_LONGEST_POLL = 2**31 - 1
LINGER_BYTES = 2 * 1024 * 1024
"""More than a pipe holds: so much is read after `wake` however long that takes."""


class Interrupt:
    """Ends the waiting of others, in whatever `poll` they watch `fd` for input. `since`: when it was set."""

    def __init__(self) -> None:
        self.fd: int
        self.fd, self._write = pipe()
        self._lock = threading.Lock()
        self.is_set: bool = False
        self.since: float = 0.0

    def set(self) -> None:
        """Let nobody wait any longer, from any thread."""
        with self._lock:
            if self.is_set:
                return
            self.since = time.monotonic()
            self.is_set = True
        os.close(self._write)

    def close(self) -> None:
        """Close the descriptor, once it is set and nobody watches it any more."""
        os.close(self.fd)


class _Polls(NamedTuple):
    """What to wait for: bytes to read, room to write, and that the plugin does not read any more."""

    to_read: select.poll
    to_write: select.poll
    reader_gone: select.poll


class Channel:
    """A duplex stream whose waiting can be ended by `wake`, from any thread.

    At most one thread reads and at most one writes at a time; the server sees to that. `held` are descriptors
    that keep the connection from looking closed before the plugin has opened its ends: they are closed with
    the first bytes that it sends, or with the channel. `kept` are descriptors that are closed with the
    channel. `linger` is set for streams whose closing takes unread bytes away: it is called before the channel
    is closed on a plugin that is still there, and returns when there are none, when the event that it gets is
    set, or when it has waited long enough.
    """

    def __init__(self, duplex: Duplex, *, held: Sequence[int] = (), kept: Sequence[int] = ()) -> None:
        self._duplex = duplex
        self._held, self._kept = list(held), list(kept)
        self._interrupt = Interrupt()
        self._polls = _Polls(select.poll(), select.poll(), select.poll())
        self._polls.to_read.register(duplex.reader.fileno(), select.POLLIN)
        self._polls.to_write.register(duplex.writer.fileno(), duplex.writer.room)
        self._polls.reader_gone.register(duplex.writer.fileno(), 0)
        for poll in self._polls:
            poll.register(self._interrupt.fd, select.POLLIN)
        self._look = Spin().until
        self._size = READ_SIZE
        self._left_behind = 0
        self._closed = False
        self.broken: bool = False
        self._violation: ProtocolError | None = None
        self.linger: Callable[[threading.Event], None] | None = None

    @classmethod
    def of_descriptors(
        cls, reader: int, writer: int | None = None, *, held: Sequence[int] = (), kept: Sequence[int] = ()
    ) -> Channel:
        """Return a channel over one duplex descriptor, or over one to read and one to write. It owns them."""
        read_stream = FdStream(reader)
        write_stream = read_stream if writer is None or writer == reader else FdStream(writer)
        return cls(Duplex(read_stream, write_stream), held=held, kept=kept)

    def read(self) -> bytes:
        """Return the next bytes, `b""` at the end of the stream or, after `wake`, of what is there already.

        Raises `ProtocolError` when the plugin broke the stream itself, in either direction.
        """
        read = self._duplex.reader.read
        while True:
            try:
                data = read(self._size)
            except OSError as error:
                # Nothing more can be read, but the plugin may be there, and must not wait for a reply.
                self.wake()
                if error.errno not in _VANISHED:
                    raise
                return b""
            if data is not None:
                break
            if self._violation is not None:
                raise self._violation
            if self.woken:
                return b""
            if not self._look(self._duplex.reader.ready) and self._duplex.reader.arm():
                self._polls.to_read.poll()
        if self.woken:
            self._left_behind += len(data)
            if self._left_behind > LINGER_BYTES and time.monotonic() > self._interrupt.since + LINGER_SECONDS:
                # The plugin is gone, but somebody else goes on writing in its name; that is nobody's request.
                return b""
        if self._held and data:
            self.release()
        if len(data) == self._size:
            if self._size == READ_SIZE:
                self._duplex.reader.grow(PIPE_SIZE)
                self._size = LARGE_READ
        elif len(data) < READ_SIZE:
            self._size = READ_SIZE
        return data

    def write(self, data: bytes | memoryview) -> bool:
        """Write all of `data`; return whether that was possible. Once it was not, it never is again."""
        if self.broken:
            return False
        rest: bytes | memoryview = data
        while True:
            try:
                count = self._duplex.writer.write(rest)
            except (OSError, ProtocolError) as error:
                self._break(error)
                return False
            if count == len(rest):
                return True
            rest = memoryview(rest)[count:]
            if self.woken:
                self.broken = True
                return False
            if len(rest) > READ_SIZE:
                self._duplex.writer.grow(PIPE_SIZE)
            if self._duplex.writer.arm():
                self._polls.to_write.poll()

    def write_some(self, data: bytes | memoryview) -> int:
        """Write what there is room for now; return how much that was, all of it where nobody reads any more."""
        done = 0
        with memoryview(data) as view:
            while done < len(data) and not self.broken:
                try:
                    count = self._duplex.writer.write(view[done:])
                except (OSError, ProtocolError) as error:
                    self._break(error)
                    break
                if count == 0:
                    return done
                done += count
        return len(data)

    def _break(self, error: OSError | ProtocolError) -> None:
        """Take note that the plugin does not read any more. What it still has to say is read all the same."""
        self.broken = True
        if isinstance(error, ProtocolError):
            self._violation = error
            self.wake()
        elif error.errno not in (errno.EPIPE, errno.ECONNRESET):
            # The plugin is there, and must not wait for a reply that cannot be written.
            self.wake()

    @property
    def woken(self) -> bool:
        """Whether nobody waits any longer."""
        return self._interrupt.is_set

    def wait_for_reader_gone(self, timeout: float | None = None) -> bool:
        """Wait until the plugin has closed the end that it reads from, or for `wake`; return False when that takes
        longer than `timeout` seconds.
        """
        if self.broken or self.woken:
            return True
        return bool(self._polls.reader_gone.poll(None if timeout is None else min(int(timeout * 1000), _LONGEST_POLL)))

    @property
    def duplex(self) -> Duplex:
        """Both streams, for who moves the bytes without this class: instead of `read` and `write`, not beside them."""
        return self._duplex

    def wake(self) -> None:
        """Let nobody wait any longer. What the plugin has written already can still be read."""
        self._interrupt.set()

    def release(self) -> None:
        """Close what was held until the plugin showed up."""
        held, self._held = self._held, []
        for fd in held:
            os.close(fd)

    def close(self) -> None:
        """Close both directions, so that the plugin sees the end. Only when nobody reads or writes any more."""
        if self._closed:
            return
        self._closed = True
        self.wake()
        try:
            self._duplex.close()
        finally:
            self.release()
            kept, self._kept = self._kept, []
            for fd in kept:
                os.close(fd)
            self._interrupt.close()


def block_sigpipe() -> None:
    """Keep a write to a closed pipe from killing a program that has set SIGPIPE to its deadly default."""
    if signal.getsignal(signal.SIGPIPE) == signal.SIG_DFL:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
