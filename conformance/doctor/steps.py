"""What a step of the doctor is, what comes of it, and the order in which steps are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from conformance.drive.capabilities import Testee

OK, WRONG, SKIPPED = "ok", "wrong", "skipped"
SHOWN = 400
"""Characters that are shown of anything that was sent or came."""


class Mistake(Exception):
    """The testee breaks the contract; the text is one sentence."""


class Skip(Exception):
    """A step that cannot be made; the text says why."""


@dataclass
class Log:
    """What was sent to the testee in a step, and what came from it: pairs of ``sent`` or ``came`` and a text."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    def send(self, text: str) -> None:
        """Note something that is sent."""
        self.lines.append(("sent", _shorten(text)))

    def come(self, text: str) -> None:
        """Note something that came."""
        self.lines.append(("came", _shorten(text)))


@dataclass(frozen=True)
class Examination:
    """A testee with the time that each wait of a step may take, in seconds."""

    testee: Testee
    timeout: float


@dataclass(frozen=True)
class Step:
    """One step: ``run`` raises `Mistake` or `Skip`.

    ``place`` is the section of the contract, ``needs`` names a step without which this one says nothing.
    """

    name: str
    expected: str
    place: str
    run: Callable[[Examination, Log], None]
    needs: str = ""


@dataclass(frozen=True)
class Finding:
    """What came of a step; ``problem`` is the mistake, or the reason why the step was skipped."""

    step: Step
    state: str
    log: Log
    problem: str = ""


def examine(examination: Examination, steps: Iterable[Step]) -> Iterator[Finding]:
    """Make the steps one after the other."""
    found: dict[str, str] = {}
    for step in steps:
        finding = _skipped(step, found) or _make(examination, step)
        found[step.name] = finding.state
        yield finding


def _skipped(step: Step, found: Mapping[str, str]) -> Finding | None:
    if found.get(step.needs, OK) == OK:
        return None
    return Finding(step, SKIPPED, Log(), f"it needs the step {step.needs!r}")


def _make(examination: Examination, step: Step) -> Finding:
    log = Log()
    try:
        step.run(examination, log)
    except Mistake as mistake:
        return Finding(step, WRONG, log, str(mistake))
    except Skip as reason:
        return Finding(step, SKIPPED, log, str(reason))
    return Finding(step, OK, log)


def _shorten(text: str) -> str:
    text = text.rstrip("\n")
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"
