"""A port of the loopback, guarded by a nonce (`tcp`)."""

from __future__ import annotations

import errno
import hmac
import os
import socket
from collections.abc import Callable
from urllib.parse import quote

from ...errors import RegistrationError
from ...openers.descriptors import open_path
from ...openers.sockets import new_socket
from ...openers.tcp import NONCE_PARAMETER, is_loopback
from ...openers.url import HOST_FLAG
from ..context import Context
from ..plugin import Command, Plugin
from ..process import Exit
from ..settings import Next, Serve
from .accept import BACKLOG, accepting
from .directory import PrivateDirectory
from .ends import channel_of_socket

__all__ = ["TcpBind"]

NONCE_SIZE = 32
UNDERWAY_SECONDS = 0.01


class TcpBind:
    """A port of this machine, as `tcp://127.0.0.1:PORT?noncefile=PATH`.

    Anybody can connect; the one whose first bytes are the content of the nonce's file is the plugin. That file
    is in a directory that only this user can enter. Others are closed: when they begin otherwise, when they
    take longer than five seconds, or when the plugin has come; with that the port is closed and the file
    removed. `address` is an address of the loopback, `::1` for one; `directory` is where to make the nonce's
    directory; `uid` is the user under whom the plugin will run, where the executor sees to that, who is given
    the nonce.
    """

    name = "tcp"

    def __init__(
        self,
        address: str = "127.0.0.1",
        *,
        directory: str | os.PathLike[str] | None = None,
        uid: int | None = None,
    ) -> None:
        if not is_loopback(address):
            raise RegistrationError(f"{address!r} is not an address of the loopback, such as 127.0.0.1 or ::1")
        self._address, self._directory, self._uid = address, directory, uid

    def run(self, context: Context, plugin: Plugin, command: Command, serve: Serve, next: Next) -> Exit:
        """Connect and execute."""
        nonce = os.urandom(NONCE_SIZE)
        directory = PrivateDirectory(self._directory)
        try:
            path = directory.entry("nonce")
            _write(path, nonce)
            if self._uid is not None:
                os.chown(path, self._uid, -1)
                os.chown(directory.path, self._uid, -1)

            def accepted(connected: socket.socket) -> None:
                directory.remove()
                # Replies are small, and each is waited for.
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                serve(channel_of_socket(connected))

            host = f"[{self._address}]" if ":" in self._address else self._address
            # Stricter than in a path: `&` ends the value, and some readers make a space of `+`.
            quoted = quote(os.fsencode(path), safe="/")
            with new_socket(socket.AF_INET6 if ":" in self._address else socket.AF_INET) as listener:
                listener.bind((self._address, 0))
                listener.listen(BACKLOG)
                url = f"tcp://{host}:{listener.getsockname()[1]}?{NONCE_PARAMETER}={quoted}"
                with accepting(listener, _with_nonce(nonce), accepted, underway=UNDERWAY_SECONDS):
                    return next(prepend_args=[HOST_FLAG, url])
        finally:
            directory.remove()


def _write(path: str, nonce: bytes) -> None:
    fd = open_path(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if os.write(fd, nonce) != len(nonce):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
    finally:
        os.close(fd)


def _with_nonce(nonce: bytes) -> Callable[[socket.socket], Callable[[], bool | None]]:
    """Return what finds a connection good that begins with the nonce."""

    def examine(connected: socket.socket) -> Callable[[], bool | None]:
        begun = bytearray()

        def decide() -> bool | None:
            try:
                # Not a byte more: what follows is the protocol.
                data = connected.recv(len(nonce) - len(begun))
            except BlockingIOError:
                return None
            except OSError:
                return False
            begun.extend(data)
            if data and len(begun) < len(nonce):
                return None
            return hmac.compare_digest(begun, nonce)

        return decide

    return examine
