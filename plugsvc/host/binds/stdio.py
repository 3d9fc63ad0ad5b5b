"""The plugin's standard input and output."""

from __future__ import annotations

from ...openers.url import HOST_FLAG
from ..context import Context
from ..plugin import Command, Plugin
from ..process import Exit
from ..settings import Next, Serve
from .ends import PipePair, channel_of_descriptors

__all__ = ["StdioBind"]


class StdioBind:
    """Two pipes that are the plugin's standard input and output, as `stdio:`.

    For launchers that pass on nothing else. Standard output is not captured, then, and a plugin that writes
    to it before it has opened its connection corrupts the stream: that is a failure like any other malformed
    message. It cannot be used together with the options `stdin` and `stdout`.
    """

    name = "stdio"

    def run(self, context: Context, plugin: Plugin, command: Command, serve: Serve, next: Next) -> Exit:
        """Connect and execute."""
        ends = PipePair()
        try:
            serve(channel_of_descriptors(*ends.take_ours()))
            return next(
                prepend_args=[HOST_FLAG, "stdio:"],
                standard_streams=(ends.theirs[0], ends.theirs[1]),
                on_start=ends.close,
            )
        finally:
            ends.close()
