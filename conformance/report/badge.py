"""Badges of a report: an SVG image, and the JSON of a shields.io endpoint."""

from __future__ import annotations

import json
from html import escape

from conformance.outcomes import ExitCode, Outcome
from conformance.report.saved import ReportFile
from conformance.requirements import Level

LABEL = "conformance"
COLORS = {"brightgreen": "#4c1", "red": "#e05d44", "lightgrey": "#9f9f9f"}
CHARACTER = 6.6
"""The mean width of a character in pixels at 11 px; the text is stretched to it, so that no font needs to be known."""


def message_of(report: ReportFile) -> tuple[str, str]:
    """What the badge of a report says, and its color: of the cases of level MUST that were run, how many passed."""
    run = [row for row in report.results if row.outcome not in (Outcome.UNSUPPORTED, Outcome.NOT_RUN)]
    must = [row for row in run if row.level == Level.MUST]
    passed = sum(row.outcome in (Outcome.PASSED, Outcome.XFAILED) for row in must)
    known = sum(row.outcome == Outcome.XFAILED for row in must)
    if not report.complete:
        return "incomplete", "lightgrey"
    if not run:
        return "nothing run", "lightgrey"
    text = f"{passed}/{len(must)} MUST" + (f", {known} known failures" if known else "")
    return text, "brightgreen" if report.summary.get("exit") == ExitCode.CONFORMS else "red"


def as_endpoint(report: ReportFile) -> str:
    """The JSON that https://shields.io/badges/endpoint-badge reads."""
    text, color = message_of(report)
    return json.dumps({"schemaVersion": 1, "label": LABEL, "message": text, "color": color}) + "\n"


def as_svg(report: ReportFile) -> str:
    """The badge as an SVG image of 20 px height."""
    text, color = message_of(report)
    left, right = (round(len(word) * CHARACTER) + 10 for word in (LABEL, text))
    title = escape(f"{LABEL}: {text}")
    words = "".join(
        f'<text x="{x}" y="14" text-anchor="middle" textLength="{round(len(word) * CHARACTER)}">{escape(word)}</text>'
        for x, word in ((left / 2, LABEL), (left + right / 2, text))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{title}">'
        f"<title>{title}</title>"
        f'<rect width="{left}" height="20" fill="#555"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{COLORS[color]}"/>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">{words}</g></svg>\n'
    )
