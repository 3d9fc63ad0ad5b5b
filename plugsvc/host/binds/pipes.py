"""Anonymous pipes: inherited by the plugin (`devfd`), or reached through the host's procfs directory
(`procfs`).
"""

from __future__ import annotations

import os

from ...openers.url import with_file_path_pair
from ..context import Context
from ..plugin import Command, Plugin
from ..process import Exit
from ..settings import Next, Serve
from .ends import HeldEnd, PipePair, channel_of_descriptors

__all__ = ["DevFdBind", "ProcFSBind"]


class DevFdBind:
    """Two pipes that the plugin inherits, as `file:///dev/fd/N`.

    The host closes its copies of the plugin's ends as soon as the plugin runs, so each side sees the other's
    end. Whatever starts the plugin has to leave its descriptors open (`sudo` for one does not).
    """

    name = "devfd"

    def run(self, context: Context, plugin: Plugin, command: Command, serve: Serve, next: Next) -> Exit:
        """Connect and execute."""
        ends = PipePair()
        try:
            serve(channel_of_descriptors(*ends.take_ours()))
            return next(
                prepend_args=with_file_path_pair(*(f"/dev/fd/{fd}" for fd in ends.theirs)),
                pass_fds=ends.theirs,
                on_start=ends.close,
            )
        finally:
            ends.close()


class ProcFSBind:
    """Two pipes that the plugin opens through the host's own directory in procfs: `file:///proc/PID/fd/N`.

    Nothing has to be inherited, but the plugin has to see the host's processes (not in another PID namespace)
    and be allowed to look into this one. The host cannot know when the plugin has opened its ends, except by
    its first bytes: until then it keeps its copy of the end that the plugin writes to; the other copy does no
    harm, it stays.
    """

    name = "procfs"

    def __init__(self, path: str | os.PathLike[str] = "/proc") -> None:
        self._path = os.fspath(path)

    def run(self, context: Context, plugin: Plugin, command: Command, serve: Serve, next: Next) -> Exit:
        """Connect and execute."""
        ends = PipePair()
        to_read, to_write = map(HeldEnd, ends.take_theirs())
        try:
            directory = os.path.join(self._path, str(os.getpid()), "fd")
            urls = with_file_path_pair(f"{directory}/{to_read.fd}", f"{directory}/{to_write.fd}")
            serve(channel_of_descriptors(*ends.take_ours(), begun=to_write.close))
            return next(prepend_args=urls)
        finally:
            to_read.close()
            to_write.close()
