"""What GitHub Actions shows of a run: a summary of the job, and annotations."""

from __future__ import annotations

import os
from collections.abc import Mapping

from conformance.report.markdown import as_markdown
from conformance.report.saved import FAILING, ReportFile

SHOWN = 10
"""GitHub shows so many annotations of a step."""


def is_github(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this process is run by GitHub Actions."""
    return environment.get("GITHUB_ACTIONS") == "true"


def add_summary(report: ReportFile, file: str) -> str:
    """Append the report to the job's summary; return why that failed, or nothing."""
    try:
        with open(file, "a", encoding="utf-8") as summary:
            summary.write(as_markdown(report) + "\n")
    except OSError as error:
        return f"{file}: {error.strerror}"
    return ""


def annotation_lines(report: ReportFile, *, strict: bool) -> list[str]:
    """A workflow command for each of the first failures; a failed SHOULD is a warning unless ``strict``."""
    lines: list[str] = []
    for row in [row for row in report.results if row.outcome in FAILING][:SHOWN]:
        kind = "error" if strict or row.counts or row.outcome == "harness-error" else "warning"
        over = f" over {row.scheme}" if row.scheme else ""
        title = f"{row.outcome}: {row.label} ({', '.join(row.requirements)}) on {row.testee}{over}"
        text = f"{row.message}\nreproduce: {row.reproduce}"
        lines.append(f"::{kind} title={_property(title)}::{_data(text)}")
    return lines


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
