"""The state of one run inside pytest: the plan, the sessions of the case at hand, the rows so far."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from conformance.case import ATTRIBUTE, Case
from conformance.drive.capabilities import TesteeError
from conformance.drive.host import HostSession
from conformance.drive.misuse import MisuseSession
from conformance.drive.plugin import PluginSession
from conformance.drive.process import become_subreaper, kill_leftovers, protect_children
from conformance.drive.session import Session
from conformance.drive.transports import TRANSPORTS
from conformance.fuzz.engine import CAMPAIGN, Choices, Fuzz
from conformance.outcomes import FAILURES, CaseProblem, ExitCode, Outcome, Unsupported
from conformance.plan import REFERENCE, make_plan
from conformance.report.table import table_lines
from conformance.requirements import Side
from conformance.results import Row, report, verdict
from conformance.settings import REFUSED, Plan, Settings, Subject

_SESSIONS = pytest.StashKey[list[Session]]()
_FUZZ = pytest.StashKey[Fuzz]()
_STARTED = pytest.StashKey[float]()


class Runner:
    """One run; a parallel run has one in the controller and one in each worker."""

    def __init__(self, plan: Plan, *, json_path: str | None = None, events: int | None = None) -> None:
        self.plan = plan
        self.settings = plan.settings
        self.rows: list[Row] = []
        self._known = plan.settings.known()
        self._regressions = plan.settings.saved()
        self._json_path = json_path
        self._events = os.fdopen(os.dup(events), "w", encoding="utf-8") if events is not None else None
        self._subreaper = False

    @classmethod
    def of(cls, config: pytest.Config) -> Runner:
        """The run that the command line asks for; ends pytest with the documented status when it cannot be done."""
        handed_down = getattr(config, "workerinput", {}).get("conformance")
        if handed_down is not None:
            return cls(Plan.from_json(handed_down))
        try:
            return cls(
                _plan(config),
                json_path=config.option.conformance_json,
                events=config.option.conformance_events,
            )
        except REFUSED as error:
            pytest.exit(f"conformance: {error}", returncode=ExitCode.USAGE)
        except TesteeError as error:
            pytest.exit(f"conformance: {error}", returncode=ExitCode.CANNOT_RUN)

    # --- selection -----------------------------------------------------------------------------

    def subjects(self, case: Case) -> list[Subject]:
        """What a case is run on."""
        return self.settings.subjects(self.plan.testees, case)

    def wants(self, item: pytest.Function) -> bool:
        """Whether a collected item is part of the run."""
        case, subject, case_id = _case(item), _subject(item), _case_id(item)
        if subject is None or not self.settings.selects(case, case_id):
            return False
        return self.settings.runs(case, case_id, subject)

    # --- the case at hand ----------------------------------------------------------------------

    def sessions(self, item: pytest.Function, subject: Subject, kind: str) -> Iterator[Callable[..., Session]]:
        """The fixture behind ``start_plugin``, ``start_host`` and ``misuse``."""
        case = _case(item)
        role = subject.testee.role(subject.side)
        assert role is not None
        skip_reason = subject.skip_reason or case.reason_to_skip(role.takes, role.features)
        if skip_reason:
            raise Unsupported(skip_reason)
        self._adopt()
        started: list[Session] = []
        item.stash[_SESSIONS] = started

        def start(*args: Any, **options: Any) -> Session:
            session = self._start(subject, kind, *args, **options)
            started.append(session)
            return session

        yield start
        for session in started:
            session.close()
        kill_leftovers()

    def _adopt(self) -> None:
        if not self._subreaper:
            become_subreaper()
            protect_children()
            self._subreaper = True

    def fuzz(self, item: pytest.Function, subject: Subject, kind: str, share: int) -> Iterator[Fuzz]:
        """The fixture behind ``fuzz_plugin`` and ``fuzz_host``."""
        role = subject.testee.role(subject.side)
        assert role is not None
        skip_reason = subject.skip_reason or _case(item).reason_to_skip(role.takes, role.features)
        if skip_reason:
            raise Unsupported(skip_reason)
        self._adopt()
        last: list[Session] = []
        item.stash[_SESSIONS] = last  # only the last process: its wire shows the smallest example

        def start() -> Session:
            session = self._start(subject, kind)
            for old in last:
                old.close()
            last[:] = [session]
            if isinstance(session, HostSession):
                session.connect()
            return session

        made = item.stash[_FUZZ] = Fuzz(start, role, self._choices(item, share), _case_id(item))
        yield made
        for session in last:
            session.close()
        kill_leftovers()

    def _choices(self, item: pytest.Function, share: int) -> Choices:
        settings, case_id = self.settings, _case_id(item)
        return Choices(
            profile=settings.profile,
            examples=settings.examples,
            seed=settings.seed or 0,
            seconds=self.plan.seconds,
            share=share,
            shares=settings.shards,
            replay=settings.replay,
            database=settings.database,
            regressions=tuple(each for each in self._regressions if each.case == case_id) if share == 0 else (),
            save=settings.save_regressions,
            progress=settings.resume,
        )

    def _start(self, subject: Subject, kind: str, *args: Any, **options: Any) -> Session:
        options.setdefault("timeout", self.settings.timeout)
        if kind == "misuse":
            return MisuseSession(subject.testee, *args, **options)
        options.setdefault("scale", self.settings.scale)
        if kind == "host":
            options.setdefault("bind", subject.scheme)
            return HostSession(subject.testee, *args, **options)
        if "urls" not in options:
            options.setdefault("endpoint", TRANSPORTS[subject.scheme].make)
        return PluginSession(subject.testee, *args, **options)

    def judge(self, item: pytest.Function, call: pytest.CallInfo[None], rep: pytest.TestReport) -> None:
        """Put the outcome of a case onto pytest's report of it."""
        if call.when == "setup":
            item.stash[_STARTED] = call.start
        failed = call.excinfo is not None
        if not failed and call.when != "call":
            return
        row = self._row(item, call)
        problem = _problem_of_messages(item, call)
        if problem is not None:
            row.outcome, row.message = problem.outcome, problem.render()
        elif failed:
            error = call.excinfo.value if call.excinfo else None
            if isinstance(error, CaseProblem):
                row.outcome, row.message = error.outcome, error.render()
            else:
                row.outcome = Outcome.HARNESS_ERROR
                row.message = f"the harness failed: {type(error).__name__}: {error}"
                row.stacks = str(rep.longrepr)
            if isinstance(error, CaseProblem) and error.wire:
                row.wire = error.wire
        self._apply_known(row)
        _show(rep, row, item)
        row.outcome = str(row.outcome)  # plain data: it travels with the report, also between processes
        rep.conformance = asdict(row)  # type: ignore[attr-defined]

    def forget(self, item: pytest.Function) -> None:
        """Let go of what a case has used: pytest keeps its items to the end, and messages may be large."""
        if _SESSIONS in item.stash:
            del item.stash[_SESSIONS]
        if _FUZZ in item.stash:
            del item.stash[_FUZZ]

    def _row(self, item: pytest.Function, call: pytest.CallInfo[None]) -> Row:
        case, subject = _case(item), _subject(item)
        assert subject is not None
        case_id = _case_id(item)
        row = Row(
            case=case_id,
            testee=subject.testee.name,
            side=case.side.value,
            scheme=subject.scheme,
            requirements=list(case.requirements),
            level=case.level.value,
            outcome=Outcome.PASSED,
            duration=round(time.time() - item.stash.get(_STARTED, call.start), 6),
            reproduce=self._reproduce(subject, case_id, item.stash.get(_FUZZ, None)),
        )
        if _FUZZ in item.stash:
            _count_generated(row, item.stash[_FUZZ])
        if call.excinfo is not None:
            sessions = item.stash.get(_SESSIONS, [])
            for session in sessions:
                row.wire += session.wire.render()
                printed = session.started.stderr.text() if session.started else ""
                row.stderr += printed.replace(session.stacks, "")[-4000:]
                row.stacks += session.stacks[:8000]
        return row

    def _reproduce(self, subject: Subject, case_id: str, fuzz: Fuzz | None) -> str:
        words = ["plugsvc-conformance", "run"]
        if subject.testee.command != REFERENCE:
            words += ["--testee", subject.testee.command]
        words += ["--case", case_id]
        if subject.side is Side.PLUGIN:
            words += ["--scheme", subject.scheme]
        elif subject.side is Side.HOST:
            words += ["--bind", subject.scheme]
        if self.settings.timeout != 10.0:
            words += ["--timeout", f"{self.settings.timeout:g}"]
        if self.settings.scale != 1.0:
            words += ["--scale", f"{self.settings.scale:g}"]
        if fuzz is not None and fuzz.replay:
            words += [f"--replay={fuzz.replay}"]  # as one word: it may begin with a dash
        elif fuzz is not None:
            words += ["--seed", str(self.settings.seed), *self._amount()]
        return shlex.join(words)

    def _amount(self) -> list[str]:
        settings = self.settings
        words = ["--profile", settings.profile] if settings.profile != "default" else []
        words += ["--examples", str(settings.examples)] if settings.examples else []
        words += ["--max-time", f"{settings.max_time:g}"] if settings.max_time else []
        return words + (["--shards", str(settings.shards)] if settings.shards > 1 else [])

    def _apply_known(self, row: Row) -> None:
        entry = self._known.find(row.case, row.scheme)
        if entry is None or row.outcome in (Outcome.UNSUPPORTED, Outcome.NOT_RUN, Outcome.HARNESS_ERROR):
            return
        if row.outcome == Outcome.PASSED:
            row.outcome = Outcome.XPASSED
            row.message = f"this case is listed as failing in {entry.file}, and passed; listed reason: {entry.reason}"
        elif row.outcome in FAILURES and entry.message in row.message:
            row.outcome, row.reason = Outcome.XFAILED, entry.reason
        elif row.outcome in FAILURES:
            row.message += f"\n  {entry.file} lists this case with another message: {entry.message!r}"

    # --- the whole run -------------------------------------------------------------------------

    def collect(self, row: dict[str, Any]) -> None:
        """Take a row; in a parallel run it comes from a worker."""
        made = Row(**row)
        earlier = next((old for old in self.rows if _key(old) == _key(made)), None)
        if earlier is not None:  # the teardown of a case that had its row already
            self.rows.remove(earlier)
        self.rows.append(made)
        self._event("result", row)

    def _event(self, kind: str, data: dict[str, Any]) -> None:
        if self._events is not None:
            self._events.write(json.dumps({"event": kind, **data}) + "\n")
            self._events.flush()

    def finish(self, exitstatus: int, session: pytest.Session) -> int:
        """The exit status of the run; writes the JSON report."""
        code: int = verdict(self.rows, strict=self.settings.strict)
        broken = session.testsfailed and not any(row.outcome != Outcome.PASSED for row in self.rows)
        if broken or exitstatus == pytest.ExitCode.INTERNAL_ERROR:
            code = ExitCode.CANNOT_RUN  # something failed that is no case: a module that cannot be imported, say
        elif exitstatus in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.USAGE_ERROR):
            code = ExitCode.USAGE
        if self._json_path:
            data = report(self.rows, self.plan.testees, exit_code=code, seed=self.settings.seed)
            try:
                Path(self._json_path).write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
            except OSError as error:
                print(f"conformance: {self._json_path}: {error.strerror}", file=sys.stderr)
                code = ExitCode.USAGE
        self._event("finish", {"exit": code})
        return code

    def table(self) -> list[str]:
        """The final table as plain lines."""
        return table_lines(self.rows, self.plan.testees)


