"""What a run was asked to do, checked before anything is started."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from conformance import selection
from conformance.case import Case, catalogue, matches
from conformance.configuration import ConfigurationError, ConfiguredTestee
from conformance.drive.capabilities import Testee
from conformance.drive.transports import TRANSPORTS, bind_of
from conformance.fuzz.database import DatabaseError, open_database
from conformance.fuzz.engine import CAMPAIGN
from conformance.fuzz.record import RecordError, unpack
from conformance.fuzz.regressions import Regression, RegressionError, load as load_regressions
from conformance.known_failures import KnownFailures, KnownFailuresError
from conformance.requirements import Level, Side


class UsageError(Exception):
    """The run cannot be done as it was asked for; one line."""


Key = tuple[str, str, str]
"""What no two rows of a run have in common: case with share, testee, transport."""

REFUSED = (UsageError, ConfigurationError, KnownFailuresError, RegressionError, DatabaseError)
"""What is raised for choices that cannot be followed: a matter of the command line, or of a file that it names."""


@dataclass(frozen=True)
class Subject:
    """A testee on one side, over one transport (of the suite for a plugin, a bind for a host).

    ``first``: every case is run over this transport. ``skip_reason`` says why the testee cannot run the case.
    """

    testee: Testee
    side: Side
    scheme: str
    first: bool = True
    skip_reason: str = ""

    @property
    def id(self) -> str:
        """As it stands in the node id of pytest."""
        return f"{self.testee.name}-{self.scheme}" if self.scheme else self.testee.name


@dataclass(frozen=True)
class SelectedRow:
    """One row that a run will have: a variant of a case on a subject, or a shard of it, counted from 0."""

    case: Case
    variant: str
    subject: Subject
    shard: int = 0
    shards: int = 1

    @property
    def case_id(self) -> str:
        """The id of the case with its variant."""
        return f"{self.case.id}[{self.variant}]" if self.variant else self.case.id

    @property
    def key(self) -> Key:
        """What no two rows of a run have in common, as `conformance.results.Row` has it."""
        label = f"{self.case_id}#{self.shard + 1}" if self.shards > 1 else self.case_id
        return label, self.subject.testee.name, self.subject.scheme

    @property
    def parameters(self) -> str:
        """What stands in the brackets of the node id; plain ASCII, so that pytest takes it as it is."""
        shard = f"share{self.shard + 1}" if self.shards > 1 else ""
        text = "-".join(part for part in (self.variant, shard, self.subject.id) if part)
        return re.sub(r"[^ -~]|\\", lambda found: f"u{ord(found[0]):x}", text)

    @property
    def node(self) -> str:
        """The node id of pytest without the folder."""
        function = self.case.function
        return f"{function.__module__.rpartition('.')[2]}.py::{function.__name__}[{self.parameters}]"


@dataclass(frozen=True)
class TesteeOptions:
    """What a testee has of its own, beside the settings of the run."""

    __test__ = False  # not a test class, whatever its name begins with

    transports: tuple[str, ...] = ()
    timeout: float | None = None
    known_failures: tuple[str, ...] = ()
    skips: tuple[str, ...] = ()


def options_of(testee: ConfiguredTestee, given: Iterable[str]) -> TesteeOptions:
    """The options of a configured testee; what the command line says itself comes first."""
    explicit = set(given)
    return TesteeOptions(
        transports=() if explicit & {"schemes", "binds"} else testee.transports,
        timeout=None if "timeout" in explicit else testee.timeout,
        known_failures=testee.known_failures,
        skips=testee.skips,
    )


@dataclass(frozen=True)
class Settings:
    """The choices of a run. ``timeout`` bounds each single wait, in seconds.

    ``shard`` is (I, N): of all rows the I-th of N parts, counted from 1. ``only`` are the rows to run, None for all;
    ``first`` are those to run before the others.

    ``spread`` adds the selection of `conformance.selection` over the other transports, where no transport is chosen.
    ``shards`` is the number of shares in which each generated case is run, ``workers`` that of the
    processes that run cases.
    """

    side: str | None = None
    schemes: tuple[str, ...] = ()
    binds: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    skips: tuple[str, ...] = ()
    level: str = "MAY"
    strict: bool = False
    timeout: float = 10.0
    scale: float = 1.0
    profile: str = "default"
    examples: int | None = None
    seed: int | None = None
    max_time: float | None = None
    replay: str | None = None
    database: str | None = None
    regressions: tuple[str, ...] = ()
    save_regressions: str | None = None
    resume: str | None = None
    shards: int = 1
    workers: int = 1
    generated_only: bool = False
    known_failures: tuple[str, ...] = ()
    spread: bool = True
    shard: tuple[int, int] | None = None
    only: tuple[Key, ...] | None = None
    first: tuple[Key, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For the workers of a parallel run."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Settings:
        """The inverse of `to_json`."""
        return cls(**{key: _tuples(value) for key, value in data.items()})

    def for_testee(self, testee: Testee, options: TesteeOptions) -> Settings:
        """The settings for a testee that has options of its own.

        Raises:
            UsageError: a transport that neither the suite nor the testee has.
        """
        role = testee.role(Side.HOST)
        declared = role.binds if role else ()
        for name in options.transports:
            if name not in TRANSPORTS and name not in declared and name != selection.ALL:
                raise UsageError(f"{testee.name}: transports: {name}: no such transport")
        binds = [bind for name in options.transports for bind in _binds(name, declared)]
        return replace(
            self,
            schemes=tuple(name for name in options.transports if name in (*TRANSPORTS, selection.ALL)) or self.schemes,
            binds=tuple(dict.fromkeys(binds)) or self.binds,
            timeout=options.timeout or self.timeout,
            known_failures=(*self.known_failures, *options.known_failures),
            skips=(*self.skips, *options.skips),
        )

    def saved(self) -> list[Regression]:
        """The regressions of all the folders.

        Raises:
            RegressionError: a file cannot be read or is not of the form.
        """
        own = [self.save_regressions] if self.save_regressions else []
        return load_regressions(dict.fromkeys([*self.regressions, *own]))

    def shards_of(self, case: Case) -> int:
        """In how many shares a case is run."""
        return self.shards if case.generated and self.replay is None else 1

    def known(self) -> KnownFailures:
        """The known failures of all the files.

        Raises:
            KnownFailuresError: a file cannot be read or is not of the form.
        """
        return KnownFailures.load(self.known_failures)

    def subjects(self, testees: Iterable[Testee], case: Case) -> list[Subject]:
        """What a case is run on; `runs` tells of which of its variants."""
        found: list[Subject] = []
        for testee in testees:
            role = testee.role(case.side)
            if role is None or (self.side not in (None, case.side.value)):
                continue
            if case.side is Side.MISUSE:
                found.append(Subject(testee, case.side, ""))
                continue
            transports = [
                transport
                for transport in selection.transports_of(role, case.side)
                if self._chosen(case.side, transport)
            ]
            able = [transport for transport in transports if selection.applies(case, transport)]
            if not able and not self._choice(case.side):
                skip_reason = selection.reason_to_skip(case)
                found.append(Subject(testee, case.side, transports[0] if transports else "", skip_reason=skip_reason))
            found += [Subject(testee, case.side, transport, first=transport == able[0]) for transport in able]
        return [subject for subject in found if any(self.runs(case, case_id, subject) for case_id in case.ids)]

    def runs(self, case: Case, case_id: str, subject: Subject) -> bool:
        """Whether a variant of a case is run over the subject's transport."""
        if subject.first:
            return True
        if self._choice(subject.side):
            return not selection.once(case_id)
        return self.spread and selection.everywhere(case, case_id)

    def _choice(self, side: Side) -> tuple[str, ...]:
        return self.schemes if side is Side.PLUGIN else self.binds if side is Side.HOST else ()

    def _chosen(self, side: Side, transport: str) -> bool:
        choice = self._choice(side)
        return not choice or transport in choice or selection.ALL in choice

    def first_way(self, testee: Testee, side: Side) -> str | None:
        """The first transport that testee and suite share, of those that were chosen."""
        role = testee.role(side)
        transports = selection.transports_of(role, side) if role else []
        return next((transport for transport in transports if self._chosen(side, transport)), None)

    def selects(self, case: Case, case_id: str) -> bool:
        """Whether a variant of a case is to be run."""
        levels = list(Level)
        return (
            (self.side is None or case.side.value == self.side)
            and levels.index(case.level) <= levels.index(Level(self.level))
            and (not self.cases or any(matches(pattern, case_id) for pattern in self.cases))
            and not any(matches(pattern, case_id) for pattern in self.skips)
            and (case.generated or not self.generated_only)
        )

    def check(self, testees: Iterable[Testee]) -> None:
        """Refuse what cannot select anything.

        Raises:
            UsageError: a pattern, scheme, bind or regression that names nothing; a campaign without an end.
            KnownFailuresError: as `known`.
            RegressionError: as `saved`.
            DatabaseError: the database cannot be used.
        """
        everything = [case_id for case in catalogue().values() for case_id in case.ids]
        for option, patterns in (("--case", self.cases), ("--skip", self.skips)):
            for pattern in patterns:
                if not any(matches(pattern, case_id) for case_id in everything):
                    raise UsageError(f"{option} {pattern}: no such case (`plugsvc-conformance list` names them)")
        for entry in self.known().entries:
            if not any(matches(entry.case, case_id) for case_id in everything):
                raise UsageError(f"{entry.file}: {entry.case}: no such case")
        for scheme in self.schemes:
            if scheme not in (*TRANSPORTS, selection.ALL):
                known = ", ".join((*TRANSPORTS, selection.ALL))
                raise UsageError(f"--scheme {scheme}: no such scheme; this suite offers {known}")
        self._check_generated()
        declared = {bind for t in testees if (role := t.role(Side.HOST)) for bind in role.binds}
        for bind in self.binds:
            if bind not in (*declared, selection.ALL):
                raise UsageError(
                    f"--bind {bind}: no testee declares it ({', '.join(sorted(declared)) or 'none declared'})"
                )

    def _check_generated(self) -> None:
        for regression in self.saved():
            case = catalogue().get(regression.case)
            if case is None or not case.generated:
                raise UsageError(f"{regression.file}: {regression.case}: no such generated case")
        if self.profile == CAMPAIGN and self.max_time is None and self.examples is None and self.replay is None:
            raise UsageError("--profile campaign: say when it ends, with --max-time or --examples")
        for option, value in (("--max-time", self.max_time), ("--resume", self.resume)):
            if value is not None and self.profile != CAMPAIGN:
                raise UsageError(f"{option} is for a campaign (--profile campaign)")
        if self.replay is not None:
            try:
                of, _ = unpack(self.replay)
            except RecordError as error:
                raise UsageError(f"--replay: {error}") from None
            if of not in catalogue():
                raise UsageError(f"--replay: an example of {of}, which is no case of this version")
        if self.database is not None:
            open_database(self.database)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _binds(transport: str, declared: Iterable[str]) -> list[str]:
    """The binds of a host that a transport means: those of the name, or the first one of the same scheme."""
    declared = list(declared)
    exact = [bind for bind in declared if bind in (transport, bind_of(transport))]
    if exact or transport == selection.ALL:
        return exact or [selection.ALL]
    schemes = {each.bind: each.scheme for each in TRANSPORTS.values()}
    scheme = TRANSPORTS[transport].scheme if transport in TRANSPORTS else ""
    return [bind for bind in declared if schemes.get(bind) == scheme][:1]


