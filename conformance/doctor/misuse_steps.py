"""The steps of the doctor for misuse: a kind that does not exist, and each that is declared."""

from __future__ import annotations

from conformance.doctor.conversation import in_one_line
from conformance.doctor.steps import Examination, Log, Mistake, Skip, Step
from conformance.drive.capabilities import Role
from conformance.drive.misuse import MisuseSession
from conformance.drive.process import describe_status
from conformance.outcomes import CaseProblem
from conformance.requirements import Side

MADE_UP = "conformance-made-up"


def _role(examination: Examination) -> Role:
    role = examination.testee.role(Side.MISUSE)
    if role is None:
        raise Skip("the testee declares no misuse")
    return role


def _commit(examination: Examination, log: Log, kind: str) -> tuple[int, str, str]:
    session = MisuseSession(examination.testee, kind, timeout=examination.timeout)
    log.send("$ " + " ".join(session.child.argv))
    try:
        status, stdout, stderr = session.finish()
    except CaseProblem as problem:
        raise Mistake(in_one_line(problem)) from None
    finally:
        session.close()
    log.come(f"({describe_status(status)})")
    for name, text in (("output", stdout), ("error", stderr)):
        if text.strip():
            log.come(f"on standard {name}: {text.strip().splitlines()[-1]}")
    return status, stdout, stderr


def _unknown(examination: Examination, log: Log) -> None:
    _role(examination)
    status, stdout, stderr = _commit(examination, log, MADE_UP)
    if status != 0 or not stdout.startswith("unsupported:"):
        said = (stdout or stderr).strip().splitlines()[-1:] or ["nothing"]
        raise Mistake(
            f"the misuse {MADE_UP!r}, which does not exist, ended with {describe_status(status)} and {said[0]!r},"
            " expected exit 0 and 'unsupported: reason' on standard output"
        )


def _each(examination: Examination, log: Log) -> None:
    kinds = _role(examination).kinds
    if not kinds:
        raise Skip("the testee declares no kind")
    for kind in kinds:
        status, stdout, stderr = _commit(examination, log, kind)
        if status == 0 and not stdout.startswith(("unsupported:", "survived")):
            raise Mistake(
                f"the misuse {kind!r} ended with exit 0 and printed {stdout.strip()[:100]!r},"
                " expected 'survived' or 'unsupported: reason', or another status where it is refused"
            )
        if status != 0 and not stderr.strip():
            raise Mistake(f"the misuse {kind!r} was refused without a message on standard error")


MISUSE = "#4-misuse"
START = "misuse: a kind that does not exist"
STEPS = (
    Step(START, "'unsupported: reason' on standard output, and exit status 0", MISUSE, _unknown),
    Step(
        "misuse: each declared kind",
        "a refusal with a message, 'survived', or 'unsupported: reason'",
        MISUSE,
        _each,
        START,
    ),
)
"""The steps in their order."""
