"""One URL for both directions: a pseudo-terminal in raw mode."""

from __future__ import annotations

import os
import select
import threading
import time
import tty

from ...openers.descriptors import open_path, openpty
from ...openers.url import with_file_path
from ..context import Context
from ..plugin import Command, Plugin
from ..process import Exit
from ..settings import Next, Serve
from .ends import HeldEnd, channel_of_descriptors

__all__ = ["PtyBind", "wait_until_read"]

LINGER_SECONDS = 2.0
LOOK_SECONDS = 0.002
QUIET_SECONDS = 0.05


class PtyBind:
    """A pseudo-terminal as a single duplex `file:` URL, in raw mode: every byte passes as it is.

    Slower than pipes. It serves plugins that take one URL only, and terminals are what other systems offer,
    too. The host keeps the slave open until the first bytes arrive: without anybody at it, the master reads
    an end of file.
    """

    name = "pty"

    def run(self, context: Context, plugin: Plugin, command: Command, serve: Serve, next: Next) -> Exit:
        """Connect and execute."""
        master, slave = openpty()
        try:
            tty.setraw(slave)
            path = os.ttyname(slave)
        except BaseException:
            os.close(master)
            os.close(slave)
            raise
        held = HeldEnd(slave)
        try:
            channel = channel_of_descriptors(master, begun=held.close)
            channel.linger = lambda gone: wait_until_read(path, gone)
            serve(channel)
            return next(prepend_args=with_file_path(path))
        finally:
            held.close()


def wait_until_read(path: str, gone: threading.Event) -> None:
    """Wait until the plugin has read everything: closing the master hangs up, and takes away what is unread.

    Behind what can be read at once there may be more, which comes when the reader has made room for it: only a
    terminal that stays empty is empty.
    """
    try:
        slave = open_path(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return
    try:
        poll = select.poll()
        poll.register(slave, select.POLLIN)
        filled = time.monotonic()
        deadline = filled + LINGER_SECONDS
        # A terminal does not tell when it has become empty, so it has to be asked, for this short while.
        while (now := time.monotonic()) < deadline:
            if poll.poll(0):
                filled = now
            elif now - filled >= QUIET_SECONDS:
                break
            if gone.wait(LOOK_SECONDS):
                break
    except OSError:
        return  # it cannot be told whether there is something left
    finally:
        os.close(slave)
