"""What several commands share: the options that choose cases, and how a command fails with one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from conformance.case import catalogue
from conformance.drive.transports import TRANSPORTS
from conformance.requirements import SIDE_NAMES, Side

F = TypeVar("F", bound=Callable[..., Any])

_WAYS = (
    "Every case over this transport, or over every one: all. By default every case over the first transport, and a"
    " selection over the others."
)
_SCHEMES = ", ".join(TRANSPORTS)


def fail(message: str, code: int) -> int:
    """Print a line on standard error; returns the exit status."""
    click.echo(f"plugsvc-conformance: {message}", err=True)
    return code


def complete_case(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """The cases that begin so, for the completion of a shell."""
    return [case_id for case in catalogue().values() for case_id in case.ids if case_id.startswith(incomplete)]


def selection(command: F) -> F:
    """The options that choose cases."""
    for option in reversed(
        [
            click.option(
                "--side",
                type=click.Choice(SIDE_NAMES),
                callback=lambda _context, _option, side: side and Side(side).value,
                help="Cases of one side only; panic is another word for misuse.",
            ),
            click.option("--scheme", "schemes", multiple=True, metavar="S", help=f"{_WAYS} Of plugins: {_SCHEMES}."),
            click.option("--bind", "binds", multiple=True, metavar="B", help=f"{_WAYS} Of hosts: what they declare."),
            click.option(
                "--case",
                "cases",
                multiple=True,
                metavar="GLOB",
                help="These cases only.",
                shell_complete=complete_case,
            ),
            click.option(
                "--skip",
                "skips",
                multiple=True,
                metavar="GLOB",
                help="Leave these cases out.",
                shell_complete=complete_case,
            ),
            click.option(
                "--level", type=click.Choice(["MUST", "SHOULD", "MAY"]), default="MAY", help="This level and stricter."
            ),
            click.option("--generated-only", "generated_only", is_flag=True, help="The generated cases only."),
        ]
    ):
        command = option(command)
    return command
