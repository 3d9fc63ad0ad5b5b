"""The suite's end of a connection: raw bytes out, judged messages in, and a log of both with times."""

from __future__ import annotations

import array
import base64
import errno
import fcntl
import os
import socket
import stat
import termios
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from conformance.drive.pump import Channel, Pump, Writer
from conformance.oracle import strict
from conformance.oracle.frames import BadFrame, FrameReader
from conformance.outcomes import Failure

SHOWN = 400


@dataclass(slots=True)
class Crossing:
    """Bytes that crossed the wire: when (seconds since the start of the case), which direction, what."""

    at: float
    direction: str  # ">" from the suite, "<" from the testee, "!" an event
    data: bytes
    size: int

    def to_json(self) -> dict[str, Any]:
        """Milliseconds, direction, the first bytes in base64, and how many there were."""
        data = base64.b64encode(self.data).decode()
        return {"milliseconds": round(self.at * 1000, 1), "direction": self.direction, "data": data, "size": self.size}

    def render(self) -> str:
        """One line for the report; long data is shortened in the middle."""
        shown = self.data.decode("utf-8", "backslashreplace")
        shown = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in shown).replace("\n", "\\n")
        more = f" … ({self.size} bytes)" if self.size > len(self.data) else ""
        return f"{self.at * 1000:9.1f} ms {self.direction} {shown}{more}"


