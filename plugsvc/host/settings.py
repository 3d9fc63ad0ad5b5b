"""What an execution can be told: the options, their checks, and the types of the functions that they take."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Protocol, TypedDict, Unpack, runtime_checkable

from ..errors import RegistrationError
from .checks import (
    check_args,
    check_count,
    check_environment,
    check_fds,
    check_file,
    check_flag,
    check_folder,
    check_function,
    check_functions,
    check_output,
    check_seconds,
    optional,
)
from .context import Context
from .launch import CAPTURE, Exit, Launch, OutputTarget
from .limits import DEFAULTS, Limits
from .plugin import Command, Plugin
from .process import GRACE_SECONDS
from .specflags import SpecFlag, parse_spec_flags

if TYPE_CHECKING:
    import asyncio

    from .channel import Channel
    from .namespaces import Namespaces
    from .tasks import Venue

__all__ = [
    "Bind",
    "Binding",
    "ExecuteOptions",
    "Executor",
    "Generator",
    "Handler",
    "Interceptor",
    "Next",
    "NextOptions",
    "Options",
    "ProcessSettings",
    "Serve",
    "Settings",
]


class Options(TypedDict, total=False):
    """Options that may differ between the executions of one `execute`; what each one means is told there."""

    prepend_args: Iterable[str]
    spec_flags: Iterable[str]
    timeout: float | None
    grace: float
    env: Mapping[str, str] | None
    cwd: str | os.PathLike[str] | None
    stdin: int | IO[bytes] | IO[str] | None
    stdout: OutputTarget
    stderr: OutputTarget
    pass_fds: Iterable[int]
    on_start: Callable[[], None] | None
    executor: Executor | None
    die_with_host: bool
    limits: Limits


class NextOptions(Options, total=False):
    """Options that `next` takes. `standard_streams`: for binds, what becomes the plugin's standard input and output."""

    standard_streams: tuple[int, int]


class ExecuteOptions(Options, total=False):
    """All options of `execute`, for functions that pass them on: `def f(**options: Unpack[ExecuteOptions])`."""

    bind: Binding | None
    parallelism: int
    handler: Handler | None
    interceptors: Iterable[Interceptor]
    generator: Generator | None
    loop: asyncio.AbstractEventLoop | None


class Next(Protocol):
    """Goes on with an execution, with further options, and returns how the process ended."""

    def __call__(self, **options: Unpack[NextOptions]) -> Exit:
        """`prepend_args`, `spec_flags`, `pass_fds` and `on_start` are added to those given before, others replace them.

        Raises what the execution raises, and `RegistrationError` for options that make no sense.
        """


Serve = Callable[["Channel"], object]
"""Begins to serve the registry on a channel, which it takes over; what it returns means nothing to a bind."""


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


@dataclass(frozen=True)
class Binding:
    """A registry and the bind over which it is served: what `Registry.bind` returns."""

    registry: Namespaces
    bind: Bind


Interceptor = Callable[[Context, Plugin, Command, Next], object]
"""Runs around an execution: calls `next` once to let it happen, never to skip it, several times to repeat it."""

Generator = Callable[[Plugin, Command], Iterable[Options]]
"""Yields the options of each execution that shall take place for a command."""

Handler = Callable[[Plugin, Command, Exception], None]
"""Is told of a failed execution; what it raises ends the whole."""

Executor = Callable[[Launch, Callable[[Launch], Exit]], Exit]
"""Starts a process in its own way: usually changes the launch and hands it to the second argument."""


@dataclass(frozen=True)
class ProcessSettings:
    """Everything that concerns the start of one process."""

    prepend_args: tuple[str, ...] = ()
    spec_flags: tuple[SpecFlag, ...] = ()
    env: Mapping[str, str] | None = None
    cwd: str | None = None
    stdin: int | IO[bytes] | IO[str] | None = None
    stdout: OutputTarget = CAPTURE
    stderr: OutputTarget = CAPTURE
    pass_fds: tuple[int, ...] = ()
    on_start: tuple[Callable[[], None], ...] = ()
    executor: Executor | None = None
    die_with_host: bool = False


