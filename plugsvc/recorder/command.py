"""The commands `plugsvc record` and `plugsvc show`."""

from __future__ import annotations

import click

from ..errors import PlugsvcError
from ..host.binds import BINDS
from ..host.printable import printable
from .record import CannotStart, record, say
from .recording import read_recording
from .show import WIDTH, show_lines
from .stand_ins import wrap

__all__ = ["record_command", "show_command"]

DEFAULT_FILE = "recording.jsonl"


@click.command(name="record", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    "-o", "--output", default=DEFAULT_FILE, show_default=True, metavar="F", help="Append the recording to it."
)
@click.option("--transport", metavar="NAME", help="Connect the plugin by this bind, not as its host offers it.")
@click.option("--wrap", "folder", metavar="DIR", help="Make stand-ins for the plugins of DIR, see --to.")
@click.option("--to", "target", metavar="NEW", help="Where --wrap puts the stand-ins.")
@click.argument("plugin", nargs=-1, type=click.UNPROCESSED)
def record_command(
    output: str, transport: str | None, folder: str | None, target: str | None, plugin: tuple[str, ...]
) -> None:
    """Run PLUGIN [ARG...] as its host would, and record what the two say to each other.

    The exit status is the plugin's; 127 and 126 where it cannot be started.
    """
    if transport is not None and transport not in BINDS:
        raise click.UsageError(f"unknown transport {transport!r}; there are {', '.join(BINDS)}")
    if (folder is None) != (target is None):
        raise click.UsageError("--wrap and --to go together")
    if folder is not None and target is not None:
        if plugin:
            raise click.UsageError("--wrap takes no plugin")
        for path in wrap(folder, target, output, transport, lambda path, error: say(printable(str(error)))):
            click.echo(path)
        return
    if not plugin:
        raise click.UsageError("no plugin; say plugsvc record -- PLUGIN [ARG...]")
    try:
        record(plugin, output, transport)
    except CannotStart as error:
        say(printable(str(error)))
        raise click.exceptions.Exit(error.status)
    except OSError as error:
        raise PlugsvcError(f"cannot connect the plugin: {error.strerror or error}") from error


@click.command(name="show")
@click.argument("recording")
@click.option("--full", is_flag=True, help="Do not cut long lines.")
def show_command(recording: str, full: bool) -> None:
    """List what a recording holds: time, direction, message; of each reply also what it answers, and after how long."""
    for line in show_lines(read_recording(recording), width=None if full else WIDTH):
        click.echo(line)
