"""The processes of one case: started for it, and ended after it whatever came of it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from conformance.drive.host import HostSession
from conformance.drive.misuse import MisuseSession
from conformance.drive.plugin import PluginSession
from conformance.drive.session import Session
from conformance.drive.transports import TRANSPORTS
from conformance.fuzz.engine import Choices, Fuzz
from conformance.outcomes import Unsupported
from conformance.requirements import Side
from conformance.settings import Plan, SelectedRow


class CaseSessions:
    """Starts the testee for a case; ``started`` are the sessions so far, ``fuzz`` what generates examples, if any.

    Raises:
        Unsupported: the testee does not declare what the case needs.
    """

    def __init__(self, plan: Plan, row: SelectedRow) -> None:
        self.plan, self.row = plan, row
        self.started: list[Session] = []
        self.fuzz: Fuzz | None = None
        role = row.subject.testee.role(row.case.side)
        assert role is not None
        self.role = role
        skip_reason = row.subject.skip_reason or row.case.reason_to_skip(role.takes, role.features)
        if skip_reason:
            raise Unsupported(skip_reason)

    def start(self, *args: Any, **options: Any) -> Session:
        """Start the side of the testee that the case is about; the session is ended after the case."""
        session = self._start(*args, **options)
        self.started.append(session)
        return session

    def generate(self) -> Fuzz:
        """What runs generated examples; of its sessions only the last is kept: its wire shows the smallest example."""

        def start() -> Session:
            session = self._start()
            self.close()
            self.started[:] = [session]
            if isinstance(session, HostSession):
                session.connect()
            return session

        self.fuzz = Fuzz(start, self.role, self._choices(), self.row.case_id)
        return self.fuzz

    def close(self) -> None:
        """End every session, also where ending one of them fails."""
        with ExitStack() as stack:
            for session in self.started:
                stack.callback(session.close)

    def _start(self, *args: Any, **options: Any) -> Session:
        subject = self.row.subject
        settings = self.plan.settings_of(subject.testee.name)
        options.setdefault("timeout", settings.timeout)
        if subject.side is Side.MISUSE:
            return MisuseSession(subject.testee, *args, **options)
        options.setdefault("scale", settings.scale)
        if subject.side is Side.HOST:
            options.setdefault("bind", subject.scheme)
            return HostSession(subject.testee, *args, **options)
        if "urls" not in options:
            options.setdefault("endpoint", TRANSPORTS[subject.scheme].make)
        return PluginSession(subject.testee, *args, **options)

    def _choices(self) -> Choices:
        row = self.row
        settings = self.plan.settings_of(row.subject.testee.name)
        saved = settings.saved() if row.shard == 0 else []
        return Choices(
            profile=settings.profile,
            examples=settings.examples,
            seed=settings.seed or 0,
            seconds=self.plan.seconds,
            share=row.shard,
            shares=settings.shards,
            replay=settings.replay,
            database=settings.database,
            regressions=tuple(each for each in saved if each.case == row.case_id),
            save=settings.save_regressions,
            progress=settings.resume,
        )
