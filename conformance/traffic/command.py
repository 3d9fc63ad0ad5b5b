"""The command ``plugsvc-conformance check``."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence

import click

from conformance.outcomes import ExitCode
from conformance.requirements import Level
from conformance.traffic.checks import TABLE
from conformance.traffic.judge import Violation, judge, not_visible
from conformance.traffic.recording import RecordingError, by_connection, read

SHOWN = 5
"""How many violations of one requirement by one side the text shows; JSON has all."""


@click.command()
@click.argument("recordings", nargs=-1, required=True, metavar="RECORDING...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@click.option("--strict", is_flag=True, help="A broken SHOULD fails the check as well.")
@click.option("--undecided", is_flag=True, help="List the requirements that no recording can show.")
def check(recordings: tuple[str, ...], as_json: bool, strict: bool, undecided: bool) -> None:
    """Judge recordings of `plugsvc record` by the requirements that can be seen from outside.

    Exit status: 0 nobody broke a MUST; 1 somebody did; 2 usage, or not a recording; 4 nothing was recorded.
    """
    try:
        judgements = [
            judge(connection, events) for path in recordings for connection, events in by_connection(read(path)).items()
        ]
    except RecordingError as error:
        click.echo(f"plugsvc-conformance: {error}", err=True)
        sys.exit(ExitCode.USAGE)
    violations = [each for judgement in judgements for each in judgement.violations]
    if as_json:
        report = {
            "connections": len(judgements),
            "messages": sum(judgement.messages for judgement in judgements),
            "violations": [each.to_json() for each in violations],
            "open": {judgement.connection: list(judgement.open) for judgement in judgements if judgement.open},
            "not_visible": not_visible(),
        }
        click.echo(json.dumps(report, indent=2))
    else:
        for judgement in judgements:
            click.echo(f"connection {judgement.connection}: {judgement.messages} messages")
            for line in _lines(judgement.violations):
                click.echo(line)
            for line in judgement.open:
                click.echo(f"   open: {line}")
        click.echo(
            f"{len(judgements)} connections, {len(violations)} violations; {len(TABLE)} rows of"
            f" requirement and side were judged, {len(not_visible())} cannot be seen from a recording"
        )
        if undecided:
            click.echo("not visible: " + ", ".join(not_visible()))
    if not judgements:
        sys.exit(ExitCode.NOTHING_RUN)
    breaches = [each for each in violations if strict or each.level is Level.MUST]
    sys.exit(ExitCode.NONCONFORMING if breaches else ExitCode.CONFORMS)


def _lines(violations: Sequence[Violation]) -> Iterator[str]:
    """The violations, the first few of each kind, and how many more there are."""
    seen: Counter[tuple[str, str]] = Counter()
    for each in violations:
        key = (each.side.value, each.requirement)
        seen[key] += 1
        if seen[key] <= SHOWN:
            yield each.render()
    for (side, requirement), count in seen.items():
        if count > SHOWN:
            yield f"             {side} broke {requirement} {count - SHOWN} more times"
