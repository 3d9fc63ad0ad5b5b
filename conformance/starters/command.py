"""The command ``plugsvc-conformance init``: write a starting project for a testee."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from conformance.outcomes import ExitCode
from conformance.starters.languages import LANGUAGES
from conformance.starters.project import StarterError, write


@click.command()
@click.argument("language", metavar="LANG", type=click.Choice(list(LANGUAGES)))
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--example", is_flag=True, help="Put in a small implementation of the protocol, which conforms.")
def init(language: str, folder: Path, example: bool) -> None:
    """Write a project for a testee in LANG into the folder DIR.

    LANG is one of python, rust, java, go, typescript and c. The project keeps the testee contract and declares
    nothing; marked places show where an implementation is put in.
    """
    chosen = LANGUAGES[language]
    try:
        files = write(chosen, folder, example=example)
    except StarterError as error:
        click.echo(f"plugsvc-conformance: {error}", err=True)
        sys.exit(ExitCode.USAGE)
    click.echo(f"wrote {len(files)} files of a {chosen.title} project to {folder}\n\nnext:")
    steps = [f"cd {shlex.quote(str(folder))}", chosen.build, f'plugsvc-conformance run --testee "{chosen.command}"']
    for step in filter(None, steps):
        click.echo(f"  {step}")
    click.echo(
        "\nREADME.md says where your implementation goes." if not example else "\nREADME.md explains the example."
    )
