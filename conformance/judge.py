"""From what happened to a case to its row."""

from __future__ import annotations

import shlex

from conformance.drive.session import Session
from conformance.fuzz.engine import Fuzz
from conformance.known_failures import KnownFailures
from conformance.outcomes import FAILURES, CaseProblem, Failure, Outcome
from conformance.plan import REFERENCE
from conformance.requirements import Side
from conformance.results import Row
from conformance.sessions import CaseSessions
from conformance.settings import SelectedRow, Settings


def blank_row(selected: SelectedRow, settings: Settings, fuzz: Fuzz | None = None) -> Row:
    """The row of a case of which nothing is known yet but what it is."""
    case, subject = selected.case, selected.subject
    row = Row(
        case=selected.case_id,
        testee=subject.testee.name,
        side=case.side.value,
        scheme=subject.scheme,
        requirements=list(case.requirements),
        level=case.level.value,
        outcome=Outcome.PASSED,
        share=selected.shard + 1 if selected.shards > 1 else 0,
        reproduce=_reproduce(selected, settings, fuzz),
    )
    if fuzz is not None:
        counts = fuzz.counts
        row.generated, row.examples, row.processes = counts.calls, counts.examples, counts.processes
        row.features = dict(counts.features) if fuzz.choices.campaign else {}
        row.saved = fuzz.saved
    return row


def judge(
    selected: SelectedRow,
    settings: Settings,
    known: KnownFailures,
    sessions: CaseSessions | None,
    error: BaseException | None,
    trace: str,
) -> Row:
    """The row of a case that ended with ``error``, or without one; ``trace`` is pytest's account of the error.

    ``sessions`` are those of the case, or None where it did not come to them.
    """
    row = blank_row(selected, settings, sessions.fuzz if sessions is not None else None)
    started = sessions.started if sessions is not None else []
    if error is None:
        error = _broken_wire(started)
    if isinstance(error, CaseProblem):
        row.outcome, row.message = error.outcome, error.render()
    elif error is not None:
        row.outcome = Outcome.HARNESS_ERROR
        row.message = f"the harness failed: {type(error).__name__}: {error}"
    if error is not None:
        for session in started:
            _describe(row, session)
    if isinstance(error, CaseProblem):
        row.wire = error.wire or row.wire
    elif error is not None:
        row.stacks = trace
    _apply_known(row, known)
    return row


def _broken_wire(started: list[Session]) -> CaseProblem | None:
    """A failure that no wait has met: the testee wrote something that is no message, and the case went on."""
    for session in started:
        if session.wire.broken:
            return Failure("the testee wrote something that is no message", seen=session.wire.broken)
    return None


def _describe(row: Row, session: Session) -> None:
    row.wire += session.wire.render()
    row.crossings += [crossing.to_json() for crossing in session.wire.crossings()]
    printed = session.started.stderr.text() if session.started else ""
    row.stderr += printed.replace(session.stacks, "")[-4000:]
    row.stacks += session.stacks[:8000]


def _apply_known(row: Row, known: KnownFailures) -> None:
    entry = known.find(row.case, row.scheme)
    if entry is None or row.outcome in (Outcome.UNSUPPORTED, Outcome.NOT_RUN, Outcome.HARNESS_ERROR):
        return
    if row.outcome == Outcome.PASSED:
        row.outcome = Outcome.XPASSED
        row.message = f"this case is listed as failing in {entry.file}, and passed; listed reason: {entry.reason}"
    elif row.outcome in FAILURES and entry.message in row.message:
        row.outcome, row.reason = Outcome.XFAILED, entry.reason
    elif row.outcome in FAILURES:
        row.message += f"\n  {entry.file} lists this case with another message: {entry.message!r}"


def _reproduce(selected: SelectedRow, settings: Settings, fuzz: Fuzz | None) -> str:
    subject = selected.subject
    words = ["plugsvc-conformance", "run"]
    if subject.testee.command != REFERENCE:
        words += ["--testee", subject.testee.command]
    words += ["--case", selected.case_id]
    if subject.side is Side.PLUGIN:
        words += ["--scheme", subject.scheme]
    elif subject.side is Side.HOST:
        words += ["--bind", subject.scheme]
    if settings.timeout != 10.0:
        words += ["--timeout", f"{settings.timeout:g}"]
    if settings.scale != 1.0:
        words += ["--scale", f"{settings.scale:g}"]
    if fuzz is not None and fuzz.replay:
        words += [f"--replay={fuzz.replay}"]  # as one word: it may begin with a dash
    elif fuzz is not None:
        words += ["--seed", str(settings.seed), *_amount(settings)]
    return shlex.join(words)


def _amount(settings: Settings) -> list[str]:
    words = ["--profile", settings.profile] if settings.profile != "default" else []
    words += ["--examples", str(settings.examples)] if settings.examples else []
    words += ["--max-time", f"{settings.max_time:g}"] if settings.max_time else []
    return words + (["--shards", str(settings.shards)] if settings.shards > 1 else [])
