"""Mutants: testees with one defect each, and whether the suite catches it by the requirement it names.

A mutant set is a folder of TOML files. ``[base.NAME]`` tables say what is mutated: ``source`` (a folder, relative to
the file), ``command`` (words; ``{dir}`` is the mutated copy, ``{python}`` this interpreter) and optionally ``path`` (an
environment variable that names the folder around the copy, PYTHONPATH say). ``[[mutant]]`` tables plant the defects:
``id``, ``base``, ``side``, ``file``, ``find`` (a text that stands exactly once in the file), ``replace``, ``catches``
(requirements, each of which must have a case that fails), ``what`` (the defect in one sentence) and optionally
``cases`` (the ids of the cases that are to catch it, where not every case of the requirement can), ``transports`` (the
schemes or binds that show it, instead of the first that each case can be run over) and ``tag`` (a tag: what alone
can find it, see `TAGS`).
"""

from __future__ import annotations

import multiprocessing
import os
import shlex
import shutil
import signal
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from conformance.case import Case, catalogue
from conformance.drive.capabilities import TesteeError, load
from conformance.outcomes import FAILURES, ExitCode, Outcome
from conformance.pytest_process import PytestProcessError, start_pytest
from conformance.requirements import Level, Side, all_requirements
from conformance.results import Row
from conformance.settings import Plan, Settings

TAGS: dict[str, Callable[[Case], bool]] = {
    "fuzz": lambda case: case.generated,
    "states": lambda case: case.id.split("/")[1] == "states",
    "concurrency": lambda case: (
        case.generated or "concurrent" in case.features or any(id_.startswith("CON-") for id_ in case.requirements)
    ),
}
"""The tags of mutants, and which cases are of that kind: all others must pass on it."""

SEED = 1
"""Of the generated cases, where none is asked for: the score is the same each time, with one version of hypothesis."""


class MutantSetError(Exception):
    """A mutant set that cannot be read, or a mutant that cannot be made; one line."""


@dataclass(frozen=True)
class Base:
    """What is mutated."""

    name: str
    source: Path
    command: tuple[str, ...]
    path: str = ""


@dataclass(frozen=True)
class Mutant:
    """A testee with one defect."""

    id: str
    base: Base
    side: Side
    file: str
    find: str
    replace: str
    catches: tuple[str, ...]
    what: str
    cases: tuple[str, ...] = ()
    transports: tuple[str, ...] = ()
    tag: str = ""


@dataclass
class Verdict:
    """What became of a mutant: ``caught`` maps each requirement it names to the cases that failed.

    ``ran`` are all cases that were run, ``failed`` those that failed, with the first line of what they said.
    """

    mutant: Mutant
    caught: dict[str, list[str]] = field(default_factory=dict)
    problem: str = ""
    ran: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def killed(self) -> bool:
        """Whether every requirement that it names has a case that failed."""
        return not self.problem and all(self.caught.get(id_) for id_ in self.mutant.catches)


def load_mutants(folder: Path) -> list[Mutant]:
    """Every mutant of a set.

    Raises:
        MutantSetError: a file that is not of the form, an unknown base or requirement, an id that is used twice.
    """
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise MutantSetError(f"{folder}: no mutant set there (no .toml files)")
    bases: dict[str, Base] = {}
    rows: list[tuple[Path, dict[str, Any]]] = []
    for file in files:
        try:
            data = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise MutantSetError(f"{file}: {error}") from None
        for name, row in data.get("base", {}).items():
            source = (file.parent / row["source"]).resolve()
            bases[name] = Base(name, source, tuple(row["command"]), row.get("path", ""))
        rows += [(file, row) for row in data.get("mutant", [])]
    mutants = [_mutant(file, row, bases) for file, row in rows]
    seen: set[str] = set()
    for mutant in mutants:
        if mutant.id in seen:
            raise MutantSetError(f"two mutants are called {mutant.id}")
        seen.add(mutant.id)
    return mutants


def _mutant(file: Path, row: dict[str, Any], bases: dict[str, Base]) -> Mutant:
    wanted = {"id", "base", "side", "file", "find", "replace", "catches", "what"}
    name = row.get("id", "a mutant without an id")
    if wanted - row.keys() or row.keys() - wanted - {"cases", "transports", "tag"}:
        raise MutantSetError(f"{file}: {name}: expected the keys {', '.join(sorted(wanted))}")
    if row["base"] not in bases:
        raise MutantSetError(f"{file}: {name}: no base {row['base']!r}")
    side = Side(row["side"])
    for id_ in row["catches"]:
        requirement = all_requirements().get(id_)
        if requirement is None or side not in requirement.sides:
            raise MutantSetError(f"{file}: {name}: {id_} is no requirement of the {side} side")
    if row.get("tag", "") not in ("", *TAGS):
        raise MutantSetError(f"{file}: {name}: tag = {row['tag']!r}, expected one of {', '.join(TAGS)}")
    fields = {key: row[key] for key in ("id", "file", "find", "replace", "what")}
    catches, cases, transports = (tuple(row.get(key, ())) for key in ("catches", "cases", "transports"))
    return Mutant(
        base=bases[row["base"]],
        side=side,
        catches=catches,
        cases=cases,
        transports=transports,
        tag=row.get("tag", ""),
        **fields,
    )


