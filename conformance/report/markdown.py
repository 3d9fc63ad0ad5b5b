"""A report as Markdown: a table of outcomes and the first failures, for the summary of a CI job."""

from __future__ import annotations

from collections import Counter

from conformance.outcomes import Outcome
from conformance.report.compare import escape_markdown
from conformance.report.saved import FAILING, ReportFile

FIRST = 20
"""So many failures are shown."""


def as_markdown(report: ReportFile) -> str:
    """The report as Markdown."""
    outcomes = [outcome for outcome in Outcome if any(row.outcome == outcome for row in report.results)]
    lines = ["## Conformance", ""]
    if not report.complete:
        lines += ["**Incomplete:** the run ended before all cases were reported.", ""]
    lines += [
        f"| testee | {' | '.join(outcomes)} |",
        f"|---|{'---|' * len(outcomes)}",
    ]
    for testee in report.testees:
        counts = Counter(row.outcome for row in report.results if row.testee == testee.name)
        cells = " | ".join(str(counts[outcome]) for outcome in outcomes)
        lines.append(f"| {escape_markdown(testee.name)} | {cells} |")
    failing = [row for row in report.results if row.outcome in FAILING]
    if failing:
        lines += ["", f"### Failures: {len(failing)}", ""]
    for row in failing[:FIRST]:
        where = f"{escape_markdown(row.testee)}{f' over {row.scheme}' if row.scheme else ''}"
        lines += [
            f"- **{row.outcome}** `{row.label}` ({row.level}, {', '.join(row.requirements)}) on {where}:"
            f" {escape_markdown(row.message.partition(chr(10))[0])}",
            f"  `{row.reproduce}`",
        ]
    if len(failing) > FIRST:
        lines.append(f"- … and {len(failing) - FIRST} more")
    return "\n".join(lines) + "\n"
