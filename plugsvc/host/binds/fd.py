"""Descriptors that the plugin inherits and uses as they are: a socket (`fd`) or two pipes (`fd-pair`)."""

from __future__ import annotations

from ...openers.sockets import socket_pair
from ...openers.url import HOST_FLAG
from ..context import Context
from ..plugin import Command, Plugin
from ..process import Exit
from ..settings import Next, Serve
from .ends import PipePair, channel_of_descriptors, channel_of_socket

__all__ = ["FdBind", "FdPairBind"]


class FdBind:
    """A pair of connected sockets, one of which the plugin inherits, as `fd:N`.

    The host closes its copy of the plugin's end as soon as the plugin runs. Whatever starts the plugin has to
    leave its descriptors open.
    """

    name = "fd"

    def run(self, context: Context, plugin: Plugin, command: Command, serve: Serve, next: Next) -> Exit:
        """Connect and execute."""
        ours, theirs = socket_pair()
        with theirs:
            serve(channel_of_socket(ours))
            return next(
                prepend_args=[HOST_FLAG, f"fd:{theirs.fileno()}"],
                pass_fds=[theirs.fileno()],
                on_start=theirs.close,
            )


class FdPairBind:
    """Two pipes that the plugin inherits, as `fd:N,M`.

    As `devfd`, but the plugin uses the descriptors themselves, so it may run under another user.
    """

    name = "fd-pair"

    def run(self, context: Context, plugin: Plugin, command: Command, serve: Serve, next: Next) -> Exit:
        """Connect and execute."""
        ends = PipePair()
        try:
            serve(channel_of_descriptors(*ends.take_ours()))
            reader, writer = ends.theirs
            return next(
                prepend_args=[HOST_FLAG, f"fd:{reader},{writer}"],
                pass_fds=[reader, writer],
                on_start=ends.close,
            )
        finally:
            ends.close()
