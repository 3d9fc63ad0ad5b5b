"""Offers of pipes and terminals: anonymous and named pipes, a pseudo-terminal, inherited and standard streams."""

from __future__ import annotations

import array
import fcntl
import os
import pty
import tempfile
import termios
import tty
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from conformance.drive.endpoints.base import Endpoint, file_url
from conformance.drive.pump import Pump
from conformance.drive.wire import WireEnd


def procfs() -> Endpoint:
    """Anonymous pipes, opened by the plugin through this process's descriptors in procfs."""
    plugin_reads, suite_writes = os.pipe()
    suite_reads, plugin_writes = os.pipe()
    urls = [file_url(f"/proc/{os.getpid()}/fd/{fd}") for fd in (plugin_reads, plugin_writes)]
    return Endpoint(urls, suite_reads, suite_writes, copies=[plugin_reads, plugin_writes])


def devfd() -> Endpoint:
    """Inherited anonymous pipes, opened by the plugin under ``/dev/fd``."""
    plugin_reads, suite_writes = os.pipe()
    suite_reads, plugin_writes = os.pipe()
    ends = [plugin_reads, plugin_writes]
    return Endpoint([file_url(f"/dev/fd/{fd}") for fd in ends], suite_reads, suite_writes, ends, given=list(ends))


def fd_pair() -> Endpoint:
    """Two inherited anonymous pipes, used by the plugin as they are."""
    made = devfd()
    made.urls = ["fd:" + ",".join(map(str, made.pass_fds))]
    return made


def fd_twice() -> Endpoint:
    """Two inherited anonymous pipes, each with a URL of its own."""
    made = devfd()
    made.urls = [f"fd:{fd}" for fd in made.pass_fds]
    return made


def stdio() -> Endpoint:
    """Two anonymous pipes as the plugin's standard input and output."""
    made = devfd()
    made.urls, made.pass_fds = ["stdio:"], ()
    made.stdin, made.stdout = made.given
    return made


class Fifo(Endpoint):
    """Two named pipes, whose copies read and write: they keep the plugin from seeing an end that comes early."""

    def begin(self, pump: Pump, wire: WireEnd) -> None:
        """The pipes can be used before the plugin has come."""
        wire.attach(self.read_fd, self.write_fd, begun=self.settle, kept=True)


def fifo(name_in: str = "in", name_out: str = "out", spell: Callable[[str], str] = file_url) -> Endpoint:
    """Two named pipes in a private folder, of any name; ``spell`` makes the URL of a path."""
    folder = tempfile.mkdtemp(prefix="conformance-")
    ends: list[int] = []
    for name in (name_in, name_out):
        path = str(Path(folder, name))
        os.mkfifo(path, 0o600)
        ends.append(os.open(path, os.O_RDWR | os.O_NONBLOCK))  # read-write: nobody's opening waits for us
    suite_writes = os.open(str(Path(folder, name_in)), os.O_WRONLY | os.O_NONBLOCK)
    suite_reads = os.open(str(Path(folder, name_out)), os.O_RDONLY | os.O_NONBLOCK)
    urls = [spell(str(Path(folder, name))) for name in (name_in, name_out)]
    return Fifo(urls, suite_reads, suite_writes, copies=ends, folder=folder)


@dataclass
class LateFifo(Endpoint):
    """Two named pipes that the suite does not open before it is told to."""

    paths: tuple[str, str] = ("", "")

    def begin(self, pump: Pump, wire: WireEnd) -> None:
        """Nothing yet."""

    def open(self, wire: WireEnd) -> None:
        """Open both without waiting for the plugin."""
        self.copies = [os.open(path, os.O_RDWR | os.O_NONBLOCK) for path in self.paths]
        suite_writes = os.open(self.paths[0], os.O_WRONLY | os.O_NONBLOCK)
        suite_reads = os.open(self.paths[1], os.O_RDONLY | os.O_NONBLOCK)
        wire.attach(suite_reads, suite_writes, begun=self.settle, kept=True)


def late_fifo() -> LateFifo:
    """Two named pipes in a private folder that nobody has opened."""
    folder = tempfile.mkdtemp(prefix="conformance-")
    paths = (str(Path(folder, "in")), str(Path(folder, "out")))
    for path in paths:
        os.mkfifo(path, 0o600)
    return LateFifo([file_url(path) for path in paths], folder=folder, paths=paths)


def single_pty() -> Endpoint:
    """One duplex URL: the slave of a pseudo-terminal in raw mode."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    path = os.ttyname(theirs)
    return Endpoint([file_url(path)], ours, os.dup(ours), copies=[theirs], unread=lambda: _waiting_at(path))


def _waiting_at(path: str) -> int | None:
    """How many bytes wait at a terminal to be read; None when it has been hung up."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        count = array.array("i", [0])
        fcntl.ioctl(fd, termios.FIONREAD, count)
        return count[0]
    finally:
        os.close(fd)
