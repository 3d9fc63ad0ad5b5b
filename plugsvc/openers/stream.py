"""Byte streams that never block by themselves: whoever uses one decides how to wait for it."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
from collections.abc import Sequence
from typing import NamedTuple, Protocol

__all__ = ["Duplex", "FdStream", "Stream"]

READ_SIZE = 64 * 1024


class Stream(Protocol):
    """One end of a byte stream, to read, to write, or both; used by one reader and one writer at a time.

    To wait for it: `arm`, and if that returns True, `poll` on `fileno` for POLLIN (to read) or for `room` (to
    write); then try again, whatever the reason for waking up was. A stream whose bytes are in the kernel is told of
    no sleep; one whose descriptor is only a doorbell, rung for those who have announced to sleep, needs it.
    """

    @property
    def atomic(self) -> int:
        """Up to how many bytes `write` takes as a whole or not at all."""

    @property
    def room(self) -> int:
        """What `poll` reports on `fileno` when there may be room to write again: POLLOUT, or POLLIN from a doorbell."""
        return select.POLLOUT

    def arm(self) -> bool:
        """Announce that `poll` will be asked to wait; return False where it must not, since to try now pays off.

        It does not say for what: who needs to know has a stream for each direction, as a `Duplex`.
        """
        return True

    def fileno(self) -> int:
        """Return the descriptor that `poll` waits on. Raises `ValueError` after `close`."""

    def ready(self) -> bool:
        """Whether `read` would return something at once, end of file included.

        To be asked at least once before waiting for `fileno`: a stream may hold bytes that its descriptor
        does not show.
        """

    def read(self, size: int) -> bytes | None:
        """Return at most `size` bytes that are there; `b""` at the end, None when nothing is there yet.

        Raises `OSError`, and `ProtocolError` where the other side broke the stream itself.
        """

    def write(self, data: bytes | memoryview) -> int:
        """Write what fits now and return how many bytes that was, 0 when nothing fits.

        Raises as `read`; `BrokenPipeError` when nobody reads any more.
        """

    def grow(self, size: int) -> None:
        """Take the hint that messages of `size` bytes come along; never fails."""

    def establish(self, deadline: float) -> None:
        """Wait until the other side is there, up to a time of the monotonic clock. Raises `OpenError`."""

    def close(self) -> None:
        """Give up the stream, so that the other side sees its end. Safe to call again."""


class Duplex(NamedTuple):
    """Both directions of a connection; `reader is writer` where one stream carries both."""

    reader: Stream
    writer: Stream
    urls: tuple[str, ...] = ()

    def close(self) -> None:
        """Close both directions."""
        try:
            self.writer.close()
        finally:
            self.reader.close()


def _same_file(one: int, other: int) -> bool:
    try:
        a, b = os.fstat(one), os.fstat(other)
    except OSError:
        return False
    return (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)


class FdStream:
    """A stream over a descriptor, which it owns from now on.

    The descriptor is made non-blocking, so its open file description must not be shared with anybody who
    expects it to block: open the path anew (Linux gives a new description for pipes through `/dev/fd`, too),
    do not `dup`. It is not inherited by children. `owned` are further descriptors to be closed together with it.
    """

    atomic: int
    room: int

    def __init__(self, fd: int, *, owned: Sequence[int] = ()) -> None:
        self._to_own = tuple(owned)
        self._owned: tuple[int, ...] = ()
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._capacity = 0
        mode = os.fstat(fd).st_mode
        self._is_pipe = stat.S_ISFIFO(mode)
        self._is_terminal = stat.S_ISCHR(mode)
        self.atomic = select.PIPE_BUF if self._is_pipe else 0
        self.room = select.POLLOUT
        os.set_blocking(fd, False)
        # A child that outlives us would keep the other side from seeing our end.
        os.set_inheritable(fd, False)
        self._fd = fd  # last: after a failure the descriptor still belongs to the caller

    def fileno(self) -> int:
        """Return the descriptor. Raises `ValueError` after `close`."""
        if self._fd < 0:
            raise ValueError("the stream is closed")
        return self._fd

    def arm(self) -> bool:
        """Return True: the kernel knows by itself when to wake us."""
        return True

    def ready(self) -> bool:
        """Whether `read` would return something at once; costs a quarter of a `read` that finds nothing."""
        return bool(self._poll.poll(0))

    def read(self, size: int) -> bytes | None:
        """Return what is there, `b""` at the end, None when nothing is there yet. Raises `OSError`."""
        try:
            return os.read(self._fd, size)
        except BlockingIOError:
            return None
        except OSError as error:
            # What a terminal, or a socket whose peer died with bytes unread, says where a pipe has an end of
            # file.
            if error.errno == errno.ECONNRESET or (error.errno == errno.EIO and self._is_terminal):
                return b""
            raise

    def write(self, data: bytes | memoryview) -> int:
        """Write what fits now;

        0 when nothing fits. Raises `OSError`, `BrokenPipeError` when nobody reads any more.
        """
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0

    def grow(self, size: int) -> None:
        """Enlarge a pipe's buffer, so that a message of `size` bytes takes fewer wake-ups."""
        if not self._is_pipe or not self._capacity < size < 1 << 31:
            return
        self._capacity = size
        set_size = getattr(fcntl, "F_SETPIPE_SZ", None)
        if set_size is None:
            return
        try:
            fcntl.fcntl(self._fd, set_size, size)
        except OSError:
            # Over the limit of this user (EPERM), or more is in the pipe than would fit (EBUSY): it stays as
            # it is.
            return

    def establish(self, deadline: float) -> None:
        """Take over the inherited descriptor; there is nothing to wait for, what is open is connected."""
        # Not before all is open: after a failure the caller may want to try the same URL again.
        for fd in self._to_own:
            os.set_inheritable(fd, False)
        # And once only, although a stream for both directions is established for each.
        self._owned, self._to_own = (*self._owned, *self._to_own), ()

    def close(self) -> None:
        """Close the descriptor and those owned with it."""
        fd, self._fd = self._fd, -1
        owned, self._owned = self._owned, ()
        if fd < 0:
            return
        try:
            for each in owned:
                # Only while it still is the same file: the program may have closed it and reused the number.
                if _same_file(each, fd):
                    os.close(each)
        finally:
            os.close(fd)

    def __del__(self) -> None:
        # Only for streams that nobody closed: at the end of the process, or after a failed opening.
        if getattr(self, "_fd", -1) >= 0:
            self.close()