@contextmanager
def mutated(mutant: Mutant) -> Iterator[tuple[str, dict[str, str]]]:
    """A copy of the base with the defect in it: its command, and what its environment needs.

    Raises:
        MutantSetError: the text to be replaced does not stand exactly once in the file.
    """
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder, mutant.base.source.name)
        ignore = shutil.ignore_patterns("__pycache__", "node_modules", ".mypy_cache", "build")
        shutil.copytree(mutant.base.source, copy, ignore=ignore, symlinks=True)
        target = copy / mutant.file
        try:
            text = target.read_text(encoding="utf-8")
        except OSError as error:
            raise MutantSetError(f"{mutant.id}: {mutant.file}: {error.strerror}") from None
        count = text.count(mutant.find)
        if count != 1:
            raise MutantSetError(
                f"{mutant.id}: the text to replace stands {count} times in {mutant.file}, expected once"
            )
        target.write_text(text.replace(mutant.find, mutant.replace), encoding="utf-8")
        where = {"dir": str(copy), "parent": folder, "python": sys.executable}
        # The copy is ours: let Python keep what it has compiled there from one start to the next.
        env = {"PYTHONDONTWRITEBYTECODE": "", **({mutant.base.path: folder} if mutant.base.path else {})}
        yield shlex.join(word.format(**where) for word in mutant.base.command), env


def cases_for(mutant: Mutant) -> list[Case]:
    """The cases that are to catch a mutant: those of its side that cite what it breaks."""
    found = [
        case
        for case in catalogue().values()
        if case.side is mutant.side and set(case.requirements) & set(mutant.catches)
    ]
    return [case for case in found if not mutant.cases or case.id in mutant.cases]


def try_mutant(mutant: Mutant, *, timeout: float, seed: int = SEED, fork: bool = False, stop: bool = True) -> Verdict:
    """Run the cases that are to catch the mutant, and see whether they do; ``fork`` as for `launch`.

    ``seed`` is that of the generated cases, which are to find it by any.
    ``stop`` runs no more of them after the first that does, where one requirement is named.
    """
    verdict = Verdict(mutant)
    cases = cases_for(mutant)
    for id_ in mutant.catches:
        if not any(id_ in case.requirements for case in cases):
            verdict.problem = f"no case of the {mutant.side} side checks {id_}"
            return verdict
    extra = ["-x"] if stop and len(mutant.catches) == 1 else []
    _run(verdict, cases, timeout=timeout, seed=seed, fork=fork, extra=extra)
    return verdict


def verify_tag(mutant: Mutant, *, timeout: float, seed: int = SEED, fork: bool = False) -> Verdict:
    """Run all cases of the side that are not of the kind the mutant is marked with: what fails contradicts it."""
    verdict = Verdict(mutant)
    of_the_kind = TAGS[mutant.tag]
    others = [case for case in catalogue().values() if case.side is mutant.side and not of_the_kind(case)]
    _run(verdict, others, timeout=timeout, seed=seed, fork=fork)
    return verdict


def _run(
    verdict: Verdict, cases: Sequence[Case], *, timeout: float, seed: int, fork: bool, extra: Sequence[str] = ()
) -> None:
    """Run these cases on the mutant, and note what they say in the verdict."""
    mutant = verdict.mutant
    settings = Settings(
        side=mutant.side.value,
        schemes=mutant.transports if mutant.side is Side.PLUGIN else (),
        binds=mutant.transports if mutant.side is Side.HOST else (),
        spread=False,
        cases=tuple(case.id for case in cases),
        timeout=timeout,
        scale=0.05,
        seed=seed,
    )
    try:
        with mutated(mutant) as (command, env):
            testee = load(_with_environment(command, env))
            with start_pytest(Plan(settings, [testee]), extra=extra, fork=fork) as process:
                rows = [Row(**data) for data in process]
                if process.exit_code() not in (ExitCode.CONFORMS, ExitCode.NONCONFORMING):
                    raise PytestProcessError(f"the harness failed: {process.printed()[-300:]}")
            for row in rows:
                if row.outcome != Outcome.NOT_RUN:
                    _note(verdict, row)
    except (MutantSetError, TesteeError, PytestProcessError) as error:
        verdict.problem = str(error)


def _with_environment(command: str, env: dict[str, str]) -> str:
    """The command with its environment, by ``env(1)``: a testee is a command and nothing else."""
    return f"{shlex.join(['env', *(f'{name}={value}' for name, value in env.items())])} {command}" if env else command


def _note(verdict: Verdict, row: Row) -> None:
    verdict.ran.append(row.case)
    if row.outcome in FAILURES:
        verdict.failed[row.case] = row.message.partition("\n")[0]
        for id_ in row.requirements:
            if id_ in verdict.mutant.catches:
                verdict.caught.setdefault(id_, []).append(row.case)


def try_all(
    mutants: Sequence[Mutant],
    attempt: Callable[..., Verdict],
    *,
    workers: int | None,
    timeout: float,
    told: Callable[[Verdict], None],
    **options: Any,
) -> list[Verdict]:
    """Make an attempt (`try_mutant`, `verify_tag`) on each, some side by side; ``told`` is told of each in turn."""
    verdicts: list[Verdict] = []
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers or os.cpu_count() or 1, fork, _warm_up) as pool:
        try:
            for verdict in pool.map(partial(attempt, timeout=timeout, fork=True, **options), mutants):
                verdicts.append(verdict)
                told(verdict)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    return verdicts


def _warm_up() -> None:
    """Load once what every run of the suite needs; an interrupt is for the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import conformance.run  # noqa: F401  # loads pytest and the sessions

    catalogue()


def unguarded(mutants: Iterable[Mutant]) -> list[tuple[str, Side]]:
    """Each MUST and side for which the set has no mutant: nothing shows that a case would catch a breach."""
    have = {(id_, mutant.side) for mutant in mutants for id_ in mutant.catches}
    return [
        (requirement.id, side)
        for requirement in all_requirements().values()
        for side in sorted(requirement.sides)
        if requirement.level is Level.MUST and not requirement.uncased and (requirement.id, side) not in have
    ]
