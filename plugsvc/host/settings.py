"""What an execution can be told: options, each a function from settings to settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any, Protocol, runtime_checkable

from ..errors import RegistrationError
from .context import Context
from .plugin import Command, Plugin
from .process import CAPTURE, GRACE_SECONDS, KEPT_BYTES, Exit, Launch, OutputTarget
from .specflags import SpecFlag, parse_spec_flag

if TYPE_CHECKING:
    import asyncio

    from .channel import Channel
    from .namespaces import Namespaces
    from .server import Server
    from .tasks import Venue

__all__ = [
    "Bind",
    "Executor",
    "Generator",
    "Handler",
    "Interceptor",
    "Next",
    "Option",
    "Serve",
    "Settings",
    "with_cwd",
    "with_env",
    "with_executor",
    "with_generator",
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


class Next(Protocol):
    """Goes on with an execution, with further options, and returns how the process ended."""

    def __call__(self, *options: Option) -> Exit:
        """Raises what the execution raises."""


Serve = Callable[["Channel"], "Server"]
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


Interceptor = Callable[[Context, Plugin, Command, Next], None]
"""Runs around an execution: calls `next` once to let it happen, never to skip it, several times to repeat it.
"""

Generator = Callable[[Plugin, Command], Iterable[Sequence["Option"]]]
"""Yields the options of each execution that shall take place for a command."""

Handler = Callable[[Plugin, Command, Exception], None]
"""Is told of a failed execution; what it raises ends the whole."""

Executor = Callable[[Launch, Callable[[Launch], Exit]], Exit]
"""Starts a process in its own way: usually changes the launch and hands it to the second argument."""


@dataclass(frozen=True)
class Settings:
    """Everything that options can set. Immutable: each option makes a new one."""

    registry: Namespaces | None = None
    bind: Bind | None = None
    interceptors: tuple[Interceptor, ...] = ()
    executor: Executor | None = None
    handler: Handler | None = None
    parallelism: int = 1
    timeout: float | None = None
    grace: float = GRACE_SECONDS
    keep: int = KEPT_BYTES
    prepend_args: tuple[str, ...] = ()
    spec_flags: tuple[SpecFlag, ...] = ()
    pass_fds: tuple[int, ...] = ()
    env: Mapping[str, str] | None = None
    cwd: str | os.PathLike[str] | None = None
    stdin: int | IO[bytes] | IO[str] | None = None
    stdout: OutputTarget = CAPTURE
    stderr: OutputTarget = CAPTURE
    on_start: tuple[Callable[[], None], ...] = ()
    server_limits: Mapping[str, Any] | None = None
    venue: Venue | None = None

    def apply(self, options: Iterable[Option]) -> Settings:
        """Return the settings with these options. Raises `RegistrationError` for what is not an option."""
        settings = self
        for option in options:
            if not callable(option):
                raise RegistrationError(f"{option!r} is not an execution option")
            settings = option(settings)
        return settings


Option = Callable[[Settings], Settings]
"""One option of an execution."""


def with_registry(registry: Namespaces, bind: Bind) -> Option:
    """Serve a registry, over a bind; what `Registry.bind` returns."""

    def apply(settings: Settings) -> Settings:
        if settings.registry is not None:
            raise RegistrationError("an execution can be bound to one registry only; use Registry.inherit to join two")
        return replace(settings, registry=registry, bind=bind)

    return apply


def with_prepend_args(*args: str) -> Option:
    """Put arguments between the command's path and the arguments of the execution."""
    return lambda settings: replace(settings, prepend_args=(*settings.prepend_args, *args))


def with_spec_flags(flags: Iterable[str]) -> Option:
    """Add flags for particular plugins, `name[:commandPath].flag[=value]`. Raises `RegistrationError`."""
    parsed = tuple(parse_spec_flag(each) for each in flags)
    return lambda settings: replace(settings, spec_flags=(*settings.spec_flags, *parsed))


def with_interceptor(interceptor: Interceptor) -> Option:
    """Run `interceptor(context, plugin, command, next)` around each execution; the first one given is
    outermost.
    """
    return lambda settings: replace(settings, interceptors=(*settings.interceptors, interceptor))


def with_generator(generator: Generator) -> Option:
    """Execute each command once for each sequence of options that `generator(plugin, command)` yields."""

    def intercept(context: Context, plugin: Plugin, command: Command, next: Next) -> None:
        for options in generator(plugin, command):
            if context.reason is not None:
                break
            next(*options)

    return with_interceptor(intercept)


def with_executor(executor: Executor) -> Option:
    """Start processes through `executor(launch, run)`, which returns an `Exit`, most simply `run(changed
    launch)`.
    """
    return lambda settings: replace(settings, executor=executor)


def with_handler(handler: Handler) -> Option:
    """Tell `handler(plugin, command, error)` of failures instead of raising them at the end."""
    return lambda settings: replace(settings, handler=handler)


def with_parallelism(count: int) -> Option:
    """Execute up to `count` commands at the same time (default: 1). Raises `RegistrationError` for less than
    1.
    """
    if count < 1:
        raise RegistrationError(f"parallelism must be at least 1, not {count!r}")
    return lambda settings: replace(settings, parallelism=count)


def with_timeout(seconds: float) -> Option:
    """Stop each execution that takes longer."""
    return lambda settings: replace(settings, timeout=seconds)


def with_grace(seconds: float) -> Option:
    """Leave a process so much time between SIGTERM and SIGKILL when it is stopped (default: 3 seconds)."""
    return lambda settings: replace(settings, grace=seconds)


def with_env(env: Mapping[str, str]) -> Option:
    """Give the process this environment instead of the host's."""
    return lambda settings: replace(settings, env=env)


def with_cwd(cwd: str | os.PathLike[str]) -> Option:
    """Run the process in that directory."""
    return lambda settings: replace(settings, cwd=cwd)


def with_stdin(stdin: int | IO[bytes] | IO[str]) -> Option:
    """Give the process this standard input instead of the null device."""
    return lambda settings: replace(settings, stdin=stdin)


def with_stdout(target: OutputTarget) -> Option:
    """Say where standard output goes: "capture" (the default; its end is kept), "inherit", a file or a
    descriptor.
    """
    return lambda settings: replace(settings, stdout=target)


def with_stderr(target: OutputTarget) -> Option:
    """Say where standard error goes, as with `with_stdout`."""
    return lambda settings: replace(settings, stderr=target)


def with_pass_fds(*fds: int) -> Option:
    """Let the process have these descriptors, under the same numbers."""
    return lambda settings: replace(settings, pass_fds=(*settings.pass_fds, *fds))


def with_on_start(callback: Callable[[], None]) -> Option:
    """Call `callback` right after the process was started."""
    return lambda settings: replace(settings, on_start=(*settings.on_start, callback))


def with_server_limits(**limits: Any) -> Option:
    """Set limits of the connection: keyword arguments of `Server` (`max_running`, `max_message`, ...)."""
    return lambda settings: replace(settings, server_limits={**(settings.server_limits or {}), **limits})


def with_loop(loop: asyncio.AbstractEventLoop) -> Option:
    """Run services that are coroutine functions in this event loop, each in a copy of the present context.

    By default they run in a loop that the library has in a thread of its own, one for the whole process. Raises
    `RegistrationError` for what is no event loop.
    """
    import asyncio

    from .tasks import Venue

    if not isinstance(loop, asyncio.AbstractEventLoop):
        raise RegistrationError(f"with_loop needs an event loop of asyncio, got {loop!r}")
    venue = Venue.here(loop)
    return lambda settings: replace(settings, venue=venue)
