"""The scheme `fd`: descriptors that the process has inherited, used as they are.

- `fd:3`: a socket (or a terminal) in both directions.
- `fd:3,4`: two pipes, the first to read and the second to write.
- As one of two URLs, `fd:3` is read or written.

Nothing is opened anew, so neither `/dev/fd` nor any right is needed: it also works for another user, in a
sandbox, and in another PID namespace. But descriptors share the state of what they stand for with every copy of
them. These are made non-blocking, and a blocking reader or writer of the same end would see that. So the host
must have closed its copies of the plugin's ends, which it has to do anyhow, or nobody would see the end of file;
the other end of a pipe or socket has a state of its own.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import stat

from ..errors import OpenError
from .descriptors import FIRST, duplicate
from .sockets import SocketStream, socket_of
from .stream import Duplex, FdStream
from .url import URL

__all__ = ["CLOSED", "adopt", "check_descriptor", "open_fd", "take_descriptor"]

_NUMBERS = re.compile(r"(?P<one>[0-9]{1,9})(?:,(?P<other>[0-9]{1,9}))?")

CLOSED = (
    "whatever started this process has closed it, as sudo does; a host can offer a path instead: unix, fifo, procfs"
)
"""Why an inherited descriptor is not there, and what to do about it."""


def open_fd(url: URL, mode: str, deadline: float) -> FdStream | Duplex:
    """Take over inherited descriptors. Raises `OpenError` with the reason alone, without the URL."""
    match = _NUMBERS.fullmatch(url.path)
    if not match or url.authority is not None:
        raise OpenError("it has no descriptor (fd:3 for a socket, fd:3,4 for two pipes, to read and to write)")
    numbers = [int(number) for number in match.groups() if number is not None]
    for number in numbers:
        if number < FIRST:
            raise OpenError(f"descriptor {number} is one of the standard streams (for these use stdio:)")
    if len(numbers) == 1:
        return take_descriptor(numbers[0], mode, "give two, to read and to write: fd:N,M")
    if mode != "rw":
        raise OpenError("it has two descriptors, which are both directions; give this URL alone")
    reader = take_descriptor(numbers[0], "r")
    try:
        return Duplex(reader, take_descriptor(numbers[1], "w"))
    except BaseException:
        reader.close()
        raise


def take_descriptor(number: int, mode: str, instead: str = "") -> FdStream:
    """Return the stream over an inherited descriptor, see `check_descriptor`. Raises `OpenError`."""
    check_descriptor(number, mode, f"descriptor {number}", instead)
    # A copy, so that the number is still good for another try when the rest of the opening fails.
    return adopt(duplicate(number), owned=(number,))


def adopt(fd: int, *, owned: tuple[int, ...] = ()) -> FdStream:
    """Return the stream over a descriptor, which belongs to it; after a failure it is closed."""
    try:
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            adopted = socket.socket(fileno=fd)
            try:
                return SocketStream(adopted, owned=owned)
            except BaseException:
                adopted.detach()
                raise
        return FdStream(fd, owned=owned)
    except BaseException:
        os.close(fd)
        raise


def check_descriptor(fd: int, mode: str, name: str, instead: str) -> None:
    """Raise `OpenError` unless a descriptor is open and can be used in that mode.

    `name` is what to call it, `instead` what to do with a pipe where both directions are needed.
    """
    try:
        kind = os.fstat(fd).st_mode
        access = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE
    except (OSError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno != errno.EBADF:
            raise
        raise OpenError(f"{name} is not open ({CLOSED})")
    if stat.S_ISSOCK(kind):
        _check_socket(fd, name)
        return
    if not (stat.S_ISFIFO(kind) or stat.S_ISCHR(kind) or (stat.S_ISREG(kind) and mode != "rw")):
        raise OpenError(f"{name} is neither a socket nor a pipe")
    if mode == "rw" and stat.S_ISFIFO(kind):
        raise OpenError(f"{name} is a pipe, which carries one direction only; {instead}")
    if access not in (os.O_RDWR, os.O_RDONLY) and "r" in mode:
        raise OpenError(f"{name} is not open for reading")
    if access not in (os.O_RDWR, os.O_WRONLY) and "w" in mode:
        raise OpenError(f"{name} is not open for writing")


def _check_socket(fd: int, name: str) -> None:
    with socket_of(duplicate(fd)) as found:
        if found.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) != socket.SOCK_STREAM:
            raise OpenError(f"{name} is a socket, but not one that carries a stream")
        if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise OpenError(f"{name} is a socket that waits for connections, and has none")
