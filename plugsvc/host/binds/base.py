"""What a bind is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from ..channel import Channel
from ..context import Context
from ..plugin import Command, Plugin
from ..process import Exit
from ..server import Server
from ..settings import Next

__all__ = ["Bind", "Serve"]

Serve = Callable[[Channel], Server]
"""Begins to serve the registry on a channel, which it takes over."""


@runtime_checkable
class Bind(Protocol):
    """One way to connect a plugin with a registry.

    `run` is called once per execution. It creates the connection's two ends, lets `serve` have the host's
    end, and calls `next` with the options that tell the plugin where its end is. `next` returns when the
    process has ended; `run` returns what `next` returned. When `run` ends, nobody waits for the plugin any
    longer.
    """

    @property
    def name(self) -> str:
        """The name under which `Registry.bind` knows it."""

    def run(self, context: Context, plugin: Plugin, command: Command, serve: Serve, next: Next) -> Exit:
        """Connect and execute."""
