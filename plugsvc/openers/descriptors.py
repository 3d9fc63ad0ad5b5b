"""Creates file descriptors that never get the number of a standard stream.

A daemon may run with descriptors 0, 1 or 2 closed. The kernel gives the lowest free number, so a pipe may get one of
them. Then everything that treats 0 to 2 as standard streams breaks the connection: `subprocess` replaces them in the
child, prints go into the protocol, openers refuse them. Every descriptor of the library is made here, or moved by
`above_standard`. All of them are close-on-exec.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["FIRST", "above_standard", "duplicate", "eventfd", "open_path", "openpty", "pipe", "standard_reserved"]

FIRST = 3
"""The lowest number that a descriptor of the library has."""


def above_standard(fd: int) -> int:
    """Return `fd`, or a copy above the standard streams in its place; `fd` is closed then.

    Raises `OSError` when there is no room for the copy; then `fd` is closed, too.
    """
    if fd >= FIRST:
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST)
    finally:
        os.close(fd)


def duplicate(fd: int) -> int:
    """Return a copy of a descriptor, which stays open. Raises `OSError`."""
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST)


def pipe() -> tuple[int, int]:
    """Return the ends of a new pipe, to read and to write. Raises `OSError`."""
    return _pair(*os.pipe())


def openpty() -> tuple[int, int]:
    """Return master and slave of a new pseudo-terminal. Raises `OSError`."""
    return _pair(*os.openpty())


def open_path(path: str | bytes | os.PathLike[str], flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    """Open a file as `os.open` does. Raises `OSError`, and `ValueError` for a path with NUL."""
    return above_standard(os.open(path, flags | os.O_CLOEXEC, mode, dir_fd=dir_fd))


def eventfd() -> int:
    """Return a non-blocking event counter that starts at 0. Raises `OSError`; only Linux has it."""
    return above_standard(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))


def _pair(one: int, other: int) -> tuple[int, int]:
    try:
        one = above_standard(one)
    except OSError:
        os.close(other)
        raise
    try:
        return one, above_standard(other)
    except OSError:
        os.close(one)
        raise


_reserving = threading.Lock()


@contextmanager
def standard_reserved() -> Iterator[None]:
    """While the block runs, no new descriptor of this process gets the number of a standard stream.

    For descriptors that other code makes: `subprocess`, `asyncio`. Closed standard streams are the null device
    meanwhile, close-on-exec, so a child finds them closed. Raises `OSError`.
    """
    with _reserving:
        # Under the lock: what is open now was not opened here by another thread, only to be closed again.
        if not all(map(_is_open, range(FIRST))):
            held: list[int] = []
            try:
                while not all(map(_is_open, range(FIRST))):
                    held.append(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC))
                yield
            finally:
                for fd in held:
                    os.close(fd)
            return
    yield


def _is_open(fd: int) -> bool:
    try:
        fcntl.fcntl(fd, fcntl.F_GETFD)
    except OSError:
        return False
    return True


def _renew_lock() -> None:
    global _reserving
    _reserving = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)
