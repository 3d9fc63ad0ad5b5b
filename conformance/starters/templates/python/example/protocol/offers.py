"""The ways in which a host offers a connection: inherited pipes, and a socket in a private folder."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from typing import Protocol

from protocol.streams import Connection, peer_user, url_of


class Offer(Protocol):
    """A connection that the plugin is still to open."""

    urls: list[str]
    inherited: tuple[int, ...]  # descriptors that the plugin's process gets

    def started(self) -> None:
        """The plugin's process has its descriptors."""

    def connect(self) -> Connection | None:
        """Wait for the plugin; None when it never comes."""

    def plugin_gone(self) -> None:
        """End the wait; what is still offered is taken back."""


class Pipes:
    """Two pipes whose ends the plugin inherits and opens by `/dev/fd/N`."""

    def __init__(self) -> None:
        plugin_reads, self._writer = os.pipe()
        self._reader, plugin_writes = os.pipe()
        self.inherited: tuple[int, ...] = (plugin_reads, plugin_writes)
        self.urls = [url_of("file", f"/dev/fd/{number}") for number in self.inherited]

    def started(self) -> None:
        """Close the plugin's ends: only then does its end show as end of file."""
        for number in self.inherited:
            os.close(number)

    def connect(self) -> Connection | None:
        """The plugin need not be waited for."""
        return Connection(self._reader, self._writer)

    def plugin_gone(self) -> None:
        """Nothing is left over."""


class Socket:
    """A socket at which the plugin connects. Nobody else can reach it, and processes of other users are refused."""

    inherited: tuple[int, ...] = ()

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="host-")  # of mode 0700
        path = os.path.join(self._folder, "socket")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        os.chmod(path, 0o600)
        self._listener.listen()
        self.urls = [url_of("unix", path)]
        self._lock = threading.Lock()

    def started(self) -> None:
        """Nothing to do: the plugin connects when it likes."""

    def connect(self) -> Connection | None:
        """The first connection of a process of this user or of root."""
        while True:
            try:
                end, _ = self._listener.accept()
            except OSError:
                return None  # shut down by `plugin_gone`
            if peer_user(end) in (0, os.geteuid()):
                self._remove()
                number = end.detach()
                return Connection(number, number)
            end.close()

    def plugin_gone(self) -> None:
        """Whoever waits at the listener stops; a connection that was made before is still found."""
        try:
            self._listener.setblocking(False)
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is closed: the plugin has come
        self._remove()

    def _remove(self) -> None:
        with self._lock:
            shutil.rmtree(self._folder, ignore_errors=True)


BINDS: dict[str, Callable[[], Offer]] = {"devfd": Pipes, "unix": Socket}