@dataclass
class Plan:
    """Settings and testees together: all that a worker of a parallel run must know.

    ``own`` has the settings of testees that have options of their own, by name.
    """

    settings: Settings
    testees: list[Testee] = field(default_factory=list)
    own: dict[str, Settings] = field(default_factory=dict)

    def settings_of(self, name: str) -> Settings:
        """The settings for a testee."""
        return self.own.get(name, self.settings)

    def selected(self) -> list[SelectedRow]:
        """The rows that the run will have, in the order in which they are run."""
        rows = self._all()
        if self.settings.shard is not None:
            number, count = self.settings.shard
            rows = rows[number - 1 :: count]
        if self.settings.only is None:
            return rows
        only = set(self.settings.only)
        return [row for row in rows if row.key in only]

    def _all(self) -> list[SelectedRow]:
        shards_of = self.settings.shards_of
        return [
            SelectedRow(case, variant, subject, shard, shards_of(case))
            for case in catalogue().values()
            if (subjects := self._subjects(case))
            for variant, case_id in zip(case.each or [""], case.ids, strict=True)
            for shard in range(shards_of(case))
            for subject, settings in subjects
            if settings.selects(case, case_id) and settings.runs(case, case_id, subject)
        ]

    def _subjects(self, case: Case) -> list[tuple[Subject, Settings]]:
        """What a case is run on, with the settings for it."""
        found: list[tuple[Subject, Settings]] = []
        for testee in self.testees:
            settings = self.settings_of(testee.name)
            found += [(subject, settings) for subject in settings.subjects([testee], case)]
        return found

    def rows(self, *, generated: bool = False) -> int:
        """How many rows the run will have, or how many of them of generated cases."""
        return sum(row.case.generated or not generated for row in self.selected())

    @property
    def seconds(self) -> float | None:
        """The time that a campaign has for each share of a generated case, in seconds."""
        hours = self.settings.max_time
        return None if hours is None else hours * 3600 * self.settings.workers / max(self.rows(generated=True), 1)

    def to_json(self) -> dict[str, Any]:
        """For a file or a worker."""
        return {
            "settings": self.settings.to_json(),
            "testees": [testee.to_json() for testee in self.testees],
            "own": {name: settings.to_json() for name, settings in self.own.items()},
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Plan:
        """The inverse of `to_json`."""
        own = {name: Settings.from_json(settings) for name, settings in data["own"].items()}
        return cls(Settings.from_json(data["settings"]), [Testee.from_json(row) for row in data["testees"]], own)
