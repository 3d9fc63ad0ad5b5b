"""``plugsvc-conformance``: run the suite on testees, list and explain what it checks, measure what it catches.

Exit status: 0 the testees conform; 1 a MUST failed, or something that is known to fail passed; 2 usage; 3 a testee
could not be run, or the harness failed; 4 nothing was run; 130 interrupted.
"""

from __future__ import annotations

import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from conformance import __version__
from conformance.case import Case, catalogue, matches
from conformance.command_options import fail, selection
from conformance.configuration import ConfigurationError, find
from conformance.doctor.command import doctor
from conformance.drive.contain import contained
from conformance.guard import INTERRUPTED, run_guarded
from conformance.interop.command import interop
from conformance.mutants import (
    SEED,
    Mutant,
    MutantSetError,
    Verdict,
    load_mutants,
    try_all,
    try_mutant,
    unguarded,
    verify_tag,
)
from conformance.mutation_report import markdown, report_lines, thin_lines
from conformance.outcomes import ExitCode
from conformance.report.commands import badge, diff, report as report_command
from conformance.report.files import why_unwritable
from conformance.requirements import Requirement, all_requirements
from conformance.run_command import defaults, run
from conformance.schemas.command import schema
from conformance.settings import REFUSED, Settings
from conformance.starters.command import init
from conformance.temporary_files import TemporaryFolderError, keep_temporary_files_together
from conformance.traffic.command import check


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="plugsvc-conformance")
@click.pass_context
def main(context: click.Context) -> None:
    """Tell whether an implementation of the host-plugin service protocol is right.

    Exit status: 0 conforms; 1 a MUST failed or a known failure passed; 2 usage; 3 a testee could not be run or the
    harness failed; 4 nothing was run; 130 interrupted.
    """
    try:
        context.with_resource(keep_temporary_files_together())
    except TemporaryFolderError as error:
        sys.exit(fail(str(error), ExitCode.CANNOT_RUN))
    context.with_resource(contained())
    if context.invoked_subcommand == "run":
        try:
            found = find(Path.cwd())
            context.default_map = {"run": defaults(found)} if found else {}
        except ConfigurationError as error:
            sys.exit(fail(str(error), ExitCode.USAGE))
    for number in (signal.SIGTERM, signal.SIGHUP):
        # As Ctrl-C: what was started is ended, and what was found is shown. One that is ignored stays so (nohup).
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
            context.call_on_close(partial(signal.signal, number, signal.SIG_DFL))


@main.command("list")
@click.option("--requirements", is_flag=True, help="List the requirements instead of the cases.")
@selection
def list_(requirements: bool, **chosen: Any) -> None:
    """List the cases, or the requirements."""
    if requirements:
        for requirement in all_requirements().values():
            sides = "/".join(sorted(side.value for side in requirement.sides))
            click.echo(f"{requirement.id:7} {requirement.level:6} {sides:11} {requirement.text}")
        return
    settings = Settings(**chosen)
    try:
        settings.check([])
    except REFUSED as error:
        sys.exit(fail(str(error), ExitCode.USAGE))
    found = False
    for case in catalogue().values():
        for case_id in case.ids:
            if settings.selects(case, case_id):
                found = True
                click.echo(f"{case_id:60} {case.level:6} {' '.join(case.requirements)}")
    if not found:
        sys.exit(fail("the selection leaves no case", ExitCode.NOTHING_RUN))


@main.command()
@click.argument("name", metavar="ID")
def explain(name: str) -> None:
    """Explain a requirement (FRM-01) or a case (plugin/framing/split-at-every-byte)."""
    requirement = all_requirements().get(name.upper())
    case = catalogue().get(name.partition("[")[0])
    if requirement is not None:
        _explain_requirement(requirement)
    elif case is not None:
        _explain_case(case)
    else:
        sys.exit(fail(f"{name}: no such requirement or case (`plugsvc-conformance list` names them)", ExitCode.USAGE))


def _explain_requirement(requirement: Requirement) -> None:
    click.echo(f"{requirement.id} ({requirement.group}), {requirement.level}, {requirement.source}")
    click.echo(f"concerns: {', '.join(sorted(side.value for side in requirement.sides))}")
    click.echo(f"\n{requirement.text}\n")
    cases = [case for case in catalogue().values() if requirement.id in case.requirements]
    for case in cases:
        click.echo(f"checked by {case.id}" + (f" ({len(case.each)} variants)" if case.each else ""))
    if not cases:
        click.echo(f"not checked: {requirement.uncased or 'no case yet'}")