class Log(list[Crossing]):
    """What crossed a connection, with the time since the connection was made."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()

    def add(self, direction: str, data: bytes) -> None:
        """Add an entry."""
        self.append(Crossing(time.monotonic() - self._began, direction, data[:SHOWN], len(data)))


@dataclass
class _Link:
    """What the descriptors lead to: see `WireEnd.attach`. `deaf`: reading has been stopped before `begun`."""

    kind: str = ""
    unread: Callable[[], int | None] | None = None
    begun: Callable[[], None] | None = None
    over: Callable[[bool, bool], bool] | None = None
    kept: bool = False
    deaf: bool = False


class WireEnd:
    """One connection with the testee.

    ``frames`` holds the messages that came and were not yet taken, as bytes; a testee that writes something that is no
    message sets ``broken``. What is written, held or closed before there is a connection happens when there is one.
    """

    def __init__(self, pump: Pump) -> None:
        self._pump = pump
        self._reader = FrameReader()
        self.frames: deque[bytes] = deque()
        self.log = Log()
        self.broken: str = ""
        self.received = 0
        self._channel: Channel | None = None
        self._writer: Writer | None = None
        self._link = _Link()
        self._early: list[bytes] = []
        self._held = False
        self._open = {"reading", "writing"}

    def attach(
        self,
        read_fd: int,
        write_fd: int,
        *,
        unread: Callable[[], int | None] | None = None,
        begun: Callable[[], None] | None = None,
        over: Callable[[bool, bool], bool] | None = None,
        kept: bool = False,
    ) -> None:
        """Begin to use the two descriptors (the same one for a duplex stream); the pump owns them from now on.

        ``unread`` tells how many bytes the testee has not read, where the descriptors do not; ``begun`` is called when
        the first bytes have come; ``over`` tells whether the end of reading, or writing, has reached the testee, where
        the descriptors lead to somebody who passes it on. ``kept`` says that until ``begun`` somebody else keeps both
        directions open: to stop reading before that takes effect only then.
        """
        self._link = _Link(_kind(read_fd), unread, begun, over, kept)
        self._channel = self._pump.read(read_fd, self._came)
        self._writer = self._pump.write(os.dup(read_fd) if write_fd == read_fd else write_fd)
        for data in self._early:
            self._writer.put(data)
        self._pump.flush(self._writer)
        if self._held:
            self._pump.hold(read_fd, True)
        closed, self._open = {"reading", "writing"} - self._open, {"reading", "writing"}
        if closed:
            self.close(read="reading" in closed, write="writing" in closed)

    @property
    def attached(self) -> bool:
        """Whether there is a connection."""
        return self._channel is not None

    @property
    def halves(self) -> bool:
        """Whether one direction can be closed and the other one go on; a terminal can only be hung up as a whole."""
        return self._link.kind != "terminal"

    @property
    def fileno(self) -> int:
        """The descriptor that is read."""
        assert self._channel is not None
        return self._channel.fd

    @property
    def eof(self) -> bool:
        """Whether the testee closed its writing end."""
        return self._channel is not None and self._channel.eof

    @property
    def between(self) -> list[bytes]:
        """The white space that the testee wrote between its messages."""
        return self._reader.between

    @property
    def in_message(self) -> bool:
        """Whether the testee has begun a message and not ended it."""
        return self._reader.in_message

    def note(self, text: str) -> None:
        """Put an event into the log."""
        self.log.add("!", text.encode())

    def _came(self, data: bytes) -> None:
        begun, self._link.begun = self._link.begun, None
        if begun is not None:
            begun()
        if self._link.deaf:
            assert self._channel is not None
            self._pump.release(self._channel)
            return
        self.received += len(data)
        self.log.add("<", data)
        if self.broken:
            return
        try:
            self.frames.extend(self._reader.feed(data))
        except BadFrame as error:
            self.broken = str(error)

    def put(self, data: bytes) -> None:
        """Queue bytes to be written."""
        assert "writing" in self._open
        self.log.add(">", data)
        if self._writer is None:
            self._early.append(data)
        else:
            self._writer.put(data)

    def flush(self) -> bool:
        """Write what can be written at once; whether that was everything."""
        if self._writer is not None and self._writer.queue:
            self._pump.flush(self._writer)
        return self.written

    @property
    def written(self) -> bool:
        """Whether everything queued has left, or cannot leave any more."""
        return self._writer is None or not self._writer.queue

    @property
    def write_error(self) -> OSError | None:
        """Why nothing can be written any more: the testee closed its reading end."""
        return self._writer.error if self._writer else None

    @property
    def unread(self) -> int | None:
        """How many bytes the testee has not read yet of what was written; None where the system does not tell."""
        if self._writer is None or self._writer.error:
            return None
        queued = sum(map(len, self._writer.queue))
        if self._link.unread is not None:
            count = self._link.unread()
            return None if count is None else count + queued
        if self._link.kind not in _TELL:
            return None
        counted = array.array("i", [0])
        fcntl.ioctl(self._writer.fd, _TELL[self._link.kind], counted)
        return counted[0] + queued

    @property
    def offered(self) -> int:
        """How many bytes of the testee wait in the connection to be read by the suite, which was told to `hold`."""
        if self._channel is None:
            return 0
        count = array.array("i", [0])
        fcntl.ioctl(self._channel.fd, termios.FIONREAD, count)
        return count[0]

    def hold(self, held: bool) -> None:
        """Leave what the testee writes unread for now, or go on reading it."""
        self._held = held
        self.note("the suite stops reading" if held else "the suite reads again")
        if self._channel is not None:
            self._pump.hold(self._channel.fd, held)

    def slow_reads(self, size: int) -> None:
        """Read no more than so many bytes at once from now on, as soon as they are there."""
        self.note(f"the suite reads {size} bytes at a time")
        assert self._channel is not None
        self._channel.size = size

    def close(self, *, read: bool = True, write: bool = True) -> None:
        """Close one end or both; the testee sees end of file, or EPIPE.

        A terminal can only be hung up as a whole, and of a socket that only stops reading nobody is told (who waits
        until it can write again is not woken): there, both ends are closed.
        """
        if (not self.halves and (read or write)) or (self._link.kind in ("socket", "tcp") and read):
            read = write = True
        ends = (("writing", write, self._writer), ("reading", read, self._channel))
        going = [(name, end) for name, wanted, end in ends if wanted and name in self._open]
        if not self.halves and going:
            self._drain()
        elif self._link.kind == "tcp" and len(going) == 2:
            self._cross()
        self._open -= {name for name, _ in going}
        for name, end in going:
            self.note(f"the suite closes its {name} end")
            if name == "reading" and self._link.kept and self._link.begun is not None:
                self._link.deaf = True
            elif end is not None:
                if self._open and self._link.kind in ("socket", "tcp"):
                    # Only where the other end stays: closed as a whole with something unread, a socket is reset.
                    _shut(end.fd)
                self._pump.release(end)
        deadline = time.monotonic() + 1.0
        while (
            going and self._link.over is not None and not self._link.over(read, write) and time.monotonic() < deadline
        ):
            self._pump.until(lambda: False, time.monotonic() + 0.001)
        if self._channel is not None and "reading" not in self._open:
            self._channel.eof = True
        if "writing" not in self._open:
            self._writer = None

    def _drain(self) -> None:
        """Wait, not for long, until the testee has read everything: to hang up takes away what is unread."""
        deadline, empty = time.monotonic() + 1.0, 0
        while empty < 2 and self._writer is not None and not self._writer.error and time.monotonic() < deadline:
            empty = 0 if self.unread else empty + 1
            self._pump.until(lambda: False, time.monotonic() + 0.003)

    def _cross(self) -> None:
        """Wait until everything is with the other side, as long as it moves: a reset would take it away."""
        deadline, counted, before = time.monotonic() + 1.0, array.array("i", [1]), 0
        while counted[0] and self._writer is not None and not self._writer.error and time.monotonic() < deadline:
            self._pump.until(lambda: False, time.monotonic() + 0.001)
            fcntl.ioctl(self._writer.fd, termios.TIOCOUTQ, counted)
            if counted[0] != before:
                deadline, before = time.monotonic() + 1.0, counted[0]

    def take(self) -> dict[str, Any]:
        """The oldest message that came, judged strictly.

        Raises:
            Failure: it is not strict JSON (FRM-07).
        """
        data = self.frames.popleft()
        try:
            value = strict.loads(data)
        except strict.NotStrict as error:
            raise Failure(
                "the testee wrote a message that is not strict JSON",
                expected="RFC 8259 in UTF-8",
                seen=f"{error}: {shorten(data)}",
            ) from None
        assert isinstance(value, dict)  # the frame reader takes nothing else
        return value

    def crossings(self) -> list[Crossing]:
        """The log; of a long one the beginning and the end."""
        return self.log if len(self.log) <= 60 else [*self.log[:40], *self.log[-20:]]

    def render(self) -> list[str]:
        """The log as lines; a long one is shortened in the middle."""
        log = self.crossings()
        lines = [crossing.render() for crossing in log]
        if len(log) < len(self.log):
            lines.insert(40, f"… {len(self.log) - 60} more …")
        return lines


def shorten(data: bytes, limit: int = 200) -> str:
    """Bytes as text for one line of a report."""
    text = data[:limit].decode("utf-8", "backslashreplace")
    return text if len(data) <= limit else f"{text}… ({len(data)} bytes)"


_TELL = {"pipe": termios.FIONREAD, "socket": termios.TIOCOUTQ}
"""What to ask the writing end for how much is unread; TCP counts only what has not crossed over."""


def _kind(fd: int) -> str:
    """What a descriptor is of: pipe, socket (of this machine), tcp, terminal, or other."""
    mode = os.fstat(fd).st_mode
    if stat.S_ISFIFO(mode):
        return "pipe"
    if stat.S_ISSOCK(mode):
        with socket.socket(fileno=os.dup(fd)) as found:
            return "socket" if found.family == socket.AF_UNIX else "tcp"
    return "terminal" if stat.S_ISCHR(mode) else "other"


def _shut(fd: int) -> None:
    """Close the writing direction of a socket; nothing to do where the other side has closed both."""
    with socket.socket(fileno=os.dup(fd)) as ours:
        try:
            ours.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise
