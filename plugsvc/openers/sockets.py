"""What the schemes over sockets have in common: connecting in time, knowing the peer, ending in order."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

from ..errors import OpenError
from .descriptors import FIRST, above_standard
from .stream import READ_SIZE, FdStream

__all__ = ["SocketStream", "accept", "check_peer", "connect", "new_socket", "peer_uid", "socket_of", "socket_pair"]

_DRAIN_READS = 64
_NO_SIGNAL = getattr(socket, "MSG_NOSIGNAL", 0)
_PAUSE_MIN, _PAUSE_MAX = 0.0005, 0.02


def new_socket(family: socket.AddressFamily) -> socket.socket:
    """Return a new stream socket. Raises `OSError`."""
    return _above_standard(socket.socket(family))


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected stream sockets. Raises `OSError`."""
    one, other = socket.socketpair()
    try:
        return _above_standard(one), _above_standard(other)
    except BaseException:
        one.close()
        other.close()
        raise


def accept(listener: socket.socket) -> socket.socket:
    """Return the next connection that a listening socket has. Raises `OSError`."""
    return _above_standard(listener.accept()[0])


def socket_of(fd: int) -> socket.socket:
    """Return the socket over a descriptor, which it owns. Raises `OSError`; then the descriptor is closed."""
    try:
        return socket.socket(fileno=fd)
    except BaseException:
        os.close(fd)
        raise


def _above_standard(made: socket.socket) -> socket.socket:
    if made.fileno() >= FIRST:
        return made
    return socket_of(above_standard(made.detach()))


class SocketStream(FdStream):
    """A stream over a connected socket, which it owns from now on; in both directions, or in the one that is used.

    Nobody dies of SIGPIPE. And closing does not reset the connection where it can be helped: a socket that is
    closed with bytes unread makes the other side lose what is still on its way.
    """

    def __init__(self, connected: socket.socket, *, owned: Sequence[int] = ()) -> None:
        connected.setblocking(False)
        self._socket = connected
        self._pid = os.getpid()
        super().__init__(connected.fileno(), owned=owned)

    def write(self, data: bytes | memoryview) -> int:
        """Write what fits now;

        0 when nothing fits. Raises `OSError`, `BrokenPipeError` when nobody reads any more.
        """
        try:
            return self._socket.send(data, _NO_SIGNAL)
        except BlockingIOError:
            return 0

    def close(self) -> None:
        """Close the socket and the descriptors owned with it."""
        if self._socket.fileno() < 0:
            self._fd = -1  # closed already, if only by the collector of garbage, which takes the socket first
        if self._fd >= 0:
            # A forked child has the same connection, from which it must not take anything.
            if os.getpid() == self._pid:
                self._drain()
            self._socket.detach()  # the descriptor is closed by what we inherit
        super().close()

    def _drain(self) -> None:
        try:
            for _ in range(_DRAIN_READS):
                if not self.read(READ_SIZE):
                    return
        except OSError:
            return  # broken already


def connect(to_connect: socket.socket, address: Any, deadline: float) -> None:
    """Connect a socket by `deadline` (monotonic clock). Raises `OSError`, `OpenError` when it takes too long."""
    pause = _PAUSE_MIN
    while True:
        # At least one attempt, however late it is.
        to_connect.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            return to_connect.connect(address)
        except TimeoutError:
            raise OpenError("nobody accepted the connection in time")
        except BlockingIOError:
            # A Unix socket with a time limit does not wait for room in the listener's queue, but says this.
            left = deadline - time.monotonic()
            if left <= 0:
                raise OpenError("too many others are waiting to be accepted there")
            time.sleep(min(pause, left))
            pause = min(pause * 2, _PAUSE_MAX)


def peer_uid(connected: socket.socket) -> int | None:
    """Return the user id of the process at the other end of a Unix socket, None where the system cannot tell.

    For who connected, it is that of the process that listens; both as they were at that time.
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    _, uid, _ = struct.unpack("iII", connected.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("iII")))
    return int(uid)


def check_peer(connected: socket.socket) -> None:
    """Raise `OpenError` unless the process that listens there belongs to root or to this process's own user."""
    uid = peer_uid(connected)
    if uid not in (None, 0, os.geteuid()):
        raise OpenError(f"who listens there is user {uid}, neither root nor this process's own user {os.geteuid()}")
