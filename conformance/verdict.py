"""The exit status of a run: what pytest says of it, made worse by what the rows say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.outcomes import FAILURES, ExitCode, Outcome
from conformance.results import Row, verdict

OK, TESTS_FAILED, INTERRUPTED, INTERNAL_ERROR, NO_TESTS = 0, 1, 2, 3, 5
"""The statuses of pytest that are looked at, by its names; any other is kept as it is."""


@dataclass(frozen=True)
class Ending:
    """How a run of pytest ended.

    ``own`` is pytest's own status. ``stopped`` tells an interrupt that something in the run asked for (``--maxfail``
    with workers) from Ctrl-C. ``other_failures`` counts failed tests and errors that are no rows of the suite.
    ``crashed`` counts rows whose process died, ``not_run`` those that were selected and never begun; both are among
    ``rows``.
    """

    own: int
    rows: Sequence[Row] = ()
    stopped: bool = False
    other_failures: int = 0
    crashed: int = 0
    not_run: int = 0
    strict: bool = False


def exit_status(ending: Ending) -> int:
    """The exit status of the run.

    It is pytest's own, or a worse one. It is better in one case only: where all that failed are rows which a run
    without ``--strict`` lets pass.
    """
    of_rows = verdict(ending.rows, strict=ending.strict)
    if ending.own == INTERNAL_ERROR or of_rows is ExitCode.CANNOT_RUN or ending.crashed:
        return ExitCode.CANNOT_RUN
    failed = ending.other_failures > 0 or of_rows is ExitCode.NONCONFORMING
    if ending.own == INTERRUPTED:
        any_failure = failed or any(row.outcome in FAILURES for row in ending.rows)
        return ExitCode.NONCONFORMING if ending.stopped and any_failure else INTERRUPTED
    if ending.own == NO_TESTS:
        return ExitCode.NOTHING_RUN
    if ending.own not in (OK, TESTS_FAILED):
        return ending.own
    if failed:
        return ExitCode.NONCONFORMING
    if ending.not_run:  # something ended the run early; if pytest calls that a success, it is the suite that does not
        return ending.own or ExitCode.CANNOT_RUN
    if not ending.rows:  # other tests were chosen from all that was collected
        return ending.own
    return of_rows


def not_run(row: Row) -> Row:
    """The row of a case that the run did not come to."""
    row.outcome, row.message = Outcome.NOT_RUN, "the run ended before this case"
    return row


def crashed(row: Row) -> Row:
    """The row of a case whose process of pytest died."""
    row.outcome = Outcome.CRASHED
    row.message = "the process of pytest that ran this case ended in the middle of it; this says nothing of the testee"
    return row
