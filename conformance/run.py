"""What one run of pytest on the suite knows: the plan, the rows, and where the report goes."""

from __future__ import annotations

import os
import sys

import pytest

from conformance.case import Case
from conformance.judge import blank_row
from conformance.known_failures import KnownFailures
from conformance.outcomes import ExitCode
from conformance.report.files import why_unwritable, write_json
from conformance.report.table import table_lines
from conformance.results import report
from conformance.rows import Rows
from conformance.sessions import CaseSessions
from conformance.settings import Plan, SelectedRow, Settings, UsageError
from conformance.verdict import OK, TESTS_FAILED, Ending, exit_status


class Run:
    """One run; a parallel run has one in the process that starts the workers, and one in each worker.

    ``json_file`` is where the report goes, ``events`` a descriptor for rows as they come.

    Raises:
        UsageError: the report cannot be written there.
    """

    def __init__(self, plan: Plan, *, json_file: str | None = None, events: int | None = None) -> None:
        problem = why_unwritable(json_file)
        if problem:
            raise UsageError(f"--conformance-json {json_file}: {problem}")
        self.plan = plan
        self._known = {testee.name: plan.settings_of(testee.name).known() for testee in plan.testees}
        self.json_file = os.path.abspath(json_file) if json_file else None
        self.selected: dict[str, list[SelectedRow]] = {}
        everything = plan.selected()
        for row in everything:
            self.selected.setdefault(row.case.id, []).append(row)
        self.rows = Rows(everything, lambda row: blank_row(row, self.settings_of(row)), events)
        self.stopped = False

    def rows_of(self, case: Case) -> list[SelectedRow]:
        """The rows that the run has of a case."""
        return self.selected.get(case.id, [])

    def settings_of(self, row: SelectedRow) -> Settings:
        """The settings of the testee of a row."""
        return self.plan.settings_of(row.subject.testee.name)

    def known_of(self, row: SelectedRow) -> KnownFailures:
        """The known failures of the testee of a row."""
        return self._known[row.subject.testee.name]

    def is_first(self, node_id: str) -> bool:
        """Whether a node is one of the rows that are run before the others."""
        row = self.rows.find(node_id)
        return row is not None and row.key in self.plan.settings.first

    def finish(self, session: pytest.Session) -> int:
        """The exit status of the run; writes the JSON report."""
        self.rows.end()
        ending = Ending(
            own=int(session.exitstatus),
            rows=self.rows.rows,
            stopped=self.stopped,
            other_failures=max(session.testsfailed - self.rows.failed_reports, 0),
            crashed=self.rows.crashed,
            not_run=self.rows.not_run,
            strict=self.plan.settings.strict,
        )
        code = exit_status(ending)
        if self.json_file:
            data = report(self.rows.rows, self.plan.testees, exit_code=code, seed=self.plan.settings.seed)
            ended = int(session.exitstatus) in (OK, TESTS_FAILED) and not self.rows.not_run + self.rows.crashed
            problem = write_json(self.json_file, {**data, "complete": ended})
            if problem:
                print(f"conformance: {self.json_file}: {problem}", file=sys.stderr)
                code = ExitCode.CANNOT_RUN
        self.rows.finish(code)
        return code

    def table(self) -> list[str]:
        """The final table as plain lines."""
        return table_lines(self.rows.rows, self.plan.testees)


RUN = pytest.StashKey[Run]()
"""The run, in the stash of pytest's configuration."""

SESSIONS = pytest.StashKey[CaseSessions]()
"""The sessions of a case, in the stash of its item."""
