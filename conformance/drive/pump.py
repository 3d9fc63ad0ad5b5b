"""One loop that moves all bytes of a case: every channel, both ways, under one deadline.

The suite never blocks on a single descriptor. While it waits for one thing it goes on reading everything else, so
that a testee is never held up by the suite, and it notices at once when the process it waits for has died.
"""

from __future__ import annotations

import errno
import os
import select
import selectors
import time
from collections import deque
from collections.abc import Callable

CHUNK = 1 << 18


class Channel:
    """A descriptor of the pump, read to the end; closed by `Pump.drop` or at end of file.

    ``size`` is how many bytes are read at once at most.
    """

    size = CHUNK

    def __init__(self, fd: int, on_data: Callable[[bytes], None]) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self.on_data = on_data
        self.eof = False


class Writer:
    """A descriptor of the pump, written from a queue as fast as the other side reads."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self.queue: deque[memoryview] = deque()
        self.error: OSError | None = None

    def put(self, data: bytes) -> None:
        """Queue bytes; nothing is written before the pump runs."""
        if data and self.error is None:
            self.queue.append(memoryview(data))


class Pump:
    """Moves bytes until something is true or the time is up."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._channels: dict[int, Channel] = {}
        self._writers: dict[int, Writer] = {}
        self._held: set[int] = set()

    def read(self, fd: int, on_data: Callable[[bytes], None]) -> Channel:
        """Read ``fd`` from now on; the pump owns and closes it."""
        channel = Channel(fd, on_data)
        self._channels[fd] = channel
        self._watch(fd)
        return channel

    def write(self, fd: int) -> Writer:
        """Write to ``fd``; the pump owns and closes it. It may be a descriptor that is read as well."""
        writer = Writer(fd)
        self._writers[fd] = writer
        return writer

    def hold(self, fd: int, held: bool) -> None:
        """Leave what comes on a descriptor unread, or go on reading it."""
        if fd in self._channels:
            (self._held.add if held else self._held.discard)(fd)
            self._watch(fd)

    def watch(self, fd: int, ready: Callable[[], None]) -> None:
        """Call ``ready`` when ``fd`` turns readable, again each round until it is dropped."""
        self._selector.register(fd, selectors.EVENT_READ, ready)

    def unwatch(self, fd: int) -> None:
        """Stop what `watch` began; the descriptor stays open."""
        self._selector.unregister(fd)

    def drop(self, fd: int) -> None:
        """Close a descriptor and forget it; unknown ones are ignored."""
        known = self._channels.pop(fd, None) is not None
        known = self._writers.pop(fd, None) is not None or known
        if known:
            self._held.discard(fd)
            if fd in self._selector.get_map():
                self._selector.unregister(fd)
            os.close(fd)

    def release(self, end: Channel | Writer) -> None:
        """Close the descriptor of a channel or writer, unless it is closed already, and forget it."""
        if self._channels.get(end.fd) is end or self._writers.get(end.fd) is end:
            self.drop(end.fd)

    def flush(self, writer: Writer) -> None:
        """Write what can be written now."""
        self._flush(writer.fd)

    def close(self) -> None:
        """Close everything."""
        for fd in {*self._channels, *self._writers}:
            self.drop(fd)
        self._selector.close()

    def until(self, done: Callable[[], bool], deadline: float) -> bool:
        """Move bytes until ``done()``; False when ``deadline`` (monotonic seconds) passed first."""
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._round(left)
        return True

    def _watch(self, fd: int) -> None:
        events = selectors.EVENT_READ if fd in self._channels and fd not in self._held else 0
        writer = self._writers.get(fd)
        if writer is not None and writer.queue:
            events |= selectors.EVENT_WRITE
        known = fd in self._selector.get_map()
        if events and known:
            self._selector.modify(fd, events, None)
        elif events:
            self._selector.register(fd, events, None)
        elif known:
            self._selector.unregister(fd)

    def _round(self, timeout: float) -> None:
        for fd, writer in self._writers.items():
            if writer.queue:
                self._watch(fd)
        for key, events in self._selector.select(timeout):
            if key.data is not None:
                key.data()
                continue
            if events & selectors.EVENT_WRITE:
                self._flush(key.fd)
            if events & selectors.EVENT_READ:
                self._fill(key.fd)

    def _flush(self, fd: int) -> None:
        writer = self._writers.get(fd)
        if writer is None:
            return
        try:
            while writer.queue:
                view = writer.queue[0]
                count = os.write(fd, view[: 1 << 20])
                if count == len(view):
                    writer.queue.popleft()
                else:
                    writer.queue[0] = view[count:]
        except BlockingIOError:
            if _hung_up(fd):
                writer.error = OSError(errno.EIO, "hung up")
                writer.queue.clear()
        except OSError as error:  # the reader is gone
            writer.error = error
            writer.queue.clear()
        if not writer.queue:
            self._watch(fd)

    def _fill(self, fd: int) -> None:
        channel = self._channels.get(fd)
        if channel is None:
            return
        try:
            data = os.read(fd, channel.size)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno not in (
                errno.EIO,
                errno.ECONNRESET,
            ):  # a pty whose other end is closed; a reset socket
                raise
            data = b""
        if data:
            channel.on_data(data)
            return
        channel.eof = True
        del self._channels[fd]
        if fd in self._writers:
            self._watch(fd)
            return
        self._selector.unregister(fd)
        os.close(fd)


def _hung_up(fd: int) -> bool:
    """Whether a terminal has nobody at its other end: bytes go into it until it is full, and never come out."""
    poll = select.poll()
    poll.register(fd, 0)
    return any(events & select.POLLHUP for _, events in poll.poll(0))
