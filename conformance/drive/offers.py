"""How the suite, as host, offers a connection to a plugin under test: a table of ways, by scheme.

Every offer names one or two URLs for ``--host`` and holds the suite's own ends. The suite keeps copies of the
plugin's ends until the plugin has opened them (`Offer.settle`); afterwards it sees end of file as soon as the plugin
closes them.
"""

from __future__ import annotations

import os
import pty
import shutil
import tempfile
import tty
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote


@dataclass
class Offer:
    """A connection waiting for a plugin."""

    urls: Sequence[str]
    read_fd: int
    write_fd: int
    pass_fds: Sequence[int] = ()
    copies: list[int] = field(default_factory=list)
    folder: str | None = None

    def settle(self) -> None:
        """Close the suite's copies of the plugin's ends; call it when the plugin has opened them."""
        for fd in self.copies:
            os.close(fd)
        self.copies.clear()

    def discard(self) -> None:
        """Give everything back that the pump does not own."""
        self.settle()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def file_url(path: str) -> str:
    """The file URL of an absolute path, percent-encoded."""
    return "file://" + quote(path)


def procfs() -> Offer:
    """Anonymous pipes, opened by the plugin through this process's descriptors in procfs."""
    plugin_reads, suite_writes = os.pipe()
    suite_reads, plugin_writes = os.pipe()
    urls = [file_url(f"/proc/{os.getpid()}/fd/{fd}") for fd in (plugin_reads, plugin_writes)]
    return Offer(urls, suite_reads, suite_writes, copies=[plugin_reads, plugin_writes])


def devfd() -> Offer:
    """Inherited anonymous pipes, opened by the plugin under ``/dev/fd``."""
    plugin_reads, suite_writes = os.pipe()
    suite_reads, plugin_writes = os.pipe()
    ends = [plugin_reads, plugin_writes]
    return Offer([file_url(f"/dev/fd/{fd}") for fd in ends], suite_reads, suite_writes, ends, copies=list(ends))


def fifo(name_in: str = "in", name_out: str = "out", spell: Callable[[str], str] = file_url) -> Offer:
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
    return Offer(urls, suite_reads, suite_writes, copies=ends, folder=folder)


def single_pty() -> Offer:
    """One duplex URL: the slave of a pseudo-terminal in raw mode."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    return Offer([file_url(os.ttyname(theirs))], ours, os.dup(ours), copies=[theirs])


BY_SCHEME: dict[str, Callable[[], Offer]] = {"file": procfs}
"""The suite's usual way for each scheme that it can offer."""
