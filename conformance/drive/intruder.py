"""Somebody who is not the plugin, and comes to where a host under test listens."""

from __future__ import annotations

import os
import socket

from conformance.drive import stub_plugin
from conformance.drive.endpoints.sockets import acting_as
from conformance.drive.pump import Pump


class Intruder:
    """A connection that nobody has asked for; ``refused`` says why there is none, ``came`` is what was sent to it."""

    def __init__(self, pump: Pump, url: str, *, uid: int | None = None) -> None:
        """Connect to what a URL names, as another user if ``uid`` is given.

        Raises:
            NotRun: as `acting_as`.
        """
        self._pump = pump
        self.refused = ""
        self.came = b""
        scheme, _, rest = url.partition(":")
        family, address = where(scheme.lower(), rest)
        sock = socket.socket(family)
        try:
            with acting_as(uid):
                sock.connect(address)
        except OSError as error:
            self.refused = error.strerror or str(error)
            sock.close()
            return
        self._channel = pump.read(sock.detach(), self._hear)
        self._writer = pump.write(os.dup(self._channel.fd))

    def _hear(self, data: bytes) -> None:
        self.came += data

    def say(self, data: bytes) -> None:
        """Send something, if it can be sent."""
        if not self.refused:
            self._writer.put(data)

    def disconnect(self) -> None:
        """Close the connection."""
        if not self.refused:
            self._pump.release(self._writer)
            self._pump.release(self._channel)

    @property
    def turned_away(self) -> bool:
        """Whether there is no connection (any more)."""
        return bool(self.refused) or self._channel.eof


def where(scheme: str, rest: str) -> tuple[int, bytes | tuple[str, int]]:
    """Family and address of what a URL names."""
    if scheme == "unix":
        return socket.AF_UNIX, stub_plugin.path_of(rest)
    if scheme == "unix-abstract":
        return socket.AF_UNIX, b"\0" + stub_plugin.decode(rest)
    family, address, _ = stub_plugin.tcp_parts(rest)
    return family, address
