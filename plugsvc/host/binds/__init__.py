"""Binds: how the two ends of a connection get to the host and to the plugin."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from ...errors import RegistrationError
from .base import Bind, Serve
from .fifo import FifoBind
from .func import BindFunc, FuncBind, with_bind_func
from .pipes import DevFdBind, ProcFSBind
from .pty import PtyBind

__all__ = [
    "BINDS",
    "Bind",
    "BindFunc",
    "DevFdBind",
    "FifoBind",
    "FuncBind",
    "ProcFSBind",
    "PtyBind",
    "Serve",
    "resolve_bind",
    "with_anonymous_pipe",
    "with_anonymous_pipe_by_procfs",
    "with_bind_func",
]

BINDS: dict[str, Callable[[], Bind]] = {
    "devfd": DevFdBind,
    "procfs": ProcFSBind,
    "fifo": FifoBind,
    "pty": PtyBind,
}
"""The built-in binds by name; the first is the default."""


def with_anonymous_pipe() -> Bind:
    """Return the default bind: anonymous pipes that the plugin inherits."""
    return DevFdBind()


def with_anonymous_pipe_by_procfs(path: str | os.PathLike[str] = "/proc") -> Bind:
    """Return the bind over anonymous pipes that the plugin opens through procfs, mounted at `path`."""
    return ProcFSBind(path)


def resolve_bind(how: Sequence[Bind | str]) -> Bind:
    """Return the bind that the arguments of `Registry.bind` mean. Raises `RegistrationError`."""
    if not how:
        return with_anonymous_pipe()
    if len(how) > 1:
        raise RegistrationError(f"a registry is bound in one way at a time, not in {len(how)}")
    (chosen,) = how
    if isinstance(chosen, str):
        if chosen not in BINDS:
            raise RegistrationError(f"unknown bind {chosen!r}; there are {', '.join(BINDS)}")
        return BINDS[chosen]()
    if not isinstance(chosen, Bind):
        raise RegistrationError(f"the bind is {chosen!r}, which is not a bind; for a function use with_bind_func")
    return chosen
