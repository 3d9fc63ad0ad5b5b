"""A bind made by the user: any way of getting bytes to a plugin and back."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Unpack

from ...errors import RegistrationError
from ..context import Context
from ..plugin import Command, Plugin
from ..process import Exit
from ..settings import Next, NextOptions, Serve
from .ends import PipePair, channel_of_descriptors

__all__ = ["BindFunc", "FuncBind", "with_bind_func"]

BindFunc = Callable[[Context, Plugin, Command, io.FileIO, io.FileIO, Next], None]
"""`f(context, plugin, command, reader, writer, next)`, see `with_bind_func`."""


class FuncBind:
    """See `with_bind_func`."""

    name = "func"

    def __init__(self, function: BindFunc) -> None:
        self._function = function

    def run(self, context: Context, plugin: Plugin, command: Command, serve: Serve, next: Next) -> Exit:
        """Connect and execute."""
        exits: list[Exit] = []

        def call_next(**options: Unpack[NextOptions]) -> Exit:
            exits.append(next(**options))
            return exits[-1]

        ends = PipePair()
        with contextlib.ExitStack() as files:
            try:
                reader = files.enter_context(io.FileIO(ends.theirs[0], "r"))
                del ends.theirs[0]  # the file owns it
                writer = files.enter_context(io.FileIO(ends.theirs[0], "w"))
                del ends.theirs[0]
                serve(channel_of_descriptors(*ends.take_ours()))
            except BaseException:
                ends.close()
                raise
            self._function(context, plugin, command, reader, writer, call_next)
        if not exits:
            raise RegistrationError(f"the bind function {self._function!r} returned without calling next")
        return exits[-1]


def with_bind_func(function: BindFunc) -> FuncBind:
    """Return a bind by a function `f(context, plugin, command, reader, writer, next)`.

    `reader` yields what the host sends (replies), to `writer` goes what the plugin sends (requests); both are
    unbuffered binary files over real descriptors, and the registry is being served on their other ends
    already. The function makes the connection to the plugin in whatever way, passes the bytes on, and calls
    `next(**options)`, which runs the plugin and returns when it has ended. Then the function closes `writer`,
    which tells the host that nothing more comes, and `reader` yields what is left, and its end. When the
    function returns, both files are closed.

    Raises `RegistrationError` when the function is None or cannot be called.
    """
    if function is None or not callable(function):
        raise RegistrationError(f"the bind function is {function!r}, which cannot be called")
    return FuncBind(function)
