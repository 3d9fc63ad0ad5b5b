"""Binds: how the two ends of a connection get to the host and to the plugin."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from ...errors import RegistrationError
from ..settings import Bind, Serve
from .func import BindFunc, with_bind_func
from .pipes import DevFdBind, ProcFSBind

__all__ = [
    "BINDS",
    "Bind",
    "BindFunc",
    "DevFdBind",
    "ProcFSBind",
    "Serve",
    "bind_of",
    "resolve_bind",
    "with_anonymous_pipe",
    "with_anonymous_pipe_by_procfs",
    "with_bind_func",
    "with_default_bind",
]

BINDS = {
    "devfd": ("pipes", "DevFdBind"),
    "procfs": ("pipes", "ProcFSBind"),
    "fifo": ("fifo", "FifoBind"),
    "pty": ("pty", "PtyBind"),
    "fd": ("fd", "FdBind"),
    "fd-pair": ("fd", "FdPairBind"),
    "unix": ("unix", "UnixBind"),
    "unix-abstract": ("unix", "AbstractUnixBind"),
    "tcp": ("tcp", "TcpBind"),
    "stdio": ("stdio", "StdioBind"),
    "shm": ("shm", "ShmBind"),
}
"""The built-in binds by name, as module and class; on Linux the first is the default.

A module is imported when its bind is used: a host uses one of them.
"""


def bind_of(name: str, *, trusted: bool = False) -> Bind:
    """Return the built-in bind of this name, one of `BINDS`.

    `trusted`: whether all plugins that are connected by it are trusted; only `shm` asks. Raises `RegistrationError`
    for `shm` without that.
    """
    module, kind = BINDS[name]
    made: Callable[..., Bind] = getattr(import_module(f".{module}", __name__), kind)
    return made(trusted=trusted) if name == "shm" else made()


def with_default_bind(*, keeps_descriptors: bool = True) -> Bind:
    """Return the bind that `Registry.bind` takes when it is given none.

    On Linux that is `devfd`: pipes that the plugin inherits. Say `keeps_descriptors=False` where plugins are
    started by something that closes all descriptors but the standard streams (`sudo`, many supervisors); then
    it is `procfs`, the same pipes reached through the host's directory in procfs. On other systems opening
    `/dev/fd/N` means something else, and it is `unix`, a socket, in either case.
    """
    if sys.platform != "linux":
        return bind_of("unix")
    return DevFdBind() if keeps_descriptors else ProcFSBind()


def with_anonymous_pipe() -> Bind:
    """Return the bind over anonymous pipes that the plugin inherits."""
    return DevFdBind()


def with_anonymous_pipe_by_procfs(path: str | os.PathLike[str] = "/proc") -> Bind:
    """Return the bind over anonymous pipes that the plugin opens through procfs, mounted at `path`."""
    return ProcFSBind(path)


def resolve_bind(how: Sequence[Bind | str]) -> Bind:
    """Return the bind that the arguments of `Registry.bind` mean. Raises `RegistrationError`."""
    if not how:
        return with_default_bind()
    if len(how) > 1:
        raise RegistrationError(f"a registry is bound in one way at a time, not in {len(how)}")
    (chosen,) = how
    if isinstance(chosen, str):
        if chosen not in BINDS:
            raise RegistrationError(f"unknown bind {chosen!r}; there are {', '.join(BINDS)}")
        return bind_of(chosen)
    if not isinstance(chosen, Bind):
        raise RegistrationError(f"the bind is {chosen!r}, which is not a bind; for a function use with_bind_func")
    return chosen
