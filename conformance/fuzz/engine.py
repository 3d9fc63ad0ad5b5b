"""How generated examples are run: on warm processes, confirmed on fresh ones, shrunk within a budget.

A property is a function of a session and an example. It is run on one warm process after another example; when it
fails there, the example is tried again on a fresh process. If it fails again, that is the failure, and hypothesis
shrinks it; if it passes, the testee carries something over from call to call, which is reported as a fault of its own.

What failed before runs first: the example of ``--replay`` alone, or the saved regressions, and then what the database
of hypothesis holds. New examples come in rounds, each with a seed of its own that follows from that of the run: a
campaign is as many of them as there is time for, and goes on with the next one when it is resumed.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, strategies as st
from hypothesis.database import ExampleDatabase

from conformance.drive.capabilities import Role
from conformance.drive.session import Session
from conformance.fuzz.database import OfCase, open_database
from conformance.fuzz.features import features
from conformance.fuzz.progress import Progress
from conformance.fuzz.record import RecordError, pack, unpack
from conformance.fuzz.regressions import Regression, save
from conformance.fuzz.shrink import smaller
from conformance.outcomes import CaseProblem, Failure, HarnessError, Timeout, Unsupported

EXAMPLES = {"quick": 30, "default": 180}
CAMPAIGN = "campaign"
ROUND = 200
"""Examples of one round of a campaign: hypothesis remembers all that it has tried in a round."""
FRESH = 5
"""There are so many times fewer examples where each has a process of its own."""
SHRINKING = 15.0
"""Seconds that shrinking may take; every try on a testee that hangs costs a whole wait."""
NARROWING = 10.0
"""Seconds that leaving out steps may take after it."""


class _Leak(BaseException):
    """Failed on the warm process and not on a fresh one: nothing that hypothesis could shrink."""

    def __init__(self, problem: CaseProblem) -> None:
        self.problem = problem


class _TimeIsUp(BaseException):
    """The campaign ends in the middle of a round."""


@dataclass
class Choices:
    """What a run wants of one generated case.

    ``seconds`` bounds a campaign; ``share`` of ``shares`` tells apart the parts in which one case is run side by side;
    ``replay`` is one example (`record.pack`), ``regressions`` those that run first, ``save`` the folder for new ones.
    """

    profile: str = "default"
    examples: int | None = None
    seed: int = 0
    seconds: float | None = None
    share: int = 0
    shares: int = 1
    replay: str | None = None
    database: str | None = None
    regressions: tuple[Regression, ...] = ()
    save: str | None = None
    progress: str | None = None

    @property
    def campaign(self) -> bool:
        """Whether it goes on, round after round, until time or count is up."""
        return self.profile == CAMPAIGN

    @property
    def max_examples(self) -> int | None:
        """Examples of this share; None where only the time ends them."""
        whole = self.examples or EXAMPLES.get(self.profile)
        return None if whole is None else -(-whole // self.shares)

    def seed_of(self, number: int) -> int:
        """The seed of a round; the first round of a case that is not split has that of the run."""
        if self.share == number == 0:
            return self.seed
        return random.Random(f"{self.seed}/{self.share}/{number}").getrandbits(32)


@dataclass
class Counts:
    """How much was generated, for the report."""

    examples: int = 0
    calls: int = 0
    processes: int = 0
    rounds: int = 0
    features: Counter[str] = field(default_factory=Counter)


@dataclass
class Fuzz:
    """Runs properties on one subject; the fixture ``fuzz_plugin`` or ``fuzz_host`` of a generated case."""

    start: Callable[[], Session]
    role: Role
    choices: Choices
    case: str = ""
    counts: Counts = field(default_factory=Counts)
    replay: str = ""
    saved: str = ""
    _warm: Session | None = None
    _failed: dict[str, CaseProblem] = field(default_factory=dict)
    _until: float = 0.0
    _narrowing: bool = False

    def check(self, examples: st.SearchStrategy[Any], run: Callable[[Any, Any], int], *, fresh: bool = False) -> None:
        """Run ``run(session, example)``, which returns how many calls it made, for generated examples.

        ``fresh`` gives each example a process of its own, for examples that end the connection; there are a fifth as
        many then.

        Raises:
            CaseProblem: of the smallest example that fails, with the example in its note.
        """
        try:
            if self.choices.replay is not None:
                self._replay(self.choices.replay, run)
                return
            for regression in self.choices.regressions:
                self._rerun(regression, run, fresh)
            self._narrowing = self.choices.replay is None
            self._generate(examples, run, fresh)
        except _Leak as leak:
            raise leak.problem from None
        except CaseProblem as problem:
            least = self._narrow(problem, run, fresh)
            self._keep(least)
            raise least from None
        finally:
            if self._warm is not None and not self._failed:
                self._end()

    # --- what failed before --------------------------------------------------------------------

    def _replay(self, word: str, run: Callable[[Any, Any], int]) -> None:
        try:
            case, example = unpack(word)
        except RecordError as error:
            raise HarnessError(str(error)) from None
        if case != self.case:
            raise HarnessError(f"the example to be replayed is one of {case}, not of {self.case}")
        self._try(run, example)
        raise HarnessError("the example to be replayed passes now")

    def _rerun(self, regression: Regression, run: Callable[[Any, Any], int], fresh: bool) -> None:
        try:
            self._try(run, regression.example)
        except CaseProblem as problem:
            problem.note = f"{problem.note}\nsaved regression: {regression.file}".strip()
            problem.args = (problem.render(),)
            raise
        if fresh:
            self._end()

    def _narrow(self, problem: CaseProblem, run: Callable[[Any, Any], int], fresh: bool) -> CaseProblem:
        """The problem of a still smaller example, where one that is generated fails in the same way."""
        if not self._narrowing or getattr(problem, "example", None) is None:
            return problem
        self._until = time.monotonic() + NARROWING
        tried = True
        while tried:
            tried = False
            for candidate in smaller(problem.example):  # type: ignore[attr-defined]
                if time.monotonic() > self._until:
                    return problem
                try:
                    self._try(run, candidate)
                    if fresh:
                        self._end()
                except _Leak:
                    continue
                except CaseProblem as other:
                    if type(other) is type(problem):
                        problem, tried = other, True
                        break
        return problem

    def _keep(self, problem: CaseProblem) -> None:
        """Remember the failed example for the report, and save it where that is wanted."""
        example = getattr(problem, "example", None)
        if example is None:
            return
        self.replay = pack(self.case, example)
        if self.choices.save is not None and self.choices.replay is None:
            self.saved = save(self.choices.save, self.case, example, problem, _short(repr(example)))

    # --- new examples --------------------------------------------------------------------------

    def _generate(self, examples: st.SearchStrategy[Any], run: Callable[[Any, Any], int], fresh: bool) -> None:
        """Round after round; one, where it is no campaign."""
        choices, database = self.choices, self._database()
        progress = Progress.load(choices.progress, f"{self.case}#{choices.share}") if choices.progress else Progress()
        base = self.counts.examples
        progress.into(self.counts)
        most = choices.max_examples
        if most is not None and fresh:
            most = max(5, most // FRESH)
        began, before = time.monotonic(), progress.seconds
        ends = began + choices.seconds - before if choices.seconds is not None and choices.campaign else None
        try:
            while ends is None or time.monotonic() < ends:
                left = ROUND if most is None else most - (self.counts.examples - base)
                if left <= 0:
                    break
                size = min(ROUND, left) if choices.campaign else left
                self._round(examples, run, fresh, size=size, ends=ends, database=database)
                self.counts.rounds += 1
                if not choices.campaign:
                    break
                progress.note(self.counts, before + time.monotonic() - began)
        except _TimeIsUp:
            pass
        finally:
            progress.note(self.counts, before + time.monotonic() - began)

    def _round(
        self,
        examples: st.SearchStrategy[Any],
        run: Callable[[Any, Any], int],
        fresh: bool,
        *,
        size: int,
        ends: float | None,
        database: ExampleDatabase | None,
    ) -> None:
        def once(example: Any) -> None:
            if ends is not None and time.monotonic() > ends and not self._failed:
                raise _TimeIsUp
            self._try(run, example)
            if fresh:
                self._end()

        # The seed before the settings: it would take the database away from them.
        prepared = hypothesis.seed(self.choices.seed_of(self.counts.rounds))(hypothesis.given(examples)(once))
        prepared = hypothesis.settings(
            max_examples=size,
            deadline=None,
            database=database,
            derandomize=False,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.reuse, Phase.generate, Phase.shrink),
            verbosity=Verbosity.quiet,
            report_multiple_bugs=False,
            print_blob=False,
        )(prepared)
        prepared()

    def _database(self) -> ExampleDatabase | None:
        return OfCase(open_database(self.choices.database), self.case) if self.choices.database else None

    # --- one example ---------------------------------------------------------------------------

    def _try(self, run: Callable[[Any, Any], int], example: Any) -> None:
        shown = repr(example)
        earlier = self._failed.get(shown)
        if earlier is not None:
            raise earlier
        if self._failed and time.monotonic() > self._until:
            return  # as if it passed: rejecting one that has passed before would look flaky to hypothesis
        self.counts.examples += 1
        self.counts.features.update(features(example))
        session = self._warm
        fresh = session is None
        if session is None:
            session = self._begin()
        else:
            session.forget()
        try:
            self.counts.calls += run(session, example)
            if session.spent:
                self._end()
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
        first.example = example  # type: ignore[attr-defined]
        if not self._failed:
            self._until = time.monotonic() + SHRINKING
        self._failed[shown] = first
        if isinstance(first, Timeout):
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
            session.timeout = min(session.timeout, 1.0)
            return session

        self.start = soon


def _leak(problem: CaseProblem, shown: str) -> Failure:
    return Failure(
        "state leaks from call to call: an example fails on a process that has run others, and passes on a fresh one",
        expected="the same outcome on both",
        seen=problem.message,
        note=f"{problem.render()}\nexample: {_short(shown)}",
    )


def _short(text: str, limit: int = 2000) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
