"""The scheme `shm`: two rings in a file that both processes map, `shm:///dev/shm/DIRECTORY/ring`.

The host makes the file and, beside it, four FIFOs that sleepers are woken by; the plugin opens them and removes
their names, which is how it takes the connection for itself. `docs/shm.md` describes every byte and step.

For the same user on the same machine. No bytes pass through the kernel; while both sides are busy, no system
call is made at all.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable

from ..errors import OpenError
from .descriptors import open_path
from .shm_memory import DOORBELLS, REPLIES, REQUESTS, Memory
from .shm_ring import RingReader, RingWriter
from .stream import Duplex
from .url import HOST_FLAG, URL, absolute, quote_path

__all__ = ["doorbell_paths", "open_shm", "with_shm_path"]

_ALWAYS = os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY
_GONE = "the host is gone, or another process has opened it already"


def with_shm_path(path: str | os.PathLike[str]) -> list[str]:
    """Return the arguments that tell a plugin to use the memory file at `path`."""
    return [HOST_FLAG, "shm://" + quote_path(absolute(path))]


def doorbell_paths(path: str) -> list[str]:
    """Return the paths of the four FIFOs that belong to a memory file, in the order of `DOORBELLS`."""
    return [f"{path}.{doorbell}" for doorbell in DOORBELLS]


def open_shm(url: URL, mode: str, deadline: float) -> Duplex:
    """Open the plugin's ends of both rings. Raises `OpenError` with the reason alone, without the URL.

    After a failure everything is as it was.
    """
    path = _path(url)
    if mode != "rw":
        raise OpenError("it stands for both directions; give this URL alone")
    with contextlib.ExitStack() as undo:
        memory = _map(path, undo)
        paths = dict(zip(DOORBELLS, doorbell_paths(path), strict=True))
        doorbells = {
            doorbell: _open_doorbell(paths[doorbell], flags, undo)
            for doorbell, flags in (
                ("replies.filled", os.O_RDONLY),
                ("requests.drained", os.O_RDONLY),
                ("requests.filled", os.O_WRONLY),
                ("replies.drained", os.O_WRONLY),
            )
        }
        try:
            os.unlink(path)
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise OpenError("another process has opened it in the meantime")
            raise OpenError(f"cannot remove {path!r}, by which it would be taken: {_reason(error)}")
        undo.pop_all()
        reader = RingReader(memory, REPLIES, doorbells["replies.filled"], doorbells["replies.drained"])
        writer = RingWriter(memory, REQUESTS, doorbells["requests.drained"], doorbells["requests.filled"])
    for doorbell in paths.values():
        # It is the host's directory, and the host removes what is left in it.
        with contextlib.suppress(OSError):
            os.unlink(doorbell)
    return Duplex(reader, writer)


def _path(url: URL) -> str:
    if url.authority and url.authority.lower() not in ("localhost", os.uname().nodename.lower()):
        raise OpenError(f"it names the host {url.authority!r}, shared memory has none (was a relative path meant?)")
    if not url.path.startswith("/"):
        raise OpenError("it has no absolute path" if url.path else "it has no path")
    return url.path


def _map(path: str, undo: contextlib.ExitStack) -> Memory:
    fd = _open(path, os.O_RDWR)
    try:
        _check_kind(fd, stat.S_ISREG, "it is not a regular file")
        memory = Memory.open(fd)
    finally:
        os.close(fd)
    # Once for each ring.
    undo.callback(memory.release)
    undo.callback(memory.release)
    return memory


def _open_doorbell(path: str, flags: int, undo: contextlib.ExitStack) -> int:
    try:
        fd = _open(path, flags)
    except OpenError as error:
        raise OpenError(f"{os.path.basename(path)}: {error}")
    undo.callback(os.close, fd)
    _check_kind(fd, stat.S_ISFIFO, f"{os.path.basename(path)} is not a FIFO")
    return fd


def _open(path: str, flags: int) -> int:
    try:
        return open_path(path, flags | _ALWAYS)
    except OSError as error:
        raise OpenError(_reason(error))


def _check_kind(fd: int, check: Callable[[int], bool], text: str) -> None:
    status = os.fstat(fd)
    if not check(status.st_mode):
        raise OpenError(text)
    if status.st_uid != os.geteuid():
        raise OpenError(f"it belongs to user {status.st_uid}, this process to user {os.geteuid()}")


def _reason(error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    if error.errno in (errno.ENOENT, errno.ENXIO):
        return f"{reason} ({_GONE})"
    if error.errno == errno.ELOOP:
        return "it is a symbolic link"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{reason} (it is for the host's own user only)"
    return reason
