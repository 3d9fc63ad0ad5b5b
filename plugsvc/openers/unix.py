"""The schemes `unix` and `unix-abstract`: a Unix domain socket that the host listens on.

- `unix:///absolute/path`, `unix:/absolute/path`, `unix:relative/path`: a socket in the file system. A relative
  path is taken from the current directory.
- `unix-abstract:NAME`: a name in Linux's abstract namespace, without the NUL in front of it. There are no
  permissions there.

Paths and names are percent-decoded. Who listens has to be root or the user of this process, which the kernel
tells (SO_PEERCRED): whoever else came by that name is not our host. The path has to be that of the socket
itself, not of a symbolic link, whose target somebody else may decide on.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from collections.abc import Callable

from ..errors import OpenError
from .sockets import SocketStream, check_peer, connect, new_socket
from .url import URL

__all__ = ["MAX_NAME", "MAX_PATH", "open_unix", "open_unix_abstract"]

MAX_PATH = 107 if sys.platform == "linux" else 103
"""How many bytes the path of a socket can have: `sun_path` with a NUL at its end."""

MAX_NAME = 107
"""How many bytes an abstract name can have: `sun_path` with a NUL in front."""


def open_unix(url: URL, mode: str, deadline: float) -> SocketStream:
    """Connect to the socket at a path. Raises `OpenError` with the reason alone, without the URL."""
    if url.authority:
        raise OpenError(f"it names the host {url.authority!r}, a path has none (unix:///absolute or unix:relative)")
    path = os.fsencode(url.path)
    if not path:
        raise OpenError("it has no path")
    if len(path) > MAX_PATH:
        raise OpenError(f"its path has {len(path)} bytes, that of a socket can have {MAX_PATH}")
    _check_kind(url.path)
    return _connect(path, deadline, _explain_path)


def open_unix_abstract(url: URL, mode: str, deadline: float) -> SocketStream:
    """Connect to an abstract socket. Raises `OpenError` with the reason alone, without the URL."""
    if sys.platform != "linux":
        raise OpenError("only Linux has abstract sockets")
    if url.authority is not None:
        raise OpenError("an abstract name has no // in front of it (unix-abstract:NAME)")
    name = os.fsencode(url.path)
    if not name:
        raise OpenError("it has no name")
    if len(name) > MAX_NAME:
        raise OpenError(f"its name has {len(name)} bytes, that of an abstract socket can have {MAX_NAME}")
    return _connect(b"\0" + name, deadline, _explain_name)


def _check_kind(path: str) -> None:
    try:
        kind = os.lstat(path).st_mode
    except OSError as error:
        raise OpenError(_explain_path(error))
    if stat.S_ISLNK(kind):
        raise OpenError("it is a symbolic link; give the path of the socket itself")
    if not stat.S_ISSOCK(kind):
        raise OpenError("it is not a socket (for another file use the scheme file)")


def _connect(address: bytes, deadline: float, explain: Callable[[OSError], str]) -> SocketStream:
    connecting = new_socket(socket.AF_UNIX)
    try:
        try:
            connect(connecting, address, deadline)
        except OpenError:
            raise
        except OSError as error:
            raise OpenError(explain(error))
        # Not by the owner of the path: between looking and connecting it may be replaced.
        check_peer(connecting)
        return SocketStream(connecting)
    except BaseException:
        connecting.close()
        raise


def _explain_path(error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    if error.errno in (errno.ENOENT, errno.ECONNREFUSED):
        return f"{reason} (the host is gone, or has accepted its one connection already)"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{reason} (the socket is for another user; descriptors that are inherited need no such right: fd:N)"
    if error.errno == errno.EPROTOTYPE:
        return f"{reason} (it is no stream socket)"
    return reason


def _explain_name(error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    if error.errno == errno.ECONNREFUSED:
        return (
            f"{reason} (nobody listens under that name in this network namespace:"
            " the host is gone, or has accepted its one connection already)"
        )
    return reason
