"""Execute commands of plugins, one after the other or side by side, and tell how each one ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from ..errors import PluginFailed, ProtocolError, RegistrationError
from .channel import Channel
from .context import Context
from .jobs import Job, JobGroup
from .plugin import Command, Plugin, last_line
from .printable import printable
from .process import Exit, Launch, run_process
from .server import Server
from .settings import Next, Option, Settings
from .specflags import spec_args

__all__ = ["Completed", "Target", "execute", "iterate_all", "iterate_typed"]

Target = tuple[Plugin, Command]
"""One command of one plugin."""

SETTLE_SECONDS = 3.0


@dataclass(frozen=True)
class Completed:
    """One execution that succeeded. `stdout`, `stderr`: the end of what was captured, as text."""

    plugin: Plugin
    command: Command
    stdout: str = ""
    stderr: str = ""


def iterate_all(plugins: Iterable[Plugin]) -> Iterator[Target]:
    """Yield every command of every plugin."""
    for plugin in plugins:
        for command in plugin.commands:
            yield plugin, command


def iterate_typed(plugins: Iterable[Plugin], type: str) -> Iterator[Target]:
    """Yield the commands of that type of every plugin."""
    return ((plugin, command) for plugin, command in iterate_all(plugins) if command.type == type)


def execute(
    targets: Iterable[Target] | Plugin,
    args: Iterable[str] = (),
    *options: Option,
    context: Context | None = None,
    on_completed: Callable[[Completed], None] | None = None,
) -> list[Completed]:
    """Execute commands of plugins with these arguments, and return the successful executions in the order
    they ended.

    `targets` are pairs of plugin and command, as `iterate_all` and `iterate_typed` yield them; a plugin alone
    stands for all its commands. An execution succeeds when the process ends by itself with status 0 and, if
    it was bound to a registry, sent nothing malformed; nothing else is asked of it. When the context is
    cancelled or its deadline passes, processes are stopped (SIGTERM, then SIGKILL, to the whole process
    group), and nothing new is started. `on_completed` is told of each successful execution as it ends, in the
    thread that has waited for it; what it raises counts as a failure of that execution.

    Raises `PluginFailed` for the failed execution, an `ExceptionGroup` for several, after all others have
    ended; with `with_handler` failures go there instead. What an interceptor raises counts as a failure of
    its execution. Raises `RegistrationError` for options that make no sense, before anything is started.
    """
    settings = Settings().apply(options)
    outer = context if context is not None else Context()
    if isinstance(targets, Plugin):
        targets = iterate_all([targets])
    return _Run(settings, tuple(args), outer, on_completed).run(targets)


class _Run:
    """One call of `execute`."""

    def __init__(
        self,
        settings: Settings,
        args: tuple[str, ...],
        context: Context,
        on_completed: Callable[[Completed], None] | None,
    ) -> None:
        self._settings, self._args, self._on_completed = settings, args, on_completed
        self._context = Context(parent=context)
        # Threads append to these lists, which is one operation: no lock that an exception could leave acquired.
        self._completed: list[Completed] = []
        self._errors: list[Exception] = []
        self._fatal: list[BaseException] = []

    def run(self, targets: Iterable[Target]) -> list[Completed]:
        if self._settings.parallelism == 1:
            for target in targets:
                if self._context.reason is not None:
                    break
                self._one(target)
        else:
            self._side_by_side(targets)
        if self._fatal:
            raise self._fatal[0]
        reason = self._context.reason
        if reason is not None and not self._errors:
            self._errors.append(PluginFailed(f"execution stopped: {reason}"))
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            raise ExceptionGroup(f"{len(self._errors)} executions failed", self._errors)
        return self._completed

    def _side_by_side(self, targets: Iterable[Target]) -> None:
        with JobGroup(self._settings.parallelism, "plugsvc-execute", self._interrupt) as group:
            # Targets are taken as they are needed: they may come from a discovery that is still going on.
            for target in targets:
                if self._context.reason is not None:
                    break
                group.submit(partial(self._one_of_many, target))
            group.wait()

    def _interrupt(self) -> None:
        self._context.cancel("interrupted", kill=True)

    def _one(self, target: Target) -> None:
        plugin, command = target
        try:
            execution = _Execution(self._context, plugin, command, self._args, self._keep)
            execution.run(self._settings)
        except Exception as error:
            try:
                self._failed(plugin, command, error)
            except Exception as fatal:
                self._fatal.append(fatal)
                self._context.cancel("stopped by the handler")

    def _one_of_many(self, target: Target) -> None:
        if self._context.reason is not None:
            return  # stopped while it waited for room
        try:
            self._one(target)
        except BaseException as fatal:
            # SystemExit and the like out of an interceptor: raised again by the thread that called `execute`.
            self._fatal.append(fatal)
            self._context.cancel("interrupted")

    def _keep(self, completed: Completed) -> None:
        if self._on_completed is not None:
            self._on_completed(completed)
        self._completed.append(completed)

    def _failed(self, plugin: Plugin, command: Command, error: Exception) -> None:
        if self._settings.handler is not None:
            self._settings.handler(plugin, command, error)
        else:
            self._errors.append(error)


class _Execution:
    """One command of one plugin: interceptors around a bind around a process."""

    def __init__(
        self,
        context: Context,
        plugin: Plugin,
        command: Command,
        args: tuple[str, ...],
        keep: Callable[[Completed], None],
    ) -> None:
        self._context, self._plugin, self._command, self._args = context, plugin, command, args
        self._keep = keep
        self._exits: list[Exit] = []

    def run(self, settings: Settings) -> None:
        self._intercepted(settings, 0)()

    def _intercepted(self, settings: Settings, index: int) -> Next:
        """Return the `next` that goes on with the interceptor of that number, or with the process after the
        last.
        """

        def call_next(*options: Option) -> Exit:
            own = settings.apply(options)
            if index >= len(own.interceptors):
                self._exits.append(self._bound(own))
            else:
                own.interceptors[index](self._context, self._plugin, self._command, self._intercepted(own, index + 1))
            # An interceptor further in may have let nothing run; then there is nothing that could have
            # failed.
            return self._exits[-1] if self._exits else Exit(0)

        return call_next

    def _bound(self, settings: Settings) -> Exit:
        """Run the process, with its connection if there is one, and raise unless all went well.

        In a thread of its own: no exception of a signal handler can come between making a connection, starting a
        process, and whoever closes the one and ends the other.
        """
        context = Context(settings.timeout, parent=self._context)
        job = Job(partial(self._connected, settings, context), "plugsvc-execution")
        return job.call(partial(context.cancel, "interrupted", kill=True))

    def _connected(self, settings: Settings, context: Context) -> Exit:
        registry, bind = settings.registry, settings.bind
        if registry is None or bind is None:
            exit = self._process(settings, context)
            self._judge(exit, [])
            return exit
        servers: list[Server] = []

        def serve(channel: Channel) -> Server:
            try:
                server = Server(registry, channel, settings.venue, **(settings.server_limits or {}))
            except BaseException:
                channel.close()
                raise
            servers.append(server)
            server.start()
            return server

        def start(*options: Option) -> Exit:
            return self._process(settings.apply(options), context)

        try:
            exit = bind.run(context, self._plugin, self._command, serve, start)
            for server in servers:
                server.finish()
        except BaseException:
            for server in servers:
                server.close()
            raise
        for server in servers:
            if not server.wait(SETTLE_SECONDS):
                server.close()
        self._judge(exit, servers)
        return exit

    def _process(self, settings: Settings, context: Context) -> Exit:
        reason = context.reason
        if reason is not None:
            raise PluginFailed(f"{self._label()} was not started: {reason}")

        def on_start() -> None:
            for callback in settings.on_start:
                callback()

        launch = Launch(
            argv=(
                self._plugin.path,
                *self._command.path,
                *settings.prepend_args,
                *spec_args(settings.spec_flags, self._plugin, self._command),
                *self._args,
            ),
            pass_fds=settings.pass_fds,
            env=settings.env,
            cwd=settings.cwd,
            stdin=settings.stdin,
            stdout=settings.stdout,
            stderr=settings.stderr,
            on_start=on_start,
        )

        def run(launch: Launch) -> Exit:
            return run_process(launch, context, grace=settings.grace, keep=settings.keep)

        try:
            exit = run(launch) if settings.executor is None else settings.executor(launch, run)
        except OSError as error:
            raise PluginFailed(f"{self._label()} cannot be started: {error.strerror or error}") from error
        if not isinstance(exit, Exit):
            raise RegistrationError(f"the executor {settings.executor!r} returned {exit!r} instead of an Exit")
        return exit

    def _judge(self, exit: Exit, servers: list[Server]) -> None:
        broken = next((server.error for server in servers if server.error is not None), None)
        if broken is not None and not isinstance(broken, ProtocolError):
            raise broken
        if exit.ok and broken is None:
            stdout, stderr = (data.decode("utf-8", "replace") for data in (exit.stdout, exit.stderr))
            self._keep(Completed(self._plugin, self._command, stdout, stderr))
            return
        text = f"{self._label()} {exit.describe()}"
        if exit.stopped is not None:
            text = f"{self._label()} was stopped ({exit.stopped}) and {exit.describe()}"
        if broken is not None:
            text += f", after {broken}"
        raise PluginFailed(
            text + last_line(exit),
            status=exit.status,
            signal=exit.signal,
            stderr=exit.stderr.decode("utf-8", "replace"),
        ) from broken

    def _label(self) -> str:
        return printable(" ".join(["plugin", self._plugin.name, *self._command.path]))
