"""Connections: what a URL names is opened, read and written without blocking.

Everything is waited for with `poll`, so a wait never hides that the connection has ended meanwhile.
"""

from __future__ import annotations

import errno
import os
import re
import select
import socket
import stat
import struct
import time
from urllib.parse import quote_from_bytes, unquote_to_bytes

OPEN_SECONDS = 30.0  # to wait for the other side of a named pipe, or for an answer at a socket
CHECK_MILLISECONDS = 100  # between two looks whether a blocked writer is to give up
URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://([^/?#]*))?([^?#]*)[^\0]*")
BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
INHERITED = re.compile(rb"/(?:dev|proc/self)/fd/([0-9]+)")


class OpenError(Exception):
    """A URL cannot be opened."""


class Connection:
    """The own end of a connection: a descriptor to read and one to write, which may be the same."""

    def __init__(self, reader: int, writer: int, inherited: tuple[int, ...] = ()) -> None:
        self._reader = reader
        self._writer = writer
        self._inherited = inherited
        for end in (reader, writer):
            os.set_blocking(end, False)

    def read(self) -> bytes:
        """Wait for the next bytes; empty at the end. Raises OSError."""
        while True:
            _wait(self._reader, select.POLLIN)
            try:
                return os.read(self._reader, 1 << 16)
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno in (errno.EIO, errno.ECONNRESET):
                    return b""  # how a terminal and a socket say that the other side is gone
                raise

    def write(self, data: bytes) -> int:
        """Write some of the data, or wait a moment for room; returns how much was written. Raises OSError."""
        try:
            return os.write(self._writer, data)
        except BlockingIOError:
            _wait(self._writer, select.POLLOUT, CHECK_MILLISECONDS)
            return 0

    def close_reading(self) -> None:
        """Read nothing more; what the other side still writes is refused."""
        if self._writer == self._reader:
            _shut_down(self._reader, socket.SHUT_RD)
        else:
            os.close(self._reader)

    def close_writing(self) -> None:
        """Write nothing more; called after `close_reading`."""
        os.close(self._writer)
        for number in self._inherited:
            os.close(number)


def _wait(descriptor: int, event: int, milliseconds: int | None = None) -> None:
    poller = select.poll()
    poller.register(descriptor, event)
    poller.poll(milliseconds)


def _shut_down(descriptor: int, how: int) -> None:
    try:
        with socket.socket(fileno=os.dup(descriptor)) as end:
            end.shutdown(how)
    except OSError:
        pass  # a terminal, or a socket that is not connected any more


# --- URLs


def open_urls(urls: list[str]) -> Connection:
    """One URL is read and written; of two, the first is read and the second written. Raises OpenError."""
    if not urls:
        raise OpenError("there is no host: the program was started without --host")
    if len(urls) > 2:
        raise OpenError(f"one or two URLs are expected, not {len(urls)}")
    named = [_parse(url) for url in urls]
    if len(urls) == 1:
        scheme, path = named[0]
        end = _connect(path, urls[0]) if scheme == "unix" else _open(path, os.O_RDWR, urls[0])
        return Connection(end, end, _inherited([path]))
    for (scheme, _), url in zip(named, urls, strict=True):
        if scheme != "file":
            raise OpenError(f"cannot open {url}: it is a stream in both directions, and not one of two")
    reader = _open(named[0][1], os.O_RDONLY, urls[0])
    try:
        writer = _open(named[1][1], os.O_WRONLY, urls[1])
    except OpenError:
        os.close(reader)
        raise
    return Connection(reader, writer, _inherited([path for _, path in named]))


def _parse(url: str) -> tuple[str, bytes]:
    """Scheme and path of a URL."""
    found = URL.fullmatch(url)
    if found is None or BAD_ESCAPE.search(found[3]):
        raise OpenError(f"cannot open {url}: it is no URL")
    scheme, authority, path = found[1].lower(), found[2], unquote_to_bytes(found[3])
    if scheme not in ("file", "unix"):
        raise OpenError(f'cannot open {url}: unknown scheme "{scheme}"')
    if authority not in (None, "", "localhost") or b"\0" in path or not path.startswith(b"/"):
        raise OpenError(f"cannot open {url}: expected an absolute path on this machine")
    return scheme, path


def _open(path: bytes, mode: int, url: str) -> int:
    """Open a file. The writing end of a named pipe can be opened as soon as the host opens the other one."""
    deadline = time.monotonic() + OPEN_SECONDS
    while True:
        try:
            end = os.open(path, mode | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            break
        except OSError as error:
            waits = error.errno == errno.ENXIO and mode == os.O_WRONLY and time.monotonic() < deadline
            if not waits:
                raise OpenError(f"cannot open {url}: {error.strerror}") from None
            time.sleep(0.005)
    if stat.S_ISDIR(os.fstat(end).st_mode):
        os.close(end)
        raise OpenError(f"cannot open {url}: it is a directory")
    return end


def _connect(path: bytes, url: str) -> int:
    """Connect to a socket; neither through a symbolic link nor to another user's process."""
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(OPEN_SECONDS)
        try:
            if stat.S_ISLNK(os.lstat(path).st_mode):
                raise OpenError(f"cannot open {url}: it is a symbolic link")
            end.connect(path)
        except OSError as error:
            raise OpenError(f"cannot open {url}: {error.strerror or error}") from None
        user = peer_user(end)
        if user not in (0, os.geteuid()):
            raise OpenError(f"cannot open {url}: user {user} listens there")
        return end.detach()


def peer_user(end: socket.socket) -> int:
    """The user whose process is at the other end of a socket."""
    _, user, _ = struct.unpack("3i", end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(user)


def _inherited(paths: list[bytes]) -> tuple[int, ...]:
    """The inherited descriptors among the paths: opening them has made others, and these have to be closed as well."""
    found = [int(match[1]) for path in paths if (match := INHERITED.fullmatch(path))]
    return tuple(number for number in dict.fromkeys(found) if number > 2)


def url_of(scheme: str, path: str) -> str:
    """The URL of an absolute path."""
    return f"{scheme}://{quote_from_bytes(os.fsencode(path))}"