@dataclass(frozen=True)
class Settings:
    """Everything that options can set. Immutable: `changed` makes a new one."""

    bind: Binding | None = None
    parallelism: int = 1
    handler: Handler | None = None
    interceptors: tuple[Interceptor, ...] = ()
    generator: Generator | None = None
    loop: Venue | None = None
    timeout: float | None = None
    grace: float = GRACE_SECONDS
    limits: Limits = DEFAULTS
    process: ProcessSettings = field(default_factory=ProcessSettings)

    def changed(self, options: Mapping[str, Any], *, during: bool = False) -> Settings:
        """Return the settings with these options, by their names in `execute`.

        `during`: an execution is under way, so only what concerns it can be changed. Raises `RegistrationError` for
        options that do not exist or make no sense.
        """
        own: dict[str, Any] = {}
        process: dict[str, Any] = {}
        for name, value in options.items():
            row = _ROWS.get(name)
            if row is None or (during and row.whole):
                raise RegistrationError(f"{name!r} is not an option{' of a single execution' if row else ''}")
            checked = row.check(name, value)
            if name == "standard_streams":
                self._check_streams_are_free()
                process["stdin"], process["stdout"] = checked
            elif name in _PROCESS:
                process[name] = (*getattr(self.process, name), *checked) if row.added else checked
            else:
                own[name] = checked
        if process:
            own["process"] = replace(self.process, **process)
        return replace(self, **own)

    def _check_streams_are_free(self) -> None:
        if self.process.stdin is not None or self.process.stdout != CAPTURE:
            raise RegistrationError(
                "the bind stdio needs standard input and output for the connection;"
                " the options stdin and stdout cannot be used with it"
            )


_PROCESS = {each.name for each in fields(ProcessSettings)}


class _Row(NamedTuple):
    """How one option is checked; whether it is added to what was given before; whether it is for the whole call."""

    check: Callable[[str, Any], Any]
    added: bool = False
    whole: bool = False


def _check_callbacks(name: str, value: Any) -> tuple[Any, ...]:
    return () if value is None else (check_function(name, value),)


def _check_streams(name: str, value: Any) -> tuple[int, int]:
    reader, writer = check_fds(name, value)
    return reader, writer


def _check_loop(name: str, value: Any) -> Venue:
    import asyncio

    from .tasks import Venue

    if not isinstance(value, asyncio.AbstractEventLoop):
        raise RegistrationError(f"{name} must be an event loop of asyncio, not {value!r}")
    return Venue.here(value)


def _check_bind(name: str, value: Any) -> Binding:
    if not isinstance(value, Binding):
        raise RegistrationError(f"{name} must be what Registry.bind returns, not {value!r}")
    return value


def _check_limits(name: str, value: Any) -> Limits:
    if not isinstance(value, Limits):
        raise RegistrationError(f"{name} must be a Limits, not {value!r}")
    return value.check()


_ROWS = {
    "prepend_args": _Row(check_args, added=True),
    "spec_flags": _Row(parse_spec_flags, added=True),
    "timeout": _Row(optional(check_seconds)),
    "grace": _Row(check_seconds),
    "env": _Row(optional(check_environment)),
    "cwd": _Row(optional(check_folder)),
    "stdin": _Row(optional(check_file)),
    "stdout": _Row(check_output),
    "stderr": _Row(check_output),
    "pass_fds": _Row(check_fds, added=True),
    "on_start": _Row(_check_callbacks, added=True),
    "executor": _Row(optional(check_function)),
    "die_with_host": _Row(check_flag),
    "limits": _Row(_check_limits),
    "standard_streams": _Row(_check_streams),
    "bind": _Row(optional(_check_bind), whole=True),
    "parallelism": _Row(check_count, whole=True),
    "handler": _Row(optional(check_function), whole=True),
    "interceptors": _Row(check_functions, whole=True),
    "generator": _Row(optional(check_function), whole=True),
    "loop": _Row(optional(_check_loop), whole=True),
}
