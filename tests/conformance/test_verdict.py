"""The exit status: what pytest says of a run, made worse by what the rows say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.outcomes import Outcome
from conformance.results import Row
from conformance.verdict import Ending, exit_status


def row(outcome: Outcome, level: str = "MUST") -> Row:
    return Row("plugin/requests/call", "t", "plugin", "file", ["REQ-01"], level, outcome)


PASSED, FAILED, MISSING = row(Outcome.PASSED), row(Outcome.FAILED), row(Outcome.NOT_RUN)
SHOULD, UNSUPPORTED = row(Outcome.FAILED, "SHOULD"), row(Outcome.UNSUPPORTED)

# pytest's own: 0 passed, 1 failed, 2 interrupted, 3 internal error, 4 usage, 5 no tests
TABLE = [
    ("all pass", 0, Ending(0, [PASSED])),
    ("a MUST failed", 1, Ending(1, [PASSED, FAILED])),
    ("a MUST failed, and a plugin for repetitions calls that a success", 1, Ending(0, [PASSED, FAILED])),
    ("a SHOULD failed", 0, Ending(1, [PASSED, SHOULD])),
    ("a SHOULD failed, strictly", 1, Ending(1, [PASSED, SHOULD], strict=True)),
    ("a known failure passed", 1, Ending(1, [row(Outcome.XPASSED)])),
    ("a known failure", 0, Ending(0, [row(Outcome.XFAILED)])),
    ("the testee crashed", 1, Ending(1, [row(Outcome.CRASHED)])),
    ("all unsupported", 4, Ending(0, [UNSUPPORTED])),
    ("no case, and nothing else", 4, Ending(5)),
    ("no case was chosen, and other tests pass", 0, Ending(0)),
    ("no case was chosen, and another test failed", 1, Ending(1, other_failures=1)),
    ("another test failed", 1, Ending(1, [PASSED], other_failures=1)),
    ("another test failed beside an unsupported case", 1, Ending(1, [PASSED, UNSUPPORTED], other_failures=1)),
    ("another test failed beside unsupported cases only", 1, Ending(1, [UNSUPPORTED], other_failures=1)),
    ("another test failed beside a SHOULD", 1, Ending(1, [PASSED, SHOULD], other_failures=1)),
    ("the suite failed", 3, Ending(1, [FAILED, row(Outcome.HARNESS_ERROR)])),
    ("pytest failed", 3, Ending(3, [PASSED])),
    ("a worker died in a case", 3, Ending(1, [PASSED, row(Outcome.CRASHED)], crashed=1)),
    ("a worker died in a SHOULD", 3, Ending(0, [PASSED, row(Outcome.CRASHED, "SHOULD")], crashed=1)),
    ("cases were lost, and nobody said so", 3, Ending(0, [PASSED, MISSING], not_run=1)),
    ("-x: a MUST failed", 1, Ending(1, [FAILED, MISSING], not_run=1)),
    ("-x: a SHOULD failed, the rest is unknown", 1, Ending(1, [SHOULD, MISSING], not_run=1)),
    ("-x: another test failed", 1, Ending(1, [MISSING], other_failures=1, not_run=1)),
    ("-n 2 --maxfail 1: a MUST failed", 1, Ending(2, [FAILED, MISSING], stopped=True, not_run=1)),
    ("-n 2 --maxfail 1: a SHOULD failed", 1, Ending(2, [SHOULD, MISSING], stopped=True, not_run=1)),
    ("-n 2 --maxfail 1: another test", 1, Ending(2, [PASSED, MISSING], stopped=True, other_failures=1, not_run=1)),
    ("stopped by something else", 2, Ending(2, [PASSED, MISSING], stopped=True, not_run=1)),
    ("Ctrl-C", 2, Ending(2, [PASSED, MISSING], not_run=1)),
    ("Ctrl-C after a failure", 2, Ending(2, [FAILED, MISSING], not_run=1)),
    ("Ctrl-C after an error of the suite", 3, Ending(2, [row(Outcome.HARNESS_ERROR), MISSING], not_run=1)),
    ("usage", 4, Ending(4, [MISSING], not_run=1)),
    ("a status of another plugin", 6, Ending(6, [PASSED])),
]


@pytest.mark.parametrize(("status", "ending"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_table(status: int, ending: Ending) -> None:
    assert exit_status(ending) == status


def test_never_0_when_pytest_has_failed_and_something_is_unexplained() -> None:
    for _, _, ending in TABLE:
        assert exit_status(replace(ending, own=1, other_failures=1)) != 0
        assert exit_status(replace(ending, not_run=1)) != 0
        assert exit_status(replace(ending, crashed=1)) == 3
