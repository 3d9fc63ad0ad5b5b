"""The host's side: offer services, find plugins, run them."""

from __future__ import annotations

from .binds import (
    Bind,
    BindFunc,
    with_anonymous_pipe,
    with_anonymous_pipe_by_procfs,
    with_bind_func,
    with_default_bind,
)
from .channel import Channel
from .context import Context
from .discovery import discover_plugins, with_glob
from .execution import Completed, execute, iterate_all, iterate_typed
from .plugin import Command, Manifest, Plugin, new_plugin
from .process import Exit, Launch
from .registry import Registry, Services
from .server import Server
from .settings import (
    with_cwd,
    with_env,
    with_executor,
    with_generator,
    with_grace,
    with_handler,
    with_interceptor,
    with_loop,
    with_on_start,
    with_parallelism,
    with_pass_fds,
    with_prepend_args,
    with_server_limits,
    with_spec_flags,
    with_stderr,
    with_stdin,
    with_stdout,
    with_timeout,
)

__all__ = [
    "Bind",
    "BindFunc",
    "Channel",
    "Command",
    "Completed",
    "Context",
    "Exit",
    "Launch",
    "Manifest",
    "Plugin",
    "Registry",
    "Server",
    "Services",
    "discover_plugins",
    "execute",
    "iterate_all",
    "iterate_typed",
    "new_plugin",
    "with_anonymous_pipe",
    "with_anonymous_pipe_by_procfs",
    "with_bind_func",
    "with_cwd",
    "with_default_bind",
    "with_env",
    "with_executor",
    "with_generator",
    "with_glob",
    "with_grace",
    "with_handler",
    "with_interceptor",
    "with_loop",
    "with_on_start",
    "with_parallelism",
    "with_pass_fds",
    "with_prepend_args",
    "with_server_limits",
    "with_spec_flags",
    "with_stderr",
    "with_stdin",
    "with_stdout",
    "with_timeout",
]
