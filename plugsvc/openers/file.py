"""The scheme `file`: a path, opened anew.

`file:///dev/fd/N` is the usual one: an inherited pipe. Since the path is opened, not the descriptor used,
the stream has an open file description of its own, which can be non-blocking without anybody else noticing.
The inherited descriptor then belongs to the stream and is closed with it, else the host would never see the
end of file. Where it cannot be opened anew (the pipe is another user's, or there is no procfs), it is used as
it is, see the scheme `fd`.

Terminals (a pty's slave) carry a duplex stream; their settings are left to the host, which must make them
raw.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import time

from ..errors import OpenError
from ..imports import importing
from .descriptors import FIRST, open_path
from .stream import FdStream
from .url import URL

__all__ = ["open_file"]

_FLAGS = {"r": os.O_RDONLY, "w": os.O_WRONLY, "rw": os.O_RDWR}
# O_NOCTTY: opening a terminal must not make it the controlling one of a plugin that leads its session.
_ALWAYS = os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY

_DESCRIPTOR = re.compile(r"/+(?:dev|proc/+(?:self|thread-self|(?P<pid>\d+)))/+fd/+(?P<fd>\d+)")

_NOT_ANEW = (errno.EACCES, errno.EPERM, errno.ENOENT)
"""Why a descriptor may not be opened anew although it is open."""

_SLEEP_MIN, _SLEEP_MAX = 0.0005, 0.02


class FifoReader(FdStream):
    """The reading end of a FIFO: its writer may come later than we do."""

    _first = b""

    def ready(self) -> bool:
        """Whether `read` would return something at once."""
        return bool(self._first) or super().ready()

    def read(self, size: int) -> bytes | None:
        """Return what is there, `b""` at the end, None when nothing is there yet. Raises `OSError`."""
        if self._first:
            first, self._first = self._first, b""
            return first
        return super().read(size)

    def establish(self, deadline: float) -> None:
        """Wait until somebody has opened the FIFO for writing.

        Raises `OpenError` when nobody does in time.
        """
        pause = _SLEEP_MIN
        # Until a writer comes, a read returns what looks like the end of file, and nothing tells us of its
        # coming. `ready` also covers a writer that came and left again.
        while not self.ready():
            first = self.read(4096)
            if first != b"":
                self._first = first or b""
                break
            pause = _pause(pause, deadline, "nobody opened the FIFO for writing")
        super().establish(deadline)


def _pause(pause: float, deadline: float, why: str) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise OpenError(f"{why} in time")
    time.sleep(min(pause, left))
    return min(pause * 2, _SLEEP_MAX)


def open_file(url: URL, mode: str, deadline: float) -> FdStream:
    """Open the file that a URL names; `mode` is "r", "w" or "rw".

    A FIFO's reading end is returned at once, its writing end when it has a reader, which is waited for until
    `deadline` (monotonic clock). Raises `OpenError` with the reason alone, without the URL.
    """
    path = _path(url)
    try:
        kind = os.stat(path).st_mode
        _check_kind(kind, mode, path)
        fd = _open(path, _FLAGS[mode] | _ALWAYS, stat.S_ISFIFO(kind), deadline)
    except (OSError, ValueError) as error:
        if isinstance(error, OpenError):
            raise
        inherited = _own_descriptor(path)
        if inherited is None or not isinstance(error, OSError) or error.errno not in _NOT_ANEW:
            raise OpenError(_explain(error, path))
        return _take(inherited, mode, error)
    try:
        owned = _inherited(path, fd)
        if mode == "r" and stat.S_ISFIFO(kind) and not _is_anonymous_pipe(fd):
            return FifoReader(fd, owned=owned)
        return FdStream(fd, owned=owned)
    except BaseException:
        os.close(fd)
        raise


def _path(url: URL) -> str:
    if url.authority and url.authority.lower() not in ("localhost", os.uname().nodename.lower()):
        # RFC 8089: the host is where the file is. Some launchers make `file://a/b` of the relative path
        # `a/b`: opening `/b`, as others do, would be another file.
        raise OpenError(f"it names the host {url.authority!r}, a local file has none (was a relative path meant?)")
    if not url.path:
        raise OpenError("it has no path")
    return url.path


def _take(fd: int, mode: str, error: OSError) -> FdStream:
    """Use an inherited descriptor that cannot be opened anew, if it is one."""
    with importing():
        from .fd import CLOSED, take_descriptor

    try:
        os.fstat(fd)
    except OSError:
        raise OpenError(f"{(error.strerror or str(error)).lower()} ({CLOSED})")
    return take_descriptor(fd, mode, "give two URLs, one to read and one to write")


def _check_kind(kind: int, mode: str, path: str) -> None:
    if stat.S_ISDIR(kind):
        raise OpenError("it is a directory")
    if stat.S_ISSOCK(kind):
        inherited = _own_descriptor(path)
        instead = "the scheme unix" if inherited is None else f"fd:{inherited}"
        raise OpenError(f"it is a socket, which cannot be opened as a file; use {instead}")
    if mode == "rw" and stat.S_ISFIFO(kind):
        raise OpenError("it is a pipe, which carries one direction only; give two URLs, one to read and one to write")
    if mode == "rw" and stat.S_ISREG(kind):
        raise OpenError("it is a regular file, which would read back what is written to it; give two URLs")


def _open(path: str, flags: int, is_fifo: bool, deadline: float) -> int:
    pause = _SLEEP_MIN
    while True:
        try:
            return open_path(path, flags)
        except OSError as error:
            if not (is_fifo and error.errno == errno.ENXIO):
                raise
        # A FIFO that nobody reads yet. Opening it without O_NONBLOCK would wait for a reader, but without an
        # end.
        pause = _pause(pause, deadline, "nobody opened the FIFO for reading")


def _explain(error: Exception, path: str) -> str:
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    reason = error.strerror.lower()
    match = _DESCRIPTOR.fullmatch(path)
    if match and match["pid"]:
        why = ""
        if error.errno in (errno.EACCES, errno.EPERM):
            why = f"process {match['pid']} is another user's, or not to be looked into"
        elif error.errno == errno.ENOENT and os.path.isdir(f"/proc/{match['pid']}"):
            return f"{reason} (process {match['pid']} has closed it)"
        elif error.errno == errno.ENOENT:
            why = f"there is no process {match['pid']} here: it has ended, or this is another PID namespace"
        if why:
            return f"{reason} ({why}; a host can let descriptors be inherited instead: devfd, fd)"
    return reason


def _is_anonymous_pipe(fd: int) -> bool:
    """Whether `fd` is a pipe without a name:

    opening it never waits, and no writer means end of file from the start.
    """
    try:
        return os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:")
    except OSError:
        return False


def _inherited(path: str, opened: int) -> tuple[int, ...]:
    """Return the inherited descriptor that `path` names, if it names one."""
    fd = _own_descriptor(path)
    return () if fd is None or fd == opened else (fd,)


def _own_descriptor(path: str) -> int | None:
    """Return the number of this process's descriptor that `path` names, None where it names something else."""
    match = _DESCRIPTOR.fullmatch(path)
    if not match or (match["pid"] and int(match["pid"]) != os.getpid()):
        return None
    fd = int(match["fd"])
    return fd if FIRST <= fd < 1 << 31 else None  # the standard streams stay with the program
