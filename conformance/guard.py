"""Runs a command so that whatever goes wrong is one line on standard error and a documented exit status."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import click
from rich.console import Console

from conformance.outcomes import ExitCode

NAME = "plugsvc-conformance"
COMPLETION = "_PLUGSVC_CONFORMANCE_COMPLETE"
"""The variable by which a shell asks for completions."""
INTERRUPTED = 130


def run_guarded(load: Callable[[], click.Command]) -> NoReturn:
    """Load a command and run it with the arguments of this process, and end the process with its status.

    Nothing but the command itself ends it with 0 or 1.
    """
    open_standard_streams()
    status = _status(load)
    problem = _flush(sys.stdout)
    if problem:
        status = _report(f"standard output: {problem}", ExitCode.CANNOT_RUN)
    _flush(sys.stderr)
    sys.exit(status)


class GuardedConsole(Console):
    """A console that does not end the process by itself when nobody reads its output."""

    def on_broken_pipe(self) -> None:
        """Let the error go on; it is being handled when this is called."""
        raise  # noqa: PLE0704


def open_standard_streams() -> None:
    """Open the null device for each standard stream that is closed: another file would get its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def _status(load: Callable[[], click.Command]) -> int:
    try:
        os.getcwd()
    except OSError as error:
        return _report(f"the working folder: {error.strerror}", ExitCode.CANNOT_RUN)
    try:
        command = load()
        if COMPLETION in os.environ:
            command.main(prog_name=NAME)
        # Not by `click.Command.main`: it ends the process with 1 when nobody reads the output.
        with command.make_context(NAME, sys.argv[1:]) as context:
            command.invoke(context)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _report("interrupted", INTERRUPTED)
    except BrokenPipeError as error:
        _give_up(sys.stdout)
        return _report(f"standard output: {error.strerror}", ExitCode.CANNOT_RUN)
    except Exception as error:
        return _report(_describe(error), ExitCode.CANNOT_RUN)
    return ExitCode.CONFORMS


def _describe(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())
    return f"unexpected {type(error).__name__}: {text} (at {os.path.basename(last.filename)}:{last.lineno})"


def _report(message: str, status: int) -> int:
    try:
        click.echo(f"{NAME}: {message}".encode("utf-8", "backslashreplace").decode(), err=True)
    except OSError:
        pass  # standard error cannot be written either; the status remains
    return status


def _flush(stream: Any) -> str:
    """Write what is left of a stream; if that fails, give it up, so that it does not fail again at the very end."""
    try:
        stream.flush()
    except OSError as error:
        _give_up(stream)
        return error.strerror or str(error)
    return ""


def _give_up(stream: Any) -> None:
    """Let a stream lead nowhere: what is left in it, and what is still written, is dropped."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