def _plan(config: pytest.Config) -> Plan:
    option = config.option
    if option.conformance_plan:
        return Plan.from_json(json.loads(Path(option.conformance_plan).read_text(encoding="utf-8")))
    workers = len(getattr(option, "tx", None) or []) or 1
    settings = Settings(
        side=option.side and Side(option.side).value,
        schemes=tuple(option.scheme),
        binds=tuple(option.bind),
        cases=tuple(option.case),
        skips=tuple(option.skip),
        level=option.level,
        strict=option.strict_should,
        timeout=option.conformance_timeout,
        scale=option.conformance_scale,
        profile=option.profile,
        examples=option.examples,
        seed=option.seed,
        max_time=option.max_time,
        replay=option.replay,
        database=option.database,
        regressions=tuple(option.regressions),
        save_regressions=option.save_regressions,
        resume=option.resume,
        shards=option.shards or (workers if option.profile == CAMPAIGN else 1),
        workers=workers,
        generated_only=option.generated_only,
        known_failures=tuple(option.known_failures),
    )
    return make_plan(settings, option.testee)


def _case(item: pytest.Function) -> Case:
    case: Case = getattr(item.function, ATTRIBUTE)
    return case


def _subject(item: pytest.Function) -> Subject | None:
    subject = item.callspec.params["subject"]
    assert subject is None or isinstance(subject, Subject)
    return subject


