"""The command `plugsvc`, for people who write plugins or want to know what a plugin is.

    plugsvc info PLUGIN              print the manifest of a plugin, as JSON
    plugsvc discover DIRECTORY       list the plugins below a directory
    plugsvc exec PLUGIN [ARG...]     execute a plugin's commands, with the services of a registry or none
    plugsvc record -- PLUGIN [ARG..] run a plugin for its host, and record what the two say to each other
    plugsvc show RECORDING           list what a recording holds

Exit status: 0 success; 1 a plugin failed, was refused, or none was found; 2 the command line makes no sense;
130 Ctrl-C. After SIGTERM and SIGHUP the command stops the plugins that it runs, and ends by the same signal.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from .errors import PlugsvcError

if TYPE_CHECKING:
    from types import FrameType

    import click

    from .host.context import Context
    from .host.launch import OutputTarget
    from .host.registry import Registry

__all__ = ["main"]

FAILED = 1
USAGE = 2
INTERRUPTED = 130


def main(argv: list[str] | None = None) -> NoReturn:
    """Run the command and exit."""
    try:
        import click
    except ImportError:
        print("plugsvc: the package click is missing; install plugsvc[commands]", file=sys.stderr)
        sys.exit(USAGE)
    try:
        # Not `main`, which makes Ctrl-C two lines.
        group = _group()
        with group.make_context("plugsvc", list(sys.argv[1:] if argv is None else argv)) as context:
            group.invoke(context)
    except click.UsageError as error:
        hint = f" (see {error.ctx.command_path} --help)" if error.ctx is not None else ""
        _exit(error.format_message() + hint, USAGE)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _exit(error.format_message(), USAGE)
    except (click.Abort, KeyboardInterrupt):
        _exit("interrupted", INTERRUPTED)
    except ExceptionGroup as group:
        for each in group.exceptions:
            print(_line(str(each)), file=sys.stderr)
        sys.exit(FAILED)
    except PlugsvcError as error:
        _exit(str(error), FAILED)
    except BrokenPipeError:
        # Whoever reads our output has seen enough; nothing more must be written at exit.
        from .openers.descriptors import open_path

        os.dup2(open_path(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    sys.exit(0)


@contextmanager
def _stoppable() -> Iterator[Context]:
    """While the block runs, SIGTERM and SIGHUP cancel its context; then the command ends by that signal."""
    from .host.context import Context

    context = Context()
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(number)
        context.cancel(signal.Signals(number).name)

    previous = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
    for each, handler in previous.items():
        if handler is not signal.SIG_IGN:  # as nohup does with SIGHUP
            signal.signal(each, stop)
    try:
        yield context
    finally:
        for each, handler in previous.items():
            signal.signal(each, handler)
        if received:
            sys.stdout.flush()
            signal.signal(received[0], signal.SIG_DFL)
            os.kill(os.getpid(), received[0])


def _line(text: str) -> str:
    from .host.printable import printable

    return "plugsvc: " + printable(" ".join(text.split()))


def _exit(text: str, status: int) -> NoReturn:
    print(_line(text), file=sys.stderr)
    sys.exit(status)


def _group() -> click.Group:
    import click

    @click.group(no_args_is_help=False)
    @click.version_option(package_name="plugsvc")
    def plugsvc() -> None:
        """Find, inspect and execute plugins.

        Exit status: 0 success; 1 a plugin failed, was refused, or none was found; 2 the command line makes no
        sense; 130 interrupted.
        """

    seconds = click.FloatRange(min=0, min_open=True)

    @plugsvc.command()
    @click.argument("plugin")
    @click.option("--timeout", type=seconds, default=10.0, show_default=True, help="Seconds that the plugin may take.")
    def info(plugin: str, timeout: float) -> None:
        """Print the manifest of PLUGIN, an executable, as JSON."""
        import msgspec

        from .host.plugin import new_plugin

        with _stoppable() as context:
            found = new_plugin(plugin, timeout=timeout, context=context)
        click.echo(msgspec.json.format(msgspec.json.encode(found.manifest), indent=2))

    @plugsvc.command()
    @click.argument("directory")
    @click.option("--glob", "patterns", multiple=True, metavar="PATTERN", help="Look only at files that match.")
    @click.option("--timeout", type=seconds, default=10.0, show_default=True, help="Seconds that a plugin may take.")
    @click.option("--quiet", is_flag=True, help="Say nothing about executables that are not plugins.")
    def discover(directory: str, patterns: tuple[str, ...], timeout: float, quiet: bool) -> None:
        """List the plugins below DIRECTORY: name, version, path and commands, separated by tabs.

        Characters that are not printable are shown as escapes.
        """
        from .host.discovery import discover_plugins
        from .host.printable import printable

        def refuse(path: str, error: Exception) -> None:
            if not quiet:
                print(_line(str(error)), file=sys.stderr)

        with _stoppable() as context:
            found = discover_plugins(directory, glob=patterns, handler=refuse, timeout=timeout, context=context)
        for each in found:
            commands = ", ".join(" ".join(command.path) for command in each.commands)
            click.echo("\t".join(map(printable, (each.name, each.manifest.version, each.path, commands))))
        if not found:
            _exit(f"no plugin found in {directory}", FAILED)

    @plugsvc.command(name="exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
    @click.option("--module", metavar="MODULE:NAME", help="Offer this registry, or what this function returns.")
    @click.option("--bind", metavar="NAME", help="How the plugin is connected, such as unix; mostly inherited pipes.")
    @click.option("--command", metavar="PATH", help="Only this command of the plugin; words separated by spaces.")
    @click.option("--type", "type_", metavar="TYPE", help="Only commands of this type.")
    @click.option("--timeout", type=seconds, help="Seconds that a command may take.")
    @click.argument("plugin")
    @click.argument("args", nargs=-1, type=click.UNPROCESSED)
    def execute_(
        module: str | None,
        bind: str | None,
        command: str | None,
        type_: str | None,
        timeout: float | None,
        plugin: str,
        args: tuple[str, ...],
    ) -> None:
        """Execute the commands of PLUGIN with ARGS, one after the other."""
        from .host.binds import BINDS, bind_of
        from .host.execution import execute, iterate_all
        from .host.plugin import new_plugin

        if bind is not None and bind not in BINDS:
            raise click.UsageError(f"unknown bind {bind!r}; there are {', '.join(BINDS)}")
        registry = _registry(module)
        # Over shm a plugin can kill its host, which is this command and nothing else.
        binding = registry.bind(*([] if bind is None else [bind_of(bind, trusted=True)]))
        # With the bind stdio, standard output is the connection.
        stdout: OutputTarget = "capture" if bind == "stdio" else "inherit"
        with _stoppable() as context:
            found = new_plugin(plugin, context=context)
            targets = [
                target
                for target in iterate_all([found])
                if (command is None or target[1].path == tuple(command.split()))
                and (type_ is None or target[1].type == type_)
            ]
            if not targets:
                _exit(f"{plugin} has no such command", FAILED)
            execute(targets, args, bind=binding, stdout=stdout, stderr="inherit", timeout=timeout, context=context)

    from .recorder.command import record_command, show_command

    plugsvc.add_command(record_command)
    plugsvc.add_command(show_command)
    return plugsvc


def _registry(module: str | None) -> Registry:
    """Return the registry that `--module` names, an empty one without it."""
    import click

    from .host.registry import Registry

    if module is None:
        return Registry()
    import importlib

    name, _, attribute = module.partition(":")
    if not name or not attribute:
        raise click.UsageError(f"--module {module!r} is not of the form MODULE:NAME")
    # As `python -m` does: a module beside the person who types the command.
    sys.path.insert(0, "")
    try:
        found: object = importlib.import_module(name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise click.UsageError(f"--module {module}: {error}") from error
    if not isinstance(found, Registry) and callable(found):
        found = found()
    if not isinstance(found, Registry):
        raise click.UsageError(f"--module {module} is {found!r}, not a Registry")
    return found


if __name__ == "__main__":
    main()
