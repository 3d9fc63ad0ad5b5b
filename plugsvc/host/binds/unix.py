"""Unix domain sockets: in a private directory (`unix`), or under an abstract name (`unix-abstract`)."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Callable

from ...errors import RegistrationError
from ...openers.sockets import new_socket, peer_uid
from ...openers.unix import MAX_PATH
from ...openers.url import HOST_FLAG, quote_path
from ..channel import Channel
from ..context import Context
from ..plugin import Command, Plugin
from ..process import Exit
from ..settings import Next, Serve
from .accept import BACKLOG, Examine, accepting
from .directory import PREFIX, PrivateDirectory
from .ends import channel_of_socket

__all__ = ["AbstractUnixBind", "UnixBind"]


class UnixBind:
    """A socket in a directory that only this user can enter, as `unix:///path`.

    One connection is accepted, of a process whose user is the host's or root, which the kernel tells; others
    are closed. With that the socket and its directory are removed. `directory` is where to make it; else it is
    where temporary files go. `uid` is the user under whom the plugin will run, where the executor sees to
    that: the socket is given to that user, whose processes are then welcome, too.
    """

    name = "unix"

    def __init__(self, directory: str | os.PathLike[str] | None = None, *, uid: int | None = None) -> None:
        self._directory, self._uid = directory, uid

    def run(self, context: Context, plugin: Plugin, command: Command, serve: Serve, next: Next) -> Exit:
        """Connect and execute."""
        directory = PrivateDirectory(self._place())
        try:
            with new_socket(socket.AF_UNIX) as listener:
                path = directory.entry(_NAME)
                listener.bind(os.fsencode(path))
                os.chmod(path, 0o600)
                if self._uid is not None:
                    os.chown(path, self._uid, -1)
                    os.chown(directory.path, self._uid, -1)
                listener.listen(BACKLOG)

                def accepted(connected: socket.socket) -> None:
                    directory.remove()
                    serve(channel_of_socket(connected))

                with accepting(listener, _of_users(self._uid), accepted):
                    return next(prepend_args=[HOST_FLAG, "unix://" + quote_path(path)])
        finally:
            directory.remove()

    def _place(self) -> str | None:
        """Return where to make the directory, which must leave room for the rest of the path."""
        place = os.path.abspath(tempfile.gettempdir() if self._directory is None else self._directory)
        length = len(os.fsencode(os.path.join(place, f"{PREFIX}XXXXXXXX", _NAME)))
        if length <= MAX_PATH:
            return place
        if self._directory is None:
            return "/tmp"
        raise RegistrationError(
            f"the directory {place!r} is too far down for a socket: its path would have {length} bytes,"
            f" where {MAX_PATH} are possible"
        )


_NAME = "socket"


class AbstractUnixBind:
    """A socket under a random name in Linux's abstract namespace, as `unix-abstract:NAME`.

    Nothing is left in the file system, whatever happens to the host, and the plugin may live in another root
    directory; but it needs the same network namespace. There are no permissions: anybody can connect, and is
    turned away unless of this user, or root, or of `uid`, see `UnixBind`.
    """

    name = "unix-abstract"

    def __init__(self, *, uid: int | None = None) -> None:
        self._uid = uid

    def run(self, context: Context, plugin: Plugin, command: Command, serve: Serve, next: Next) -> Exit:
        """Connect and execute."""
        if sys.platform != "linux":
            raise RegistrationError("only Linux has abstract sockets; use the bind unix")
        name = f"plugsvc-{os.getpid()}-{secrets.token_hex(16)}"
        with new_socket(socket.AF_UNIX) as listener:
            listener.bind(b"\0" + name.encode())
            listener.listen(BACKLOG)
            with accepting(listener, _of_users(self._uid), _serving(serve)):
                return next(prepend_args=[HOST_FLAG, f"unix-abstract:{name}"])


def _serving(serve: Callable[[Channel], object]) -> Callable[[socket.socket], None]:
    def accepted(connected: socket.socket) -> None:
        serve(channel_of_socket(connected))

    return accepted


def _of_users(uid: int | None) -> Examine:
    """Return what finds a connection good when it comes from a process of the host's user, of root, or of `uid`."""
    # Where the system does not tell, the directory alone keeps others away.
    welcome = {None, 0, os.geteuid(), uid}

    def examine(connected: socket.socket) -> Callable[[], bool]:
        good = peer_uid(connected) in welcome
        return lambda: good

    return examine
