"""The ways in which a plugin and a host can be connected: what each is called, and what it can do.

A plugin under test names the schemes that it can open; the suite has one or more ways to offer each. A host under test
names its binds. Both are of the same few kinds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from conformance.drive import offers
from conformance.drive.offers import Offer

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
KINDS: dict[str, frozenset[str]] = {
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
"""The kinds of connections, which are also the usual names of binds, with their traits."""


@dataclass(frozen=True)
class Way:
    """One way to offer a connection to a plugin; ``features`` are what the testee must declare."""

    name: str
    scheme: str
    kind: str
    make: Callable[[], Offer]
    features: frozenset[str] = frozenset()


WAYS = {
    way.name: way
    for way in (
        Way("file", "file", "procfs", offers.procfs),
        Way("file-devfd", "file", "devfd", offers.devfd),
        Way("file-fifo", "file", "fifo", offers.fifo),
        Way("file-pty", "file", "pty", offers.single_pty, frozenset({"single-url"})),
        Way("fd", "fd", "fd", offers.fd),
        Way("fd-pair", "fd", "fd-pair", offers.fd_pair),
        Way("unix", "unix", "unix", offers.unix),
        Way("unix-abstract", "unix-abstract", "unix-abstract", offers.unix_abstract),
        Way("tcp", "tcp", "tcp", offers.tcp),
        Way("stdio", "stdio", "stdio", offers.stdio, frozenset({"control-fd"})),
        Way("shm", "shm", "shm", offers.shm),
    )
}
"""What the suite offers to plugins; the first way of a scheme is its usual one."""


def kind_of(name: str) -> str:
    """The kind of a way, or of a bind that is called like a kind; any other name is a kind of its own."""
    return WAYS[name].kind if name in WAYS else name


def has(name: str, trait: str) -> bool:
    """Whether a way or bind has a trait; of an unknown one nothing is known."""
    return trait in KINDS.get(kind_of(name), frozenset())
