"""The plugin's standard input and output."""

from __future__ import annotations

from dataclasses import replace

from ...errors import RegistrationError
from ...openers.url import HOST_FLAG
from ..context import Context
from ..plugin import Command, Plugin
from ..process import CAPTURE, Exit
from ..settings import Next, Option, Serve, Settings, with_on_start, with_prepend_args
from .ends import PipePair, channel_of_descriptors

__all__ = ["StdioBind"]


class StdioBind:
    """Two pipes that are the plugin's standard input and output, as `stdio:`.

    For launchers that pass on nothing else. Standard output is not captured, then, and a plugin that writes
    to it before it has opened its connection spoils the protocol: that is a failure like any other malformed
    message. It cannot be used together with `with_stdin` and `with_stdout`.
    """

    name = "stdio"

    def run(self, context: Context, plugin: Plugin, command: Command, serve: Serve, next: Next) -> Exit:
        """Connect and execute."""
        ends = PipePair()
        try:
            serve(channel_of_descriptors(*ends.take_ours()))
            return next(
                with_prepend_args(HOST_FLAG, "stdio:"),
                _with_streams(*ends.theirs),
                with_on_start(ends.close),
            )
        finally:
            ends.close()


def _with_streams(stdin: int, stdout: int) -> Option:
    def apply(settings: Settings) -> Settings:
        if settings.stdin is not None or settings.stdout != CAPTURE:
            raise RegistrationError(
                "the bind stdio needs standard input and output for the connection;"
                " with_stdin and with_stdout cannot be used with it"
            )
        return replace(settings, stdin=stdin, stdout=stdout)

    return apply
