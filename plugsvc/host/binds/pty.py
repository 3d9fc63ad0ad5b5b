"""One URL for both directions: a pseudo-terminal in raw mode."""

from __future__ import annotations

import os
import tty

from ...openers.url import with_file_path
from ..channel import Channel
from ..context import Context
from ..plugin import Command, Plugin
from ..process import Exit
from ..settings import Next, with_prepend_args
from .base import Serve

__all__ = ["PtyBind"]


class PtyBind:
    """A pseudo-terminal as a single duplex `file:` URL, in raw mode: every byte passes as it is.

    Slower than pipes. It serves plugins that take one URL only, and terminals are what other systems offer,
    too. The host keeps the slave open until the first bytes arrive: without anybody at it, the master reads
    an end of file.
    """

    name = "pty"

    def run(self, context: Context, plugin: Plugin, command: Command, serve: Serve, next: Next) -> Exit:
        """Connect and execute."""
        master, slave = os.openpty()
        try:
            tty.setraw(slave)
            path = os.ttyname(slave)
        except BaseException:
            os.close(master)
            os.close(slave)
            raise
        serve(Channel.of_descriptors(master, held=[slave]))
        return next(with_prepend_args(*with_file_path(path)))
