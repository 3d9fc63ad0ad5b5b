"""Known failures: what a testee is known to get wrong, with the expected message and the reason.

A file holds tables ``[[failure]]`` with ``case`` (``*`` and ``?`` are wild), ``message`` (a text that must stand in
the failure's message), ``reason`` (empty where nobody has filled it in yet), and optionally ``scheme``,
one or an array of several. The first entry that fits a
case counts. A case that is listed and passes fails the run; one that fails differently is a failure as well.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from conformance.case import matches


class KnownFailuresError(Exception):
    """A file that cannot be read, or is not of the form; one line."""


@dataclass(frozen=True)
class KnownFailure:
    """One entry of a file."""

    file: str
    case: str
    message: str
    reason: str
    schemes: tuple[str, ...] = ()  # none: all of them


@dataclass(frozen=True)
class KnownFailures:
    """All entries of all files."""

    entries: tuple[KnownFailure, ...] = ()

    @classmethod
    def load(cls, paths: Iterable[str]) -> KnownFailures:
        """Read the files.

        Raises:
            KnownFailuresError: unreadable, not TOML, or an entry without case, message and reason.
        """
        return cls(tuple(entry for path in paths for entry in _entries(path)))

    @staticmethod
    def parse(path: str, text: str) -> list[KnownFailure]:
        """The entries of a text; ``path`` names it in errors.

        Raises:
            KnownFailuresError: as `load`.
        """
        return _parse(path, text)

    def find(self, case_id: str, scheme: str) -> KnownFailure | None:
        """The first entry for a case, or None."""
        for entry in self.entries:
            if matches(entry.case, case_id) and (not entry.schemes or scheme in entry.schemes):
                return entry
        return None


def _entries(path: str) -> list[KnownFailure]:
    try:
        return KnownFailures.parse(path, Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise KnownFailuresError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise KnownFailuresError(f"{path}: not TOML: {error}") from None


def _parse(path: str, text: str) -> list[KnownFailure]:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise KnownFailuresError(f"{path}: not TOML: {error}") from None
    unknown = data.keys() - {"failure"}
    if unknown:
        raise KnownFailuresError(f"{path}: unknown key {sorted(unknown)[0]!r}; expected tables [[failure]]")
    rows = data.get("failure", [])
    found: list[KnownFailure] = []
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise KnownFailuresError(f"{path}: failure {number} is not a table")
        unknown = row.keys() - {"case", "message", "reason", "scheme"}
        if unknown:
            raise KnownFailuresError(f"{path}: failure {number}: unknown key {sorted(unknown)[0]!r}")
        for key in ("case", "message"):
            if not isinstance(row.get(key), str) or not row[key].strip():
                raise KnownFailuresError(f"{path}: failure {number}: {key} is missing or empty")
        if not isinstance(row.get("reason"), str):
            raise KnownFailuresError(f"{path}: failure {number}: reason is missing")
        schemes = row.get("scheme", [])
        schemes = [schemes] if isinstance(schemes, str) else schemes
        if not isinstance(schemes, list) or not all(isinstance(name, str) and name for name in schemes):
            raise KnownFailuresError(f"{path}: failure {number}: scheme is neither a name nor an array of names")
        found.append(KnownFailure(path, row["case"], row["message"], row["reason"], tuple(schemes)))
    return found
