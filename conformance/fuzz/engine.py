"""How generated examples are run: on warm processes, confirmed on fresh ones, shrunk within a budget.

A property is a function of a session and an example. It is run on one warm process after another example; when it
fails there, the example is tried again on a fresh process. If it fails again, that is the failure, and hypothesis
shrinks it; if it passes, the testee carries something over from call to call, which is reported as a fault of its own.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase, ExampleDatabase

from conformance.drive.capabilities import Role
from conformance.drive.session import Session
from conformance.outcomes import CaseProblem, Fault, Hang, HarnessError, Unsupported

EXAMPLES = {"quick": 10, "default": 60, "campaign": 100_000_000}
SHRINKING = 20.0
"""Seconds that shrinking may take; every try on a testee that hangs costs a whole wait."""


class _Leak(BaseException):
    """Failed on the warm process and not on a fresh one: nothing that hypothesis could shrink."""

    def __init__(self, problem: CaseProblem) -> None:
        self.problem = problem


@dataclass
class Choices:
    """What a run wants of its generated cases; ``hours`` bounds a campaign, ``replay`` is one example's choices."""

    profile: str = "default"
    examples: int | None = None
    seed: int = 0
    hours: float | None = None
    replay: str | None = None
    database: str | None = None

    @property
    def max_examples(self) -> int:
        """Examples a property."""
        return self.examples or EXAMPLES[self.profile]


@dataclass
class Counts:
    """How much was generated, for the report."""

    examples: int = 0
    calls: int = 0
    processes: int = 0


@dataclass
class Fuzz:
    """Runs properties on one subject; the fixture ``fuzz`` of a generated case."""

    start: Callable[[], Session]
    role: Role
    choices: Choices
    counts: Counts = field(default_factory=Counts)
    blob: str = ""
    _warm: Session | None = None
    _failed: dict[str, CaseProblem] = field(default_factory=dict)
    _until: float = 0.0

    def check(self, examples: st.SearchStrategy[Any], run: Callable[[Any, Any], int], *, fresh: bool = False) -> None:
        """Run ``run(session, example)``, which returns how many calls it made, for generated examples.

        ``fresh`` gives each example a process of its own, for examples that end the connection; there are a fifth as
        many then.

        Raises:
            CaseProblem: of the smallest example that fails, with the example in its note.
        """
        ends = time.monotonic() + self.choices.hours * 3600 if self.choices.hours else None

        def once(example: Any) -> None:
            if ends is not None and time.monotonic() > ends:
                return
            self.counts.examples += 1
            self._one(run, example)
            if fresh:
                self._end()

        prepared = hypothesis.given(examples)(once)
        prepared = hypothesis.settings(
            max_examples=max(5, self.choices.max_examples // (5 if fresh else 1)),
            deadline=None,
            database=self._database(),
            derandomize=False,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
            verbosity=Verbosity.quiet,
            report_multiple_bugs=False,
            print_blob=True,
        )(prepared)
        prepared = hypothesis.seed(self.choices.seed)(prepared)
        version = ""
        if self.choices.replay:
            version, data = _unpack(self.choices.replay)
            # Under this version's own number: the form of the data changes seldom, and a mismatch is told below.
            prepared = hypothesis.reproduce_failure(hypothesis.__version__, data)(prepared)
        try:
            prepared()
        except CaseProblem as problem:
            self.blob = _blob_of(problem)
            raise
        except _Leak as leak:
            raise leak.problem from None
        except (hypothesis.errors.DidNotReproduce, hypothesis.errors.InvalidArgument):
            if not version:
                raise
            here = f"; it was found with hypothesis {version}, this is {hypothesis.__version__}"
            text = "the example to be replayed passes now" + (here if version != hypothesis.__version__ else "")
            raise HarnessError(text) from None
        finally:
            if self._warm is not None and not self._failed:
                self._end()

    def _database(self) -> ExampleDatabase | None:
        return DirectoryBasedExampleDatabase(self.choices.database) if self.choices.database else None

    def _one(self, run: Callable[[Any, Any], int], example: Any) -> None:
        shown = repr(example)
        earlier = self._failed.get(shown)
        if earlier is not None:
            raise earlier
        if self._failed and time.monotonic() > self._until:
            return  # as if it passed: rejecting one that has passed before would look flaky to hypothesis
        session = self._warm
        fresh = session is None
        if session is None:
            session = self._begin()
        else:
            session.forget()
        try:
            self.counts.calls += run(session, example)
            return
        except Unsupported:
            raise
        except CaseProblem as problem:
            problem.wire = session.wire.render()
            self._end()
            first = problem
        if not fresh:
            session = self._begin()
            try:
                self.counts.calls += run(session, example)
            except CaseProblem as problem:
                problem.wire = session.wire.render()
                self._end()
                first = problem
            else:
                raise _Leak(_leak(first, shown))
        first.note = f"{first.note}\nexample: {_short(shown)}".strip()
        first.args = (first.render(),)
        if not self._failed:
            self._until = time.monotonic() + SHRINKING
        self._failed[shown] = first
        if isinstance(first, Hang):
            self._impatient()
        raise first

    def _begin(self) -> Session:
        self._warm = self.start()
        self.counts.processes += 1
        return self._warm

    def _end(self) -> None:
        if self._warm is not None:
            self._warm.close()
            self._warm = None

    def _impatient(self) -> None:
        """After the first hang, shorter waits do: the failure is found, and only shrunk from here on."""
        start = self.start

        def soon() -> Session:
            session = start()
            session.patience = min(session.patience, 1.0)
            return session

        self.start = soon


def _leak(problem: CaseProblem, shown: str) -> Fault:
    return Fault(
        "state leaks from call to call: an example fails on a process that has run others, and passes on a fresh one",
        expected="the same outcome on both",
        seen=problem.message,
        note=f"{problem.render()}\nexample: {_short(shown)}",
    )


def _short(text: str, limit: int = 2000) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def _blob_of(problem: BaseException) -> str:
    """The choices of the example as hypothesis writes them, with its version; for ``--replay``."""
    for note in getattr(problem, "__notes__", []):
        _, found, rest = note.partition("@reproduce_failure(")
        if found:
            version, blob = rest.partition(")")[0].split(", ", 1)
            return f"{version.strip(chr(39))}:{base64.b64decode(blob[2:-1]).hex()}"
    return ""


def _unpack(text: str) -> tuple[str, bytes]:
    version, colon, data = text.partition(":")
    try:
        if not colon:
            raise ValueError
        return version, base64.b64encode(bytes.fromhex(data))
    except ValueError:
        raise HarnessError(f"not an example to be replayed: {text[:60]}") from None
