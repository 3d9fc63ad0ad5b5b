"""What an endpoint is: a connection waiting for a plugin under test, and the suite's end of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from conformance.drive.pump import Pump
from conformance.drive.wire import WireEnd


@dataclass
class Endpoint:
    """One or two URLs for ``--host``, and the suite's own ends.

    ``given`` are ends of the plugin that it inherits: the suite closes its own copies as soon as the plugin runs.
    ``copies`` are ends of the plugin that it opens itself, by a name that is good only while the suite has them: they
    are kept until the plugin has sent something (`settle`). Afterwards the suite sees end of file when the plugin
    closes its own. ``stdin`` and ``stdout`` are the plugin's standard streams where these are the connection.
    ``unread`` tells how many bytes the plugin has not read, where the descriptors alone do not.
    """

    urls: Sequence[str]
    read_fd: int = -1
    write_fd: int = -1
    pass_fds: Sequence[int] = ()
    copies: list[int] = field(default_factory=list)
    given: list[int] = field(default_factory=list)
    folder: str | None = None
    stdin: int | None = None
    stdout: int | None = None
    unread: Callable[[], int | None] | None = None

    def begin(self, pump: Pump, wire: WireEnd) -> None:
        """Let the wire have the connection, now or as soon as the plugin has connected."""
        wire.attach(self.read_fd, self.write_fd, unread=self.unread, begun=self.settle)

    def started(self) -> None:
        """The plugin runs and has inherited what it was given."""
        for fd in self.given:
            os.close(fd)
        self.given.clear()

    def settle(self) -> None:
        """The plugin has opened its ends."""
        for fd in self.copies:
            os.close(fd)
        self.copies.clear()

    def discard(self) -> None:
        """Give everything back that the pump does not own."""
        self.started()
        self.settle()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def file_url(path: str) -> str:
    """The file URL of an absolute path, percent-encoded."""
    return "file://" + quote(path)
