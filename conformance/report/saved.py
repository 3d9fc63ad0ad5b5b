"""The JSON report as a file: its form as msgspec structs, and how it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from conformance.outcomes import FAILURES, Outcome
from conformance.results import REPORT_VERSION, Row

FAILING = frozenset({*FAILURES, Outcome.XPASSED, Outcome.HARNESS_ERROR})
"""Outcomes of a row that somebody has to look at."""


class ReportError(Exception):
    """A file that cannot be read, or is no report; one line."""


class SuiteInfo(msgspec.Struct):
    """The suite that made a report. `seed` is that of the generated cases."""

    name: str
    version: str
    python: str = ""
    platform: str = ""
    seed: int | None = None


class TesteeInfo(msgspec.Struct):
    """A testee: its name, its command line, and what it declares."""

    name: str
    command: str
    manifest: dict[str, Any] = {}
    capabilities: dict[str, Any] = {}


class ReportFile(msgspec.Struct, kw_only=True):
    """A JSON report, version 1. `complete` is false where the run was interrupted or the suite failed."""

    report: int
    suite: SuiteInfo
    testees: list[TesteeInfo]
    results: list[Row]
    summary: dict[str, int]
    complete: bool = True


def read_report(path: str) -> ReportFile:
    """Read the report at a path.

    Raises:
        ReportError: the file cannot be read, is not JSON, is not a report, or is one of a later version.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ReportError(f"{path}: {error.strerror}") from None
    try:
        made = msgspec.json.decode(data, type=ReportFile)
    except msgspec.ValidationError as error:
        raise ReportError(f"{path}: not a report: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ReportError(f"{path}: not JSON: {error}") from None
    if made.report != REPORT_VERSION:
        raise ReportError(f"{path}: a report of version {made.report}, expected {REPORT_VERSION}")
    return made
