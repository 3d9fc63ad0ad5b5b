"""The command ``plugsvc-conformance run``: what to run, on which testees, and what to show and write of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from conformance.command_options import fail, selection
from conformance.configuration import ConfigurationError, ConfigurationFile, ConfiguredTestee, asked, find
from conformance.drive.capabilities import TesteeError
from conformance.fuzz.engine import CAMPAIGN
from conformance.guard import INTERRUPTED, GuardedConsole
from conformance.judge import blank_row
from conformance.known_failures_update import UpdateError, updated
from conformance.last_failed import recall, remember
from conformance.outcomes import ExitCode, Outcome
from conformance.plan import make_plan
from conformance.pytest_process import PytestProcessError, start_pytest
from conformance.report.files import why_unwritable, write_file
from conformance.report.github import add_summary, annotation_lines, is_github
from conformance.report.live import Live, show_end
from conformance.report.nothing_run import nothing_run_lines
from conformance.report.writer import ReportWriteError, ReportWriter, RowStream, saved
from conformance.results import Row, report, suite, verdict
from conformance.settings import REFUSED, Plan, Settings, UsageError, options_of
from conformance.verdict import not_run

PARALLEL_FROM = 40
"""Below so many cases, starting workers costs more than it saves."""

FILES = ("json", "junit", "markdown", "html", "jsonl")
PARTIAL = ("side", "schemes", "binds", "cases", "skips", "level", "generated_only", "replay", "shard", "last_failed")
"""Options that leave something out of a run, so that it says nothing of the rest."""


class ShardType(click.ParamType[tuple[int, int]]):
    """I/N: the I-th of N parts of a run."""

    name = "I/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """The two numbers."""
        if isinstance(value, tuple):
            return value
        number, slash, count = str(value).partition("/")
        if not slash or not number.isdecimal() or not count.isdecimal() or not 1 <= int(number) <= int(count):
            self.fail(f"{value}: expected I/N with I from 1 to N", param, ctx)
        return int(number), int(count)


def complete_testee(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """The configured testees that begin so, for the completion of a shell."""
    try:
        found = find(Path.cwd())
    except ConfigurationError:
        return []
    return [name for name in found.names if name.startswith(incomplete)] if found else []


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_testee)
@click.option(
    "--testee",
    "commands",
    multiple=True,
    metavar="CMD",
    help="Command of a testee (default: those of the configuration).",
)
@selection
@click.option("--known-failures", multiple=True, metavar="F", help="File of failures that are known.")
@click.option("--update-known-failures", "update", is_flag=True, help="Bring these files up to date with the run.")
@click.option("--profile", type=click.Choice(["quick", "default", "campaign"]), default="default", show_default=True)
@click.option("--examples", type=click.IntRange(1), metavar="N", help="Generated examples a case.")
@click.option("--seed", type=int, metavar="N", help="Seed of what is generated (default: drawn, and printed).")
@click.option(
    "--max-time", "max_time", type=click.FloatRange(0, min_open=True), metavar="H", help="Time of a campaign, in all."
)
@click.option("--shards", type=click.IntRange(1), metavar="N", help="Shards of each generated case.")
@click.option("--shard", type=ShardType(), metavar="I/N", help="The I-th of N parts of the run.")
@click.option("--replay", metavar="EXAMPLE", help="Run exactly this generated example, as a failure names it.")
@click.option("--regressions", multiple=True, metavar="DIR", help="Run these saved examples first.")
@click.option("--save-regressions", metavar="DIR", help="Run these saved examples first, and save there what fails.")
@click.option("--database", metavar="D", help="Folder or redis:// URL of examples that have failed, shared by runs.")
@click.option("--resume", metavar="DIR", help="Keep the progress of a campaign there, and go on with it.")
@click.option("--last-failed", is_flag=True, help="Only what failed in the last run (everything, if nothing did).")
@click.option("--failed-first", is_flag=True, help="What failed in the last run first, then the rest.")
@click.option("-x", "fail_fast", is_flag=True, help="End the run at the first failure.")
@click.option("--max-failures", type=click.IntRange(1), metavar="N", help="End the run after so many failures.")
@click.option("-n", "workers", default="", metavar="N|auto", help="Processes (default: one a core for long runs).")
@click.option("--json", "json", metavar="F", help="Write the JSON report.")
@click.option("--jsonl", "jsonl", metavar="F", help="Write each result as a JSON line, while the run goes on.")
@click.option("--junit", "junit", metavar="F", help="Write a JUnit report.")
@click.option("--markdown", "markdown", metavar="F", help="Write a report in Markdown.")
@click.option("--html", "html", metavar="F", help="Write a report as one HTML page.")
@click.option("-v", "--verbose", count=True, help="Show failures with wire and stacks; -vv each case as well.")
@click.option("-q", "--quiet", is_flag=True, help="Show one line for each failure, and the counts.")
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Colors (NO_COLOR: never)."
)
@click.option("--timeout", type=click.FloatRange(0.1), default=10.0, metavar="S", help="Seconds of each wait (10).")
@click.option("--scale", type=click.FloatRange(0.001, 100), default=1.0, metavar="X", help="Sizes of large cases (1).")
@click.option("--strict", is_flag=True, help="A failed SHOULD fails the run as well.")
@click.pass_context
def run(context: click.Context, /, **chosen: Any) -> None:
    """Run the suite on testees, side by side.

    NAME is a testee of the configuration (conformance.toml, or pyproject.toml). Without NAME and --testee, all of them
    are run; without a configuration, the reference.
    """
    given = {name for name in chosen if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    try:
        sys.exit(_run(chosen, given))
    except KeyboardInterrupt:
        sys.exit(fail("interrupted", INTERRUPTED))


def defaults(found: ConfigurationFile) -> dict[str, Any]:
    """The defaults of a configuration by the names of the parameters of `run`."""
    names = {option: parameter.name for parameter in run.params for option in parameter.opts}
    return {str(names[f"--{key}"]): value for key, value in found.configuration.defaults.given().items()}


@dataclass
class _Show:
    """What a person sees."""

    console: GuardedConsole
    detail: int


def _run(chosen: dict[str, Any], given: set[str]) -> int:
    names, commands, workers = chosen.pop("names"), chosen.pop("commands"), chosen.pop("workers")
    files: dict[str, str | None] = {form: chosen.pop(form) for form in FILES}
    detail = -1 if chosen.pop("quiet") else chosen["verbose"]
    chosen.pop("verbose")
    show = _Show(_console(chosen.pop("color")), detail)
    update, limit = chosen.pop("update"), 1 if chosen.pop("fail_fast") else chosen.pop("max_failures", None)
    chosen.pop("max_failures", None)
    only_failed, failed_first = chosen.pop("last_failed"), chosen.pop("failed_first")
    if workers not in ("", "auto") and not workers.isdecimal():
        return fail(f"-n {workers}: expected a number of processes, or auto", ExitCode.USAGE)
    many = processes(workers)
    chosen["shards"] = chosen["shards"] or (many if chosen["profile"] == CAMPAIGN else 1)
    try:
        testees = asked(names, commands, find(Path.cwd()))
        if update:
            _check_update(testees, chosen["known_failures"], given, limit)
            _begin_known_failures([*chosen["known_failures"], *(f for t in testees for f in t.known_failures)])
        settings = Settings(**chosen, workers=many)
        plan = make_plan(settings, [t.command for t in testees], [options_of(t, given) for t in testees])
    except REFUSED as error:
        return fail(str(error), ExitCode.USAGE)
    except TesteeError as error:
        return fail(str(error), ExitCode.CANNOT_RUN)
    if only_failed or failed_first:
        failed = recall(plan.testees)
        if only_failed and not failed:
            click.echo("nothing is known to have failed: everything is run")
        plan.settings = replace(
            plan.settings, only=tuple(failed) if only_failed and failed else None, first=tuple(failed)
        )
    if plan.rows() == 0:
        return fail("nothing to run: the selection leaves no case for these testees", ExitCode.NOTHING_RUN)
    try:
        return _run_plan(plan, workers, many, files, show, limit, update)
    except ReportWriteError as error:
        return fail(str(error), ExitCode.CANNOT_RUN)


def _console(color: str) -> GuardedConsole:
    width = None if sys.stdout.isatty() else 160
    if color == "always":
        return GuardedConsole(width=width, color_system="standard", no_color=False)
    if color == "never":
        return GuardedConsole(width=width, color_system=None)
    return GuardedConsole(width=width)


def _run_plan(
    plan: Plan, workers: str, many: int, files: dict[str, str | None], show: _Show, limit: int | None, update: bool
) -> int:
    def make(rows: Iterable[Row], complete: bool, code: int = ExitCode.CANNOT_RUN) -> dict[str, Any]:
        made = report(_sorted(rows), plan.testees, exit_code=code, seed=plan.settings.seed)
        return {**made, "complete": complete}

    for form, path in files.items():
        problem = why_unwritable(path)
        if problem:
            return fail(f"--{form} {path}: {problem}", ExitCode.USAGE)
    jsonl = files.pop("jsonl")
    reports = ReportWriter(files, make, strict=plan.settings.strict)
    reports.begin()
    testees = [testee.to_json() for testee in plan.testees]
    total = plan.rows()
    stream = RowStream(jsonl, {"suite": suite(plan.settings.seed), "testees": testees, "total": total})
    if show.detail >= 0:
        for testee in plan.testees:
            text = f"testee {testee.name}: {testee.command}"
            show.console.print(text, markup=False, highlight=False, soft_wrap=True)
        click.echo(f"seed: {plan.settings.seed}")
    found: dict[tuple[str, str, str], Row] = {}
    code, complete, problem = int(ExitCode.CANNOT_RUN), False, ""
    try:
        code, complete = _collect(
            plan, _pytest_options(plan, workers, many, total), show, limit, found, stream, reports
        )
    except (PytestProcessError, ReportWriteError) as error:
        problem = f"the harness failed: {error}"
    except KeyboardInterrupt:
        code, problem = INTERRUPTED, f"interrupted after {len(found)} of {total} cases"
    rows = _sorted(found.values())
    remember(plan.testees, rows)
    data = make(rows, complete, code)
    stream_problem = _finish(stream, code, complete)
    if not problem or code == INTERRUPTED:
        show_end(show.console, rows, detail=-1 if problem else show.detail)
    reports.end(data)
    _tell_github(data, plan.settings.strict)
    if problem or stream_problem:
        return fail(problem or stream_problem, code)
    if code == ExitCode.NOTHING_RUN:
        click.echo("\n".join(nothing_run_lines(plan.testees)))
    if update:
        return _update(plan, rows, code)
    return code


def _pytest_options(plan: Plan, workers: str, many: int, total: int) -> tuple[str, list[str]]:
    """The number of workers, and further options of pytest."""
    if plan.settings.profile == CAMPAIGN:  # its cases are few, and each takes long: they are handed out one by one
        return str(many if many > 1 else 0), ["--maxschedchunk=1"] if many > 1 else []
    return workers or ("auto" if total >= PARALLEL_FROM and (os.cpu_count() or 1) > 1 else "0"), []


def _collect(
    plan: Plan,
    how: tuple[str, list[str]],
    show: _Show,
    limit: int | None,
    found: dict[tuple[str, str, str], Row],
    stream: RowStream,
    reports: ReportWriter,
) -> tuple[int, bool]:
    """Run the plan and put each row into ``found`` as it comes; returns the exit status and whether all have come."""
    total, strict = plan.rows(), plan.settings.strict
    with start_pytest(plan, workers=how[0], extra=how[1]) as process, Live(show.console, total, show.detail) as live:
        for data in process:
            row = Row(**data)
            found[row.key] = row  # a second one is worse, and comes when something fails after the case
            stream.row(row)
            live.row(row)
            reports.keep_up(found.values())
            if limit is not None and sum(verdict([each], strict=strict) in _BAD for each in found.values()) >= limit:
                process.stop()
                break
        else:
            code = process.exit_code()
            if len(found) != total:
                raise PytestProcessError(f"{len(found)} of {total} cases were reported\n{process.printed()}")
            return code, True
    blanks = [blank_row(each, plan.settings_of(each.subject.testee.name)) for each in plan.selected()]
    for row in (not_run(blank) for blank in blanks if blank.key not in found):
        found[row.key] = row
    return int(verdict(found.values(), strict=strict)), False


_BAD = (ExitCode.NONCONFORMING, ExitCode.CANNOT_RUN)


def _finish(stream: RowStream, code: int, complete: bool) -> str:
    try:
        stream.write("finish", {"exit": code, "complete": complete})
    except ReportWriteError as error:
        return str(error)
    finally:
        stream.close()
    return ""


def _sorted(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row.testee, row.side, row.scheme, row.case))


def _tell_github(data: dict[str, Any], strict: bool) -> None:
    if not is_github():
        return
    made = saved(data)
    for line in annotation_lines(made, strict=strict):
        click.echo(line)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    problem = add_summary(made, summary) if summary else ""
    if problem:
        raise ReportWriteError(problem)


# --- known failures -------------------------------------------------------------------------------


def _check_update(
    testees: Sequence[ConfiguredTestee], files: Sequence[str], given: set[str], limit: int | None
) -> None:
    """Refuse what cannot bring a file up to date.

    Raises:
        UsageError: a partial selection, or no single file for a testee.
    """
    partial = sorted(given & set(PARTIAL)) + (["max_failures"] if limit is not None else [])
    if partial:
        names = {option: parameter.opts[0] for parameter in run.params for option in [parameter.name]}
        raise UsageError(f"--update-known-failures: a run with {names[partial[0]]} says nothing of the other cases")
    if len(testees) > 1 and files:
        raise UsageError("--update-known-failures: one file cannot have the failures of several testees")
    for testee in testees or [ConfiguredTestee("", "")]:
        if len([*files, *testee.known_failures]) != 1:
            raise UsageError("--update-known-failures: name the one file of each testee with --known-failures")


def _begin_known_failures(files: Iterable[str]) -> None:
    """Make the files that do not exist yet.

    Raises:
        UsageError: one cannot be made.
    """
    for file in files:
        problem = why_unwritable(file)
        if problem:
            raise UsageError(f"--known-failures {file}: {problem}")


def _update(plan: Plan, rows: Sequence[Row], code: int) -> int:
    """Bring the files up to date; returns the exit status of the run that would follow."""
    if code not in (ExitCode.CONFORMS, ExitCode.NONCONFORMING):
        return fail("the known failures are not updated: the run did not end with a verdict", code)
    for testee in plan.testees:
        (file,) = plan.settings_of(testee.name).known_failures
        try:
            made = updated(Path(file).read_text(encoding="utf-8"), [row for row in rows if row.testee == testee.name])
        except UpdateError as error:
            return fail(f"{file}: {error}", ExitCode.CANNOT_RUN)
        click.echo(f"{file}: {made.added} added, {made.changed} changed, {made.removed} removed")
        problem = write_file(file, made.text) if made.added + made.changed + made.removed else ""
        if problem:
            return fail(f"{file}: {problem}", ExitCode.CANNOT_RUN)
    harness = any(row.outcome == Outcome.HARNESS_ERROR for row in rows)
    return ExitCode.CANNOT_RUN if harness else ExitCode.CONFORMS


def processes(workers: str) -> int:
    """How many processes ``-n`` means; without it as many as a long run gets."""
    return int(workers) or 1 if workers.isdecimal() else os.cpu_count() or 1
