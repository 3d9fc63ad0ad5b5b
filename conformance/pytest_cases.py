"""The suite as a pytest plugin: what is collected, what came of each case, and the exit status.

`pytest_plugsvc_conformance` registers it in a run that names the suite, and in no other.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from conformance import collectors
from conformance.case import ATTRIBUTE, Case
from conformance.drive.capabilities import TesteeError
from conformance.judge import judge
from conformance.outcomes import ExitCode, Outcome
from conformance.pytest_options import plan_of
from conformance.report.failure import failure_lines
from conformance.results import Row
from conformance.run import RUN, SESSIONS, Run
from conformance.settings import REFUSED, SelectedRow
from conformance.temporary_files import TemporaryFolderError, keep_temporary_files_together

_START = pytest.StashKey[float]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the run, or end pytest with the documented status and one line."""
    worker = hasattr(config, "workerinput")
    if not worker and not config.getoption("conformance_plan"):  # else it was done where this process was started
        files = ExitStack()
        config.add_cleanup(files.close)
        try:
            files.enter_context(keep_temporary_files_together())
        except TemporaryFolderError as error:
            pytest.exit(f"conformance: {error}", returncode=ExitCode.CANNOT_RUN)
    json_file = None if worker else config.getoption("conformance_json")
    events = None if worker else config.getoption("conformance_events")
    try:
        run = Run(plan_of(config), json_file=json_file, events=events)
    except REFUSED as error:
        pytest.exit(f"conformance: {error}", returncode=ExitCode.USAGE)
    except TesteeError as error:
        pytest.exit(f"conformance: {error}", returncode=ExitCode.CANNOT_RUN)
    if not run.selected:
        pytest.exit(
            "conformance: nothing to run: the selection leaves no case for these testees",
            returncode=ExitCode.NOTHING_RUN,
        )
    config.stash[RUN] = run
    config.pluginmanager.register(_Reports(config, run), "plugsvc-conformance-reports")


# --- collection ----------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """No pattern of the user leaves out the suite."""
    return False if collection_path in (collectors.PACKAGE, collectors.CASES) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The folders of the suite."""
    rows = parent.config.stash[RUN].rows_of
    if path == collectors.PACKAGE:
        return collectors.suite_folder(parent, rows)
    return collectors.cases_folder(parent, rows) if path == collectors.CASES else None


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """A module of the suite that is named by itself."""
    if module_path.parent != collectors.CASES:
        return None
    return collectors.case_module(collectors.cases_folder(parent, parent.config.stash[RUN].rows_of), module_path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make an item of each row that the run has of a case."""
    if metafunc.definition.getparent(collectors.CaseModule) is None:
        return
    case: Case = getattr(metafunc.function, ATTRIBUTE)
    rows = metafunc.config.stash[RUN].rows_of(case)
    names = ["each", collectors.PARAMETER] if case.each else [collectors.PARAMETER]
    values = [(case.each[row.variant], row) if case.each else (row,) for row in rows]
    metafunc.parametrize(names, values, ids=[row.parameters for row in rows], indirect=[collectors.PARAMETER])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put what failed last before the others, where that was asked for."""
    run = config.stash[RUN]
    if run.plan.settings.first:
        items.sort(key=lambda item: not run.is_first(item.nodeid))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note what is going to be run, after everybody has left out what shall not."""
    session.config.stash[RUN].rows.expect(item.nodeid for item in session.items)


# --- a case --------------------------------------------------------------------------------------


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """Turn what happened into an outcome of the suite."""
    outcome = yield
    selected = _row_of(item)
    if selected is None:
        return
    if call.when == "setup":
        item.stash[_START] = call.start
    if call.excinfo is not None or call.when == "call":
        _judge(item, selected, call, outcome.get_result())
    if call.when == "teardown" and SESSIONS in item.stash:
        del item.stash[SESSIONS]  # pytest keeps its items to the end, and messages may be large


def _row_of(item: pytest.Item) -> SelectedRow | None:
    if not isinstance(item, pytest.Function) or item.getparent(collectors.CaseModule) is None:
        return None
    row = item.callspec.params[collectors.PARAMETER]
    assert isinstance(row, SelectedRow)
    return row


def _judge(item: pytest.Item, selected: SelectedRow, call: pytest.CallInfo[None], rep: pytest.TestReport) -> None:
    run = item.config.stash[RUN]
    error = call.excinfo.value if call.excinfo is not None else None
    row = judge(
        selected,
        run.settings_of(selected),
        run.known_of(selected),
        item.stash.get(SESSIONS, None),
        error,
        str(rep.longrepr),
    )
    row.duration = round(call.stop - item.stash.get(_START, call.start), 6)
    _show(rep, row, item)
    row.outcome = str(row.outcome)  # plain data: it travels with the report, also between processes
    rep.conformance = asdict(row)  # type: ignore[attr-defined]


def _show(rep: pytest.TestReport, row: Row, item: pytest.Item) -> None:
    """Make pytest's own report say the same."""
    if row.outcome == Outcome.PASSED:
        return
    if row.outcome == Outcome.XFAILED:
        rep.outcome, rep.wasxfail = "skipped", row.reason
        rep.longrepr = row.message
    elif row.outcome in (Outcome.UNSUPPORTED, Outcome.NOT_RUN):
        rep.outcome = "skipped"
        rep.longrepr = (str(item.path), item.location[1] or 0, f"{row.outcome}: {row.message}")
    else:
        rep.outcome = "failed"
        rep.longrepr = "\n".join(failure_lines(row))


# --- the run -------------------------------------------------------------------------------------


class _Reports:
    """The side of a run that hears of everything: the only process, or the one that starts the workers."""

    def __init__(self, config: pytest.Config, run: Run) -> None:
        self._run = run
        self._worker = hasattr(config, "workerinput")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Hand the plan to a worker of xdist: testees are asked for their capabilities once."""
        node.workerinput["conformance"] = self._run.plan.to_json()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        """Note what a worker is going to run."""
        self._run.rows.expect(ids)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect a row; a failure of a case without a row is that of a worker."""
        row = getattr(report, "conformance", None)
        if row is not None:
            self._run.rows.take(report.nodeid, row, failed=report.failed)
        elif report.failed:
            self._run.rows.died(report.nodeid)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Tell an end that something in the run asked for from Ctrl-C: pytest and xdist have subclasses for it."""
        self._run.stopped = isinstance(excinfo.value, KeyboardInterrupt) and excinfo.type is not KeyboardInterrupt

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """The exit status by the suite's rules, and the reports."""
        if not self._worker:
            session.exitstatus = self._run.finish(session)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """The final table, below pytest's own."""
        if self._run.rows.rows:
            terminalreporter.section("conformance")
            for line in self._run.table():
                terminalreporter.write_line(line)
