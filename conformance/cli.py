"""``plugsvc-conformance``: run the suite on testees, list and explain what it checks, measure what it catches.

Exit status: 0 the testees conform; 1 a MUST failed, or something that is known to fail passed; 2 usage; 3 a testee
could not be run, or the harness failed; 4 nothing was run; 130 interrupted.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from conformance import __version__
from conformance.case import Case, catalogue, matches
from conformance.doctor.command import doctor
from conformance.drive.capabilities import TesteeError
from conformance.drive.contain import contained
from conformance.drive.transports import TRANSPORTS
from conformance.fuzz.engine import CAMPAIGN
from conformance.guard import INTERRUPTED, GuardedConsole, run_guarded
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
from conformance.plan import make_plan
from conformance.pytest_process import PytestProcessError, start_pytest
from conformance.report.commands import badge, diff, report as report_command
from conformance.report.files import why_unwritable, write_json
from conformance.report.live import Live, show_end
from conformance.report.nothing_run import nothing_run_lines
from conformance.requirements import SIDE_NAMES, Requirement, Side, all_requirements
from conformance.results import Row, report
from conformance.schemas.command import schema
from conformance.settings import REFUSED, Settings
from conformance.starters.command import init
from conformance.temporary_files import TemporaryFolderError, keep_temporary_files_together
from conformance.traffic.command import check

F = TypeVar("F", bound=Callable[..., Any])
PARALLEL_FROM = 40
"""Below so many cases, starting workers costs more than it saves."""


_WAYS = (
    "Every case over this transport, or over every one: all. By default every case over the first transport, and a"
    " selection over the others."
)
_SCHEMES = ", ".join(TRANSPORTS)


def _fail(message: str, code: int) -> int:
    click.echo(f"plugsvc-conformance: {message}", err=True)
    return code


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
        sys.exit(_fail(str(error), ExitCode.CANNOT_RUN))
    context.with_resource(contained())
    for number in (signal.SIGTERM, signal.SIGHUP):
        # As Ctrl-C: what was started is ended, and what was found is shown. One that is ignored stays so (nohup).
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
            context.call_on_close(partial(signal.signal, number, signal.SIG_DFL))


def _selection(command: F) -> F:
    """The options that choose cases, shared by the commands that run some."""
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
            click.option("--case", "cases", multiple=True, metavar="GLOB", help="These cases only."),
            click.option("--skip", "skips", multiple=True, metavar="GLOB", help="Leave these cases out."),
            click.option(
                "--level", type=click.Choice(["MUST", "SHOULD", "MAY"]), default="MAY", help="This level and stricter."
            ),
            click.option("--generated-only", "generated_only", is_flag=True, help="The generated cases only."),
        ]
    ):
        command = option(command)
    return command


@main.command()
@click.option("--testee", "testees", multiple=True, metavar="CMD", help="Command of a testee (default: the reference).")
@_selection
@click.option("--known-failures", multiple=True, metavar="F", help="File of failures that are known.")
@click.option("--profile", type=click.Choice(["quick", "default", "campaign"]), default="default", show_default=True)
@click.option("--examples", type=click.IntRange(1), metavar="N", help="Generated examples a case.")
@click.option("--seed", type=int, metavar="N", help="Seed of what is generated (default: drawn, and printed).")
@click.option(
    "--max-time", "max_time", type=click.FloatRange(0, min_open=True), metavar="H", help="Time of a campaign, in all."
)
@click.option("--shards", type=click.IntRange(1), metavar="N", help="Shards of each generated case.")
@click.option("--replay", metavar="EXAMPLE", help="Run exactly this generated example, as a failure names it.")
@click.option("--regressions", multiple=True, metavar="DIR", help="Run these saved examples first.")
@click.option("--save-regressions", metavar="DIR", help="Run these saved examples first, and save there what fails.")
@click.option("--database", metavar="D", help="Folder or redis:// URL of examples that have failed, shared by runs.")
@click.option("--resume", metavar="DIR", help="Keep the progress of a campaign there, and go on with it.")
@click.option("-n", "workers", default="", metavar="N|auto", help="Processes (default: one a core for long runs).")
@click.option("--json", "json_file", metavar="F", help="Write the JSON report.")
@click.option("--junit", "junit_file", metavar="F", help="Write a JUnit report.")
@click.option("--timeout", type=click.FloatRange(0.1), default=10.0, metavar="S", help="Timeout of each wait (10 s).")
@click.option("--scale", type=click.FloatRange(0.001, 100), default=1.0, metavar="X", help="Sizes of large cases (1).")
@click.option("--strict", is_flag=True, help="A failed SHOULD fails the run as well.")
def run(testees: tuple[str, ...], workers: str, json_file: str | None, junit_file: str | None, **chosen: Any) -> None:
    """Run the suite on the testees, side by side."""
    try:
        sys.exit(_run(testees, workers, json_file, junit_file, chosen))
    except KeyboardInterrupt:
        sys.exit(_fail("interrupted", INTERRUPTED))


def _run(
    testees: tuple[str, ...], workers: str, json_file: str | None, junit_file: str | None, chosen: dict[str, Any]
) -> int:
    if workers not in ("", "auto") and not workers.isdecimal():
        return _fail(f"-n {workers}: expected a number of processes, or auto", ExitCode.USAGE)
    for option, file in (("--json", json_file), ("--junit", junit_file)):
        problem = why_unwritable(file)
        if problem:
            return _fail(f"{option} {file}: {problem}", ExitCode.USAGE)
    many = processes(workers)
    shards = chosen.pop("shards") or (many if chosen["profile"] == CAMPAIGN else 1)
    try:
        plan = make_plan(Settings(**chosen, shards=shards, workers=many), testees)
    except REFUSED as error:
        return _fail(str(error), ExitCode.USAGE)
    except TesteeError as error:
        return _fail(str(error), ExitCode.CANNOT_RUN)
    total = plan.rows()
    if total == 0:
        return _fail("nothing to run: the selection leaves no case for these testees", ExitCode.NOTHING_RUN)
    console = GuardedConsole(width=None if sys.stdout.isatty() else 160)
    for testee in plan.testees:
        console.print(f"testee {testee.name}: {testee.command}", markup=False, highlight=False, soft_wrap=True)
    click.echo(f"seed: {plan.settings.seed}")
    found: dict[tuple[str, str, str], Row] = {}
    extra = [f"--junitxml={os.path.abspath(junit_file)}"] if junit_file else []
    if plan.settings.profile == CAMPAIGN:  # its cases are few, and each takes long: they are handed out one by one
        workers = str(many if many > 1 else 0)
        extra += ["--maxschedchunk=1"] if many > 1 else []
    workers = workers or ("auto" if total >= PARALLEL_FROM and (os.cpu_count() or 1) > 1 else "0")
    try:
        with start_pytest(plan, workers=workers, extra=extra) as process, Live(console, total) as live:
            for data in process:
                row = Row(**data)
                found[row.key] = row  # a second one is worse, and comes when something fails after the case
                live.row(row)
            code = process.exit_code()
            if len(found) != total:
                raise PytestProcessError(f"{len(found)} of {total} cases were reported\n{process.printed()}")
    except PytestProcessError as error:
        return _fail(f"the harness failed: {error}", ExitCode.CANNOT_RUN)
    except KeyboardInterrupt:
        show_end(console, list(found.values()), failures=False)
        return _fail(f"interrupted after {len(found)} of {total} cases", INTERRUPTED)
    rows = sorted(found.values(), key=lambda row: (row.testee, row.side, row.scheme, row.case))
    show_end(console, rows)
    if code == ExitCode.NOTHING_RUN:
        click.echo("\n".join(nothing_run_lines(plan.testees)))
    if json_file:
        problem = write_json(json_file, report(rows, plan.testees, exit_code=code, seed=plan.settings.seed))
        if problem:
            return _fail(f"--json {json_file}: {problem}", ExitCode.CANNOT_RUN)
    return code


def processes(workers: str) -> int:
    """How many processes ``-n`` means; without it as many as a long run gets."""
    return int(workers) or 1 if workers.isdecimal() else os.cpu_count() or 1


@main.command("list")
@click.option("--requirements", is_flag=True, help="List the requirements instead of the cases.")
@_selection
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
        sys.exit(_fail(str(error), ExitCode.USAGE))
    found = False
    for case in catalogue().values():
        for case_id in case.ids:
            if settings.selects(case, case_id):
                found = True
                click.echo(f"{case_id:60} {case.level:6} {' '.join(case.requirements)}")
    if not found:
        sys.exit(_fail("the selection leaves no case", ExitCode.NOTHING_RUN))


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
        sys.exit(_fail(f"{name}: no such requirement or case (`plugsvc-conformance list` names them)", ExitCode.USAGE))


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
        sys.exit(_fail(str(error), ExitCode.USAGE))
    for pattern in only:
        if not any(matches(pattern, mutant.id) for mutant in everything):
            sys.exit(_fail(f"--only {pattern}: no such mutant", ExitCode.USAGE))
    problem = why_unwritable(table)
    if problem:
        sys.exit(_fail(f"--table {table}: {problem}", ExitCode.USAGE))
    chosen = [m for m in everything if not only or any(matches(pattern, m.id) for pattern in only)]
    try:
        if verify_tags:
            sys.exit(_verify_tags([mutant for mutant in chosen if mutant.tag], workers, timeout, seed))
        verdicts = try_all(chosen, try_mutant, workers=workers, timeout=timeout, told=_tell, seed=seed, stop=quick)
    except KeyboardInterrupt:
        sys.exit(_fail("interrupted", INTERRUPTED))
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
        return ExitCode(_fail("no mutant of these is marked", ExitCode.NOTHING_RUN))

    def told(verdict: Verdict) -> None:
        mutant, found = verdict.mutant, verdict.failed
        rest = f"{len(verdict.ran)} other cases pass"
        others = ", ".join(f"{case} ({message})" for case, message in found.items())
        says = verdict.problem or (f"also found by {others}" if found else rest)
        click.echo(f"{'WRONG ' if found or verdict.problem else 'holds '} only {mutant.tag}: {mutant.id}: {says}")

    verdicts = try_all(marked, verify_tag, workers=workers, timeout=timeout, told=told, seed=seed)
    wrong = any(verdict.failed or verdict.problem for verdict in verdicts)
    return ExitCode.NONCONFORMING if wrong else ExitCode.CONFORMS


for command in (doctor, init, report_command, diff, badge, schema, check):
    main.add_command(command)

if __name__ == "__main__":
    run_guarded(lambda: main)
