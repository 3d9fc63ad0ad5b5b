"""The command ``plugsvc-conformance interop``."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from conformance.drive.capabilities import TesteeError, load
from conformance.interop.interop import NOT_OFFERED, SCHEMES, WORKS, Cell, cells
from conformance.outcomes import ExitCode

REFERENCE = shlex.join([sys.executable, "-P", "-m", "conformance.reference"])


@click.command()
@click.option("--testee", "testees", multiple=True, metavar="CMD", help="Command of a testee (default: the reference).")
@click.option("--transport", "transports", multiple=True, type=click.Choice(list(SCHEMES)), help="These only.")
@click.option("--recorder", metavar="CMD", help="What records (default: `plugsvc record`, if it is installed).")
@click.option("--timeout", type=click.FloatRange(1), default=60.0, show_default=True, help="Seconds for one pair.")
@click.option("--json", "json_file", metavar="F", help="Write the cells as JSON.")
@click.option("--markdown", "markdown_file", metavar="F", help="Write the tables as Markdown.")
def interop(
    testees: tuple[str, ...],
    transports: tuple[str, ...],
    recorder: str | None,
    timeout: float,
    json_file: str | None,
    markdown_file: str | None,
) -> None:
    """Let every host run every plugin over every transport that both have, and say who works with whom.

    Exit status: 0 everything that is offered works; 1 something fails; 2 usage; 3 a testee could not be run; 4 no pair.
    """
    try:
        loaded = [load(command) for command in testees or (REFERENCE,)]
    except TesteeError as error:
        click.echo(f"plugsvc-conformance: {error}", err=True)
        sys.exit(ExitCode.CANNOT_RUN)
    found: list[Cell] = []
    for cell in cells(loaded, _recorder(recorder), timeout=timeout, only=transports):
        found.append(cell)
        if cell.outcome != NOT_OFFERED:
            click.echo(
                f"{cell.host} with {cell.plugin} over {cell.transport}: {cell.outcome} {cell.why}".rstrip(), err=True
            )
    click.echo("\n".join(table(found)))
    if json_file:
        Path(json_file).write_text(json.dumps([cell.to_json() for cell in found], indent=2) + "\n", encoding="utf-8")
    if markdown_file:
        Path(markdown_file).write_text("\n".join(page(found)) + "\n", encoding="utf-8")
    tried = [cell for cell in found if cell.outcome != NOT_OFFERED]
    if not tried:
        sys.exit(ExitCode.NOTHING_RUN)
    sys.exit(ExitCode.CONFORMS if all(cell.outcome == WORKS for cell in tried) else ExitCode.NONCONFORMING)


def _recorder(command: str | None) -> list[str]:
    if command is not None:
        return shlex.split(command)
    beside = Path(sys.executable).with_name("plugsvc")
    path = str(beside) if beside.exists() else shutil.which("plugsvc")
    return [path, "record"] if path else []


def table(found: Sequence[Cell]) -> list[str]:
    """One row for each pair, one column for each transport, as a table in Markdown."""
    transports = [name for name in SCHEMES if any(cell.transport == name for cell in found)]
    pairs = list(dict.fromkeys((cell.host, cell.plugin) for cell in found))
    outcomes = {(cell.host, cell.plugin, cell.transport): cell.outcome for cell in found}
    lines = [f"| host | plugin | {' | '.join(transports)} |", "|---" * (len(transports) + 2) + "|"]
    for host, plugin in pairs:
        row = [outcomes[host, plugin, transport] for transport in transports]
        lines.append(f"| {host} | {plugin} | {' | '.join(row)} |")
    return lines


def page(found: Sequence[Cell]) -> list[str]:
    """The page of the documentation: the table, and why what fails does."""
    steps = max((cell.steps for cell in found), default=0)
    lines = [
        "# Who works with whom",
        "",
        "Made by `plugsvc-conformance interop --markdown docs/interop.md`; do not edit. Each host runs each plugin over"
        f" each of these transports that both have. They have a conversation of up to {steps} steps: lookups, calls"
        " with values of several types, errors, a panic, an undefined service, inherited namespaces, large messages in"
        " both directions, calls at the same time, and an orderly end. The recorder is between the two, and the"
        " [judge](traffic.md#the-judge) says whose fault a failure is.",
        "",
        *table(found),
    ]
    failures = [cell for cell in found if cell.outcome not in (WORKS, NOT_OFFERED)]
    if failures:
        lines += ["", "## What fails", "", "| host | plugin | transport | outcome | why |", "|---|---|---|---|---|"]
        for cell in failures:
            why = cell.why.replace("|", "\\|").replace("\n", " ")
            lines.append(f"| {cell.host} | {cell.plugin} | {cell.transport} | {cell.outcome} | {why} |")
    seen = {
        (cell.host if each["side"] == "host" else cell.plugin, each["side"], each["requirement"], each["what"])
        for cell in found
        for each in cell.violations
    }
    if seen:
        lines += ["", "## What the judge saw", "", "| who | as | requirement | what |", "|---|---|---|---|"]
        for who, side, requirement, what in sorted(seen):
            lines.append(f"| {who} | {side} | {requirement} | {what.replace('|', chr(92) + '|')} |")
    return lines
