"""The scheme `tcp`: a port of this machine, `tcp://127.0.0.1:PORT?noncefile=PATH` or `tcp://[::1]:PORT?...`.

Any process of the machine can connect to such a port. So the host writes a nonce, random bytes that nobody can
guess, to a file that only its user can read, and names the file in the URL, never the nonce itself: command
lines can be read by everybody. To the byte:

- PATH is absolute and percent-encoded. The file holds the nonce and nothing else, no line end either: 16 to 64
  bytes of any value.
- The first bytes that the plugin sends are the content of the file as it is. The protocol follows at once;
  nothing is sent back for the nonce, and the host says nothing before.
- The host closes connections that begin otherwise, or take too long, and goes on to wait for the right one.
  After that it closes its port and removes the file.

A URL without `noncefile` stands for a host that asks for none: then nothing is sent before the protocol.
Addresses are those of the loopback, as numbers: 127.0.0.0/8 and ::1. What is said here is not encrypted.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
from typing import Final

from ..errors import OpenError
from .descriptors import open_path
from .sockets import SocketStream, connect, new_socket
from .url import URL

__all__ = ["MAX_NONCE", "MIN_NONCE", "NONCE_PARAMETER", "is_loopback", "open_tcp"]

NONCE_PARAMETER: Final = "noncefile"
MIN_NONCE, MAX_NONCE = 16, 64
"""How many bytes a nonce can have."""

_AUTHORITY = re.compile(r"(?:\[(?P<v6>[^][]*)\]|(?P<v4>[^][:@]*)):(?P<port>[0-9]{1,5})")


def open_tcp(url: URL, mode: str, deadline: float) -> SocketStream:
    """Connect to a port of this machine, and show the nonce.

    Raises `OpenError` with the reason alone, without the URL.
    """
    family, address = _address(url)
    path = url.parameter(NONCE_PARAMETER)
    nonce = b"" if path is None else _nonce(path)
    connecting = new_socket(family)
    try:
        connect(connecting, address, deadline)
        if connecting.getsockname() == connecting.getpeername():
            # A port that nobody listens on may become our own, by chance, and then answers itself.
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        # Messages are small, and each is waited for.
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connecting.sendall(nonce)  # always fits into the fresh buffer
        return SocketStream(connecting)
    except BaseException as error:
        connecting.close()
        if isinstance(error, OSError) and not isinstance(error, OpenError):
            raise OpenError(_explain(error))
        raise


def is_loopback(host: str) -> bool:
    """Whether `host` is an address, written as a number, by which a machine reaches nobody but itself."""
    try:
        return socket.inet_pton(socket.AF_INET, host)[0] == 127
    except OSError:
        pass
    try:
        return socket.inet_pton(socket.AF_INET6, host) == b"\0" * 15 + b"\1"
    except OSError:
        return False


def _address(url: URL) -> tuple[socket.AddressFamily, tuple[str, int]]:
    match = _AUTHORITY.fullmatch(url.authority or "")
    if not match:
        raise OpenError("it has no address and port (tcp://127.0.0.1:PORT or tcp://[::1]:PORT)")
    if url.path not in ("", "/"):
        raise OpenError(f"it has the path {url.path!r}, where a port has none")
    host = match["v4"] if match["v6"] is None else match["v6"]
    if not is_loopback(host) or (":" in host) != (match["v6"] is not None):
        raise OpenError(
            f"{host!r} is not an address of the loopback, and services are not offered to other machines"
            " (tcp://127.0.0.1:PORT or tcp://[::1]:PORT)"
        )
    port = int(match["port"])
    if not 0 < port < 1 << 16:
        raise OpenError(f"{port} is not a port (1 to 65535)")
    return socket.AF_INET6 if match["v6"] is not None else socket.AF_INET, (host, port)


def _nonce(path: str) -> bytes:
    """Return the content of the nonce's file."""
    if not path.startswith("/"):
        raise OpenError(f"the path of its nonce, {path!r}, is not absolute")
    try:
        # Not to be kept waiting by a FIFO, nor sent elsewhere by a link.
        fd = open_path(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise OpenError(f"its nonce {path!r} is not a regular file")
            nonce = os.read(fd, MAX_NONCE + 1)
        finally:
            os.close(fd)
    except OpenError:
        raise
    except OSError as error:
        hint = ""
        if error.errno == errno.ENOENT:
            hint = " (the host is gone, or has accepted its one connection already)"
        elif error.errno in (errno.EACCES, errno.EPERM):
            hint = " (it is for another user)"
        elif error.errno == errno.ELOOP:
            hint = " (it is a symbolic link)"
        raise OpenError(f"its nonce {path!r} cannot be read: {(error.strerror or str(error)).lower()}{hint}")
    if not MIN_NONCE <= len(nonce) <= MAX_NONCE:
        size = len(nonce) if len(nonce) <= MAX_NONCE else f"more than {MAX_NONCE}"
        raise OpenError(f"its nonce {path!r} has {size} bytes, where {MIN_NONCE} to {MAX_NONCE} are expected")
    return nonce


def _explain(error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    if error.errno == errno.ECONNREFUSED:
        return f"{reason} (the host is gone, or has accepted its one connection already)"
    return reason
