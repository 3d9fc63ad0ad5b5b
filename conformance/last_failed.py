"""Which rows of a testee failed last: kept in the user's cache folder, for ``--last-failed`` and ``--failed-first``."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from conformance.drive.capabilities import Testee
from conformance.outcomes import FAILURES, Outcome
from conformance.report.files import write_file
from conformance.results import Row
from conformance.settings import Key

_COUNTS = frozenset({*FAILURES, Outcome.XPASSED, Outcome.HARNESS_ERROR})


def cache_folder() -> Path:
    """The folder: below XDG_CACHE_HOME, or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "plugsvc-conformance" / "last-failed"


def recall(testees: Iterable[Testee]) -> list[Key]:
    """The rows of these testees that failed when they were last run; what cannot be read is nothing."""
    return [(label, testee.name, scheme) for testee in testees for label, scheme in sorted(_read(_file(testee)))]


def remember(testees: Iterable[Testee], rows: Iterable[Row]) -> None:
    """Note what came of rows; rows that were not run keep what is known of them."""
    rows = list(rows)
    for testee in testees:
        failed = _read(_file(testee))
        for row in rows:
            if row.testee == testee.name and row.outcome != Outcome.NOT_RUN:
                (failed.add if row.outcome in _COUNTS else failed.discard)((row.label, row.scheme))
        try:
            cache_folder().mkdir(parents=True, exist_ok=True)
        except OSError:
            return  # a cache that cannot be written is no reason to fail
        write_file(_file(testee), json.dumps(sorted(failed)) + "\n")


def _file(testee: Testee) -> Path:
    return cache_folder() / f"{hashlib.sha256(testee.command.encode()).hexdigest()[:24]}.json"


def _read(file: Path) -> set[tuple[str, str]]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        return {(str(label), str(scheme)) for label, scheme in data}
    except (OSError, ValueError, TypeError):
        return set()
