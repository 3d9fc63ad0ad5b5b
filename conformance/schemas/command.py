"""The command ``plugsvc-conformance schema``."""

from __future__ import annotations

import json

import click

from conformance.schemas.catalogue import SCHEMAS, schema as schema_of


@click.command()
@click.argument("name", required=False, type=click.Choice(list(SCHEMAS)))
def schema(name: str | None) -> None:
    """Print the JSON Schema of NAME; without NAME, list the names."""
    if name is None:
        for each, (title, _) in SCHEMAS.items():
            click.echo(f"{each:12} {title}")
    else:
        click.echo(json.dumps(schema_of(name), indent=2))
