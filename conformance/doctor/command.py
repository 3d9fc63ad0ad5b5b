"""The command ``plugsvc-conformance doctor``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from conformance.configuration import ConfigurationError, asked, find
from conformance.doctor import host_steps, misuse_steps, plugin_steps
from conformance.doctor.info import examine_info
from conformance.doctor.steps import OK, SKIPPED, WRONG, Examination, Finding, examine
from conformance.drive.contain import contained
from conformance.outcomes import ExitCode
from conformance.requirements import Side

PAGE = "docs/testee.md"
SIDES = {Side.PLUGIN: plugin_steps.STEPS, Side.HOST: host_steps.STEPS, Side.MISUSE: misuse_steps.STEPS}
STEPS = tuple(step for steps in SIDES.values() for step in steps)


def findings(command: str, timeout: float, side: Side | None = None) -> Iterator[Finding]:
    """Go through the contract with the testee of a command; ``timeout`` bounds each wait, in seconds.

    With ``side`` only the steps of that side are made.
    """
    with contained():
        testee, first = examine_info(command)
        yield first
        if testee is not None:
            yield from examine(Examination(testee, timeout), SIDES[side] if side else STEPS)


@click.command()
@click.argument("testee", required=False)
@click.option("--side", type=click.Choice([side.value for side in Side]), help="The steps of one side only.")
@click.option("--timeout", type=click.FloatRange(0.1), default=10.0, metavar="S", help="Seconds of each wait (10).")
@click.option("-q", "--quiet", is_flag=True, help="Show mistakes only.")
def doctor(testee: str | None, side: str | None, timeout: float, quiet: bool) -> None:
    """Go through the testee contract step by step, and say what TESTEE gets wrong.

    TESTEE is a command, or the name of a testee of the configuration; without it, all of those are examined.

    Exit status: 0 it keeps the contract; 1 it does not.
    """
    try:
        testees = asked([], [testee] if testee else [], find(Path.cwd()))
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from None
    if not testees:
        raise click.UsageError("name the command of a testee: there is no configuration")
    wrong = sum(show(findings(each.command, timeout, Side(side) if side else None), quiet) for each in testees)
    sys.exit(ExitCode.NONCONFORMING if wrong else ExitCode.CONFORMS)


def show(found: Iterable[Finding], quiet: bool) -> int:
    """Show each finding as it comes; returns the number of mistakes."""
    counts = {OK: 0, WRONG: 0, SKIPPED: 0}
    for finding in found:
        counts[finding.state] += 1
        if finding.state == WRONG or not quiet:
            click.echo("\n".join(lines(finding)))
    click.echo(f"{counts[OK]} steps are right, {counts[WRONG]} wrong, {counts[SKIPPED]} skipped")
    return counts[WRONG]


def lines(finding: Finding) -> list[str]:
    """A finding as lines: what was sent, what came, what is expected, and the place in the contract."""
    step = finding.step
    if finding.state == SKIPPED:
        return [f"skipped  {step.name}: {finding.problem}"]
    shown = [f"{finding.state:7}  {step.name}"]
    shown += [f"           {way}      {text}" for way, text in finding.log.lines]
    shown += [f"           expected  {step.expected}", f"           see       {PAGE}{step.place}"]
    return shown + ([f"           MISTAKE   {finding.problem}"] if finding.problem else [])