def _explain_case(case: Case) -> None:
    click.echo(f"{case.id} ({case.level}, {case.side} side)\n\n{case.doc}\n")
    known = all_requirements()
    for id_ in case.requirements:
        click.echo(f"{id_} {known[id_].text}")
    for case_id in case.ids if case.each else ():
        click.echo(f"variant {case_id}")


@main.command()
@click.option(
    "--set", "folder", type=click.Path(file_okay=False), default="fixtures/mutants", show_default=True, metavar="DIR"
)
@click.option("--only", multiple=True, metavar="GLOB", help="These mutants only.")
@click.option("-n", "workers", type=click.IntRange(1), metavar="N", help="Mutants at a time (default: one a core).")
@click.option("--timeout", type=click.FloatRange(0.1), default=4.0, show_default=True, metavar="S")
@click.option("--seed", type=int, default=SEED, show_default=True, metavar="N", help="Seed of the generated cases.")
@click.option("--quick", is_flag=True, help="Stop at the first case that catches a mutant; say nothing of the others.")
@click.option("--verify-tags", is_flag=True, help="Check the tags instead: all other cases pass on a tagged mutant.")
@click.option("--table", metavar="F", help="Write the score as a table in Markdown.")
def mutants(
    folder: str,
    only: tuple[str, ...],
    workers: int | None,
    timeout: float,
    seed: int,
    quick: bool,
    verify_tags: bool,
    table: str | None,
) -> None:
    """Measure what the suite catches: testees with one defect each.

    Exit status: 0 every mutant was caught by the requirement it names, and every MUST has one (with
    --verify-tags: nothing else finds what is tagged); 1 otherwise; 2 usage.
    """
    try:
        everything = load_mutants(Path(folder))
    except MutantSetError as error:
        sys.exit(fail(str(error), ExitCode.USAGE))
    for pattern in only:
        if not any(matches(pattern, mutant.id) for mutant in everything):
            sys.exit(fail(f"--only {pattern}: no such mutant", ExitCode.USAGE))
    problem = why_unwritable(table)
    if problem:
        sys.exit(fail(f"--table {table}: {problem}", ExitCode.USAGE))
    chosen = [m for m in everything if not only or any(matches(pattern, m.id) for pattern in only)]
    try:
        if verify_tags:
            sys.exit(_verify_tags([mutant for mutant in chosen if mutant.tag], workers, timeout, seed))
        verdicts = try_all(chosen, try_mutant, workers=workers, timeout=timeout, told=_tell, seed=seed, stop=quick)
    except KeyboardInterrupt:
        sys.exit(fail("interrupted", INTERRUPTED))
    click.echo("\n" + "\n".join(report_lines(verdicts)))
    if not quick and not only:
        click.echo("\n".join(thin_lines(verdicts)))
    if table:
        Path(table).write_text("\n".join(markdown(verdicts)) + "\n", encoding="utf-8")
    gaps = [] if only else unguarded(everything)
    for id_, side in gaps:
        click.echo(f"no mutant breaks {id_} on the {side} side")
    sys.exit(ExitCode.NONCONFORMING if gaps or not all(v.killed for v in verdicts) else ExitCode.CONFORMS)


def _tell(verdict: Verdict) -> None:
    mark = "caught  " if verdict.killed else "SURVIVED"
    by = ", ".join(case for cases in verdict.caught.values() for case in cases[:1])
    click.echo(f"{mark} {verdict.mutant.id}: {verdict.problem or by or verdict.mutant.what}")


def _verify_tags(marked: list[Mutant], workers: int | None, timeout: float, seed: int) -> ExitCode:
    if not marked:
        return ExitCode(fail("no mutant of these is marked", ExitCode.NOTHING_RUN))

    def told(verdict: Verdict) -> None:
        mutant, found = verdict.mutant, verdict.failed
        rest = f"{len(verdict.ran)} other cases pass"
        others = ", ".join(f"{case} ({message})" for case, message in found.items())
        says = verdict.problem or (f"also found by {others}" if found else rest)
        click.echo(f"{'WRONG ' if found or verdict.problem else 'holds '} only {mutant.tag}: {mutant.id}: {says}")

    verdicts = try_all(marked, verify_tag, workers=workers, timeout=timeout, told=told, seed=seed)
    wrong = any(verdict.failed or verdict.problem for verdict in verdicts)
    return ExitCode.NONCONFORMING if wrong else ExitCode.CONFORMS


for command in (run, doctor, init, report_command, diff, badge, schema, check, interop):
    main.add_command(command)

if __name__ == "__main__":
    run_guarded(lambda: main)
