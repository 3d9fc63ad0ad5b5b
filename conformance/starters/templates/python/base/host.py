"""The host side of your implementation."""

from __future__ import annotations

# YOUR IMPLEMENTATION: declare what it can do, and write `run` with it.
# `contract.services` has the registry: parent() and child(TYPES) are namespaces with manifests and functions.

BINDS: list[str] = []  # the ways to offer a connection, the default first: "devfd", "unix", ...
TYPES: list[str] = []  # that stand in a signature; the registry has an echo_T for each
FEATURES: list[str] = []  # "concurrent"


def run(bind: str | None, plugin: str, args: list[str]) -> str | None:
    """Run a plugin.

    Discover the executable `plugin` by its `info`, bind the registry over `bind` (the default if None), execute its
    command of type `conformance-plugin` with `args`, and wait for it. Returns None if the plugin exited 0 and the
    connection ended without a protocol error, and otherwise one line that says what happened.
    """
    return "this testee has no host side yet"
