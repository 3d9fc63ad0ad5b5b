"""What can come of a case, and of a whole run."""

from __future__ import annotations

import enum


class Outcome(enum.StrEnum):
    """What came of one case on one testee; every report uses these words."""

    PASSED = "passed"
    FAILED = "failed"
    XFAILED = "xfailed"  # failed as the known-failures file says
    XPASSED = "xpassed"  # passed although the file says that it fails
    UNSUPPORTED = "unsupported"  # the testee says, or declares, that it cannot do this
    NOT_RUN = "not-run"  # a prerequisite outside the testee is missing
    CRASHED = "crashed"  # the testee ended by itself when it should not have
    TIMEOUT = "timeout"  # somebody owed a message and did not send it
    HARNESS_ERROR = "harness-error"  # the suite's own fault


FAILURES = frozenset({Outcome.FAILED, Outcome.CRASHED, Outcome.TIMEOUT})
"""Outcomes in which the testee did not do what the requirement says."""


class ExitCode(enum.IntEnum):
    """The exit status of a run."""

    CONFORMS = 0
    NONCONFORMING = 1  # a MUST failed, or something that is known to fail passed
    USAGE = 2
    CANNOT_RUN = 3  # a testee could not be run, or the harness failed
    NOTHING_RUN = 4


class CaseProblem(Exception):
    """What a case raises instead of passing; the subclass decides the outcome.

    ``expected`` and ``seen`` are one line each; ``note`` is free text below them.
    """

    outcome: Outcome

    def __init__(self, message: str, *, expected: str = "", seen: str = "", note: str = "") -> None:
        self.message, self.expected, self.seen, self.note = message, expected, seen, note
        self.wire: list[str] = []  # where the wire of the session at hand is not the one that shows the problem
        super().__init__(self.render())

    def render(self) -> str:
        """The problem as text, a line a fact."""
        lines = [self.message]
        if self.expected:
            lines.append(f"  expected: {self.expected}")
        if self.seen:
            lines.append(f"  seen:     {self.seen}")
        if self.note:
            lines.extend("  " + line for line in self.note.splitlines())
        return "\n".join(lines)


class Failure(CaseProblem):
    """The testee did something else than the requirement says."""

    outcome = Outcome.FAILED


class Crash(CaseProblem):
    """The testee's process ended, or died by a signal, when it should not have."""

    outcome = Outcome.CRASHED


class Timeout(CaseProblem):
    """The testee owed something by a deadline and did not deliver it."""

    outcome = Outcome.TIMEOUT


class Unsupported(CaseProblem):
    """The testee cannot do this, in its own words or by what it declares."""

    outcome = Outcome.UNSUPPORTED


class NotRun(CaseProblem):
    """Something outside the testee that the case needs is missing on this machine."""

    outcome = Outcome.NOT_RUN


class HarnessError(CaseProblem):
    """The suite itself could not do its part."""

    outcome = Outcome.HARNESS_ERROR
