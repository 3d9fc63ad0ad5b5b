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
from .discovery import DiscoveryHandler, discover_plugins
from .execution import Completed, Target, execute, iterate_all, iterate_typed
from .launch import Exit, Launch, OutputTarget
from .limits import Limits
from .plugin import Command, Manifest, Plugin, new_plugin
from .registry import Registry, Services
from .server import Server
from .settings import Binding, ExecuteOptions, Executor, Generator, Handler, Interceptor, Next, NextOptions, Options

__all__ = [
    "Bind",
    "BindFunc",
    "Binding",
    "Channel",
    "Command",
    "Completed",
    "Context",
    "DiscoveryHandler",
    "ExecuteOptions",
    "Executor",
    "Exit",
    "Generator",
    "Handler",
    "Interceptor",
    "Launch",
    "Limits",
    "Manifest",
    "Next",
    "NextOptions",
    "Options",
    "OutputTarget",
    "Plugin",
    "Registry",
    "Server",
    "Services",
    "Target",
    "discover_plugins",
    "execute",
    "iterate_all",
    "iterate_typed",
    "new_plugin",
    "with_anonymous_pipe",
    "with_anonymous_pipe_by_procfs",
    "with_bind_func",
    "with_default_bind",
]
