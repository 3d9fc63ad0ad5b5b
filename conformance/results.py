"""The results of a run: one row a case and subject, and the verdict over all of them."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from conformance import __version__
from conformance.drive.capabilities import Testee
from conformance.outcomes import FAILURES, ExitCode, Outcome
from conformance.requirements import Level

REPORT_VERSION = 1


@dataclass
class Row:
    """What came of one variant of a case on one subject; ``duration`` is in seconds.

    ``wire`` has what crossed the wire as lines to read, ``crossings`` the same with the bytes. Of a generated case,
    ``generated`` counts calls, ``examples`` what they were part of, ``processes`` those that were started, and
    ``features`` in a campaign the examples that had each; ``share`` is the number of the share, from 1, where a case
    was split, and ``saved`` the file of the regression.
    """

    case: str
    testee: str
    side: str
    scheme: str
    requirements: list[str]
    level: str
    outcome: str
    message: str = ""
    duration: float = 0.0
    wire: list[str] = field(default_factory=list)
    crossings: list[dict[str, Any]] = field(default_factory=list)
    reproduce: str = ""
    stderr: str = ""
    stacks: str = ""
    reason: str = ""
    generated: int = 0
    examples: int = 0
    processes: int = 0
    features: dict[str, int] = field(default_factory=dict)
    share: int = 0
    saved: str = ""

    @property
    def label(self) -> str:
        """The case, and the share of it if it was split."""
        return f"{self.case}#{self.share}" if self.share else self.case

    @property
    def key(self) -> tuple[str, str, str]:
        """What no two rows of a run have in common."""
        return self.label, self.testee, self.scheme

    @property
    def counts(self) -> bool:
        """Whether the row is a fault that makes a run fail without ``--strict``."""
        return self.outcome == Outcome.XPASSED or (self.outcome in FAILURES and self.level == Level.MUST)


def verdict(rows: Iterable[Row], *, strict: bool) -> ExitCode:
    """The exit status that the rows add up to."""
    rows = list(rows)
    if any(row.outcome == Outcome.HARNESS_ERROR for row in rows):
        return ExitCode.CANNOT_RUN
    if any(row.counts or (strict and row.outcome in FAILURES) for row in rows):
        return ExitCode.NONCONFORMING
    if not any(row.outcome not in (Outcome.UNSUPPORTED, Outcome.NOT_RUN) for row in rows):
        return ExitCode.NOTHING_RUN
    return ExitCode.CONFORMS


def summary(rows: Iterable[Row]) -> dict[str, Any]:
    """The counts of a report."""
    rows = list(rows)
    counts = Counter(row.outcome for row in rows)
    return {
        "total": len(rows),
        **{outcome.value: counts.get(outcome, 0) for outcome in Outcome},
        "must_failed": sum(row.outcome in FAILURES and row.level == Level.MUST for row in rows),
        "generated": sum(row.generated for row in rows),
        "examples": sum(row.examples for row in rows),
        "should_failed": sum(row.outcome in FAILURES and row.level != Level.MUST for row in rows),
    }


def suite(seed: int | None) -> dict[str, Any]:
    """The suite as reports have it, with the seed of what is generated."""
    return {
        "name": "plugsvc-conformance",
        "version": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "seed": seed,
    }


def report(rows: Iterable[Row], testees: Iterable[Testee], *, exit_code: int, seed: int | None) -> dict[str, Any]:
    """The JSON report."""
    rows = list(rows)
    return {
        "report": REPORT_VERSION,
        "suite": suite(seed),
        "testees": [testee.to_json() for testee in testees],
        "results": [asdict(row) for row in rows],
        "summary": {**summary(rows), "exit": exit_code},
    }