def _case_id(item: pytest.Function) -> str:
    case = _case(item)
    if not case.each:
        return case.id
    value = item.callspec.params["each"]
    name = next(name for name, variant in case.each.items() if variant is value)
    return f"{case.id}[{name}]"


def _key(row: Row) -> tuple[str, str, str]:
    return row.label, row.testee, row.scheme


def _count_generated(row: Row, fuzz: Fuzz) -> None:
    counts, choices = fuzz.counts, fuzz.choices
    row.generated, row.examples, row.processes = counts.calls, counts.examples, counts.processes
    row.features = dict(counts.features) if choices.campaign else {}
    row.share = choices.share + 1 if choices.shares > 1 else 0
    row.saved = fuzz.saved


def _problem_of_messages(item: pytest.Function, call: pytest.CallInfo[None]) -> CaseProblem | None:
    """A fault that no wait has met: the testee wrote something that is no message, and the case went on."""
    if call.when != "call" or call.excinfo is not None:
        return None
    for session in item.stash.get(_SESSIONS, []):
        if session.wire.broken:
            from conformance.outcomes import Failure

            return Failure("the testee wrote something that is no message", seen=session.wire.broken)
    return None


def _show(rep: pytest.TestReport, row: Row, item: pytest.Function) -> None:
    """Make pytest's own report say the same."""
    if row.outcome == Outcome.PASSED:
        return
    if row.outcome == Outcome.XFAILED:
        rep.outcome, rep.wasxfail = "skipped", row.reason
        rep.longrepr = row.message
    elif row.outcome in (Outcome.UNSUPPORTED, Outcome.NOT_RUN):
        rep.outcome = "skipped"
        rep.longrepr = (str(item.path), item.location[1] or 0, f"{row.outcome}: {row.message}")
    else:
        rep.outcome = "failed"
        from conformance.report.failure import failure_lines

        rep.longrepr = "\n".join(failure_lines(row))
