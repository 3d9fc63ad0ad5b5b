"""The transports by which a plugin and a host can be connected: what each is called, and what it can do.

A plugin under test names the schemes that it can open; the suite has one or more transports for each. A host under test
names its binds. A transport behaves like the bind that it is named with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from conformance.drive import endpoints
from conformance.drive.endpoints import Endpoint

HALVES = "halves"
READING = "reading"
STREAMS = "streams"
TRAITS = {
    HALVES: "the writing direction can be closed alone",
    READING: "the reading direction can be closed alone, so that the other side notices",
    STREAMS: "the plugin's standard streams are its own",
}

_PIPES = frozenset({HALVES, READING, STREAMS})
_SOCKET = frozenset({HALVES, STREAMS})
BINDS: dict[str, frozenset[str]] = {
    "procfs": _PIPES,
    "devfd": _PIPES,
    "fifo": _PIPES,
    "pty": frozenset({STREAMS}),
    "fd": _SOCKET,
    "fd-pair": _PIPES,
    "unix": _SOCKET,
    "unix-abstract": _SOCKET,
    "tcp": _SOCKET,
    "stdio": frozenset({HALVES, READING}),
    "shm": _PIPES,
}
"""The usual binds of hosts, with their traits."""


@dataclass(frozen=True)
class Transport:
    """One transport that connects a plugin to the suite; ``features`` are what the testee must declare."""

    name: str
    scheme: str
    bind: str
    make: Callable[[], Endpoint]
    features: frozenset[str] = frozenset()


TRANSPORTS = {
    transport.name: transport
    for transport in (
        Transport("file", "file", "procfs", endpoints.procfs),
        Transport("file-devfd", "file", "devfd", endpoints.devfd),
        Transport("file-fifo", "file", "fifo", endpoints.fifo),
        Transport("file-pty", "file", "pty", endpoints.single_pty, frozenset({"single-url"})),
        Transport("fd", "fd", "fd", endpoints.fd),
        Transport("fd-pair", "fd", "fd-pair", endpoints.fd_pair),
        Transport("unix", "unix", "unix", endpoints.unix),
        Transport("unix-abstract", "unix-abstract", "unix-abstract", endpoints.unix_abstract),
        Transport("tcp", "tcp", "tcp", endpoints.tcp),
        Transport("stdio", "stdio", "stdio", endpoints.stdio, frozenset({"control-fd"})),
        Transport("shm", "shm", "shm", endpoints.shm),
    )
}
"""What the suite offers to plugins; the first transport of a scheme is its usual one."""


def bind_of(name: str) -> str:
    """The usual bind of a transport; any other name stands for itself."""
    return TRANSPORTS[name].bind if name in TRANSPORTS else name


def has(name: str, trait: str) -> bool:
    """Whether a transport or bind has a trait; of an unknown one nothing is known."""
    return trait in BINDS.get(bind_of(name), frozenset())
