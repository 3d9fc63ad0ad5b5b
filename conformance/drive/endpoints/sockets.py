"""Offers of sockets: an inherited pair, a path, an abstract name, a port of this machine."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from conformance.drive.endpoints.base import Endpoint
from conformance.drive.pump import Pump
from conformance.drive.wire import WireEnd
from conformance.outcomes import NotRun

NONCE_SIZE = 32


NOBODY = 65534
"""A user who is neither root nor the one who runs the suite."""


@contextmanager
def acting_as(uid: int | None) -> Iterator[None]:
    """Do something as another user, which only root can.

    Raises:
        NotRun: the suite does not run as root.
    """
    if uid is None:
        yield
        return
    if os.geteuid() != 0:
        raise NotRun("to act as another user, the suite has to be run by root")
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


def fd() -> Endpoint:
    """One of two connected sockets, inherited by the plugin and used as it is."""
    ours, theirs = (end.detach() for end in socket.socketpair())
    return Endpoint([f"fd:{theirs}"], ours, ours, [theirs], given=[theirs])


def stdio_socket() -> Endpoint:
    """One of two connected sockets as the plugin's standard input and output."""
    made = fd()
    made.urls, made.pass_fds = ["stdio:"], ()
    made.stdin = made.stdout = made.given[0]
    return made


@dataclass
class Listening(Endpoint):
    """An endpoint that the plugin has to connect to; with a ``nonce``, which it has to say first."""

    listener: socket.socket | None = None
    nonce: bytes = b""
    came: socket.socket | None = None

    def begin(self, pump: Pump, wire: WireEnd) -> None:
        """Accept one connection when it comes, take the nonce from it, and let the wire have the rest."""
        listener = self.listener
        assert listener is not None
        listener.setblocking(False)
        pump.watch(listener.fileno(), lambda: self._accept(pump, wire))

    def _accept(self, pump: Pump, wire: WireEnd) -> None:
        assert self.listener is not None
        try:
            came, _ = self.listener.accept()
        except BlockingIOError:
            return
        pump.unwatch(self.listener.fileno())
        self._close()
        wire.note("the plugin connects")
        if not self.nonce:
            wire.attach(*(came.detach(),) * 2, unread=self.unread)
            return
        came.setblocking(False)
        self.came, said = came, bytearray()
        pump.watch(came.fileno(), lambda: self._listen(pump, wire, said))

    def _listen(self, pump: Pump, wire: WireEnd, said: bytearray) -> None:
        assert self.came is not None
        try:
            data = self.came.recv(len(self.nonce) - len(said))
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        said += data
        if data and len(said) < len(self.nonce) and self.nonce.startswith(said):
            return
        pump.unwatch(self.came.fileno())
        came, self.came = self.came, None
        if said != self.nonce:
            wire.broken = f"the connection begins with {bytes(said)!r}, which is not the nonce {self.nonce!r}"
            came.close()
            return
        wire.note("the plugin says the nonce")
        wire.attach(*(came.detach(),) * 2, unread=self.unread)

    def _close(self) -> None:
        """Nobody else is let in."""
        if self.listener is not None:
            self.listener.close()
            self.listener = None
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def discard(self) -> None:
        """Give everything back that the pump does not own."""
        self._close()
        if self.came is not None:
            self.came.close()
        super().discard()


def unix(name: str = "socket", uid: int | None = None) -> Listening:
    """A socket in a private folder; that of another user, at which that user listens, if ``uid`` is given."""
    folder = tempfile.mkdtemp(prefix="conformance-")
    path = str(Path(folder, name))
    if uid is not None:
        os.chown(folder, uid, -1)
    listener = socket.socket(socket.AF_UNIX)
    with acting_as(uid):
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen()
    return Listening(["unix://" + quote(path)], folder=folder, listener=listener)


def unix_abstract(name: str = "", uid: int | None = None) -> Listening:
    """A socket under an abstract name that ends in ``name``; another user listens at it if ``uid`` is given."""
    name = f"conformance {os.getpid()} {secrets.token_hex(8)} {name}"
    listener = socket.socket(socket.AF_UNIX)
    with acting_as(uid):
        listener.bind(b"\0" + name.encode())
        listener.listen()
    return Listening(["unix-abstract:" + quote(name)], listener=listener)


def tcp(address: str = "127.0.0.1", nonce: bytes | None = None) -> Listening:
    """A port of this machine, guarded by a nonce, a new one unless it is given."""
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    listener.bind((address, 0))
    listener.listen()
    folder = tempfile.mkdtemp(prefix="conformance-")
    path = Path(folder, "the nonce")
    if nonce is None:  # random, but with what a reader of text would change or take for the end
        nonce = b"\r\n\0\xff\xc3" + secrets.token_bytes(NONCE_SIZE - 7) + b" \n"
    path.touch(0o600)
    path.write_bytes(nonce)
    where = f"[{address}]" if ":" in address else address
    url = f"tcp://{where}:{listener.getsockname()[1]}?noncefile={quote(str(path))}"
    return Listening([url], folder=folder, listener=listener, nonce=nonce)


def tcp_ipv6() -> Listening:
    """As `tcp`, at the loopback address of IPv6."""
    return tcp("::1")
