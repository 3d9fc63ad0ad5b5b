"""Named pipes in a private directory."""

from __future__ import annotations

import os

from ...openers.descriptors import open_path
from ...openers.url import with_file_path_pair
from ..context import Context
from ..plugin import Command, Plugin
from ..process import Exit
from ..settings import Next, Serve
from .directory import PrivateDirectory
from .ends import HeldEnd, channel_of_descriptors

__all__ = ["FifoBind"]


class FifoBind:
    """Two named pipes, in a directory that only this user can enter and that is removed afterwards.

    The host opens both ends of both before the plugin starts. So the plugin may open them in any order, one
    of them or none, and nobody waits for anybody. Its copies of the plugin's ends the host treats as with
    procfs pipes.
    """

    name = "fifo"

    def __init__(self, directory: str | os.PathLike[str] | None = None) -> None:
        self._directory = directory

    def run(self, context: Context, plugin: Plugin, command: Command, serve: Serve, next: Next) -> Exit:
        """Connect and execute."""
        directory = PrivateDirectory(self._directory)
        fds: list[int] = []
        held: list[HeldEnd] = []
        try:
            replies, requests = directory.entry("replies"), directory.entry("requests")
            for path in (replies, requests):
                os.mkfifo(path, 0o600)
                # Reading first, without blocking: then there is a reader for the one who writes.
                fds.append(open_path(path, os.O_RDONLY | os.O_NONBLOCK))
                fds.append(open_path(path, os.O_WRONLY | os.O_NONBLOCK))
            (their_reader, our_writer, our_reader, their_writer), fds = fds, []
            held = [HeldEnd(their_reader), HeldEnd(their_writer)]
            serve(channel_of_descriptors(our_reader, our_writer, begun=held[1].close))
            return next(prepend_args=with_file_path_pair(replies, requests))
        finally:
            for fd in fds:
                os.close(fd)
            for end in held:
                end.close()
            directory.remove()
