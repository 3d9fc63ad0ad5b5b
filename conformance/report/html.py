"""A report as one HTML file that needs no network: a matrix, filters, and each case with all that is known of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, select_autoescape

from conformance.case import catalogue
from conformance.outcomes import Outcome
from conformance.report.saved import FAILING, ReportFile
from conformance.requirements import all_requirements

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=select_autoescape(["html", "j2"]),
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass
class Cell:
    """A place in the matrix: how many rows of a requirement group a testee has over a transport, by outcome."""

    group: str
    testee: str
    scheme: str
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def state(self) -> str:
        """The worst that came: fail, known, pass or none."""
        if any(self.counts[outcome] for outcome in FAILING):
            return "fail"
        if self.counts[Outcome.XFAILED]:
            return "known"
        return "pass" if self.counts[Outcome.PASSED] else "none"

    @property
    def text(self) -> str:
        """The counts in words, those of failures first."""
        order = sorted(self.counts, key=lambda outcome: (outcome not in FAILING, outcome != Outcome.XFAILED, outcome))
        return ", ".join(f"{self.counts[outcome]} {outcome}" for outcome in order) or "–"


def as_html(reports: Sequence[ReportFile], title: str = "Conformance report") -> str:
    """One page of all reports. A testee that stands in several of them has the number of the report behind its name."""
    _name_apart(reports)
    rows = [row for report in reports for row in report.results]
    columns = list(dict.fromkeys((row.testee, row.scheme) for row in rows))
    requirements = all_requirements()
    groups = {id_.partition("-")[0]: requirement.group for id_, requirement in requirements.items()}
    cells = {(group, *column): Cell(group, *column) for group in groups for column in columns}
    for row in rows:
        for group in dict.fromkeys(id_.partition("-")[0] for id_ in row.requirements):
            if group in groups:
                cells[group, row.testee, row.scheme].counts[row.outcome] += 1
    counts = Counter(row.outcome for row in rows)
    return _TEMPLATES.get_template("report.html.j2").render(
        title=title,
        reports=reports,
        complete=all(report.complete for report in reports),
        columns=columns,
        groups=[
            (group, name, [cells[group, *column] for column in columns])
            for group, name in groups.items()
            if any(cells[group, *column].counts for column in columns)
        ],
        outcomes=[(outcome.value, counts[outcome], outcome in FAILING) for outcome in Outcome if counts[outcome]],
        sides=sorted({row.side for row in rows}),
        levels=[level for level in ("MUST", "SHOULD", "MAY") if any(row.level == level for row in rows)],
        total=len(rows),
        data=_embedded(_data(reports)),
    )


def _name_apart(reports: Sequence[ReportFile]) -> None:
    found = Counter(testee.name for report in reports for testee in report.testees)
    for number, report in enumerate(reports, 1):
        names = {t.name: f"{t.name} ({number})" if found[t.name] > 1 else t.name for t in report.testees}
        for testee in report.testees:
            testee.name = names[testee.name]
        for row in report.results:
            row.testee = names.get(row.testee, row.testee)


def _data(reports: Sequence[ReportFile]) -> dict[str, Any]:
    """What the page's script needs: the rows, and the texts of requirements and cases."""
    cases = catalogue()
    rows: list[dict[str, Any]] = []
    texts: dict[str, str] = {}
    for report in reports:
        for row in report.results:
            case = cases.get(row.case.partition("[")[0])
            if case is not None:
                texts[case.id] = case.doc
            rows.append({key: value for key, value in asdict(row).items() if value not in ("", 0, [], {})})
    requirements = {
        id_: {"text": requirement.text, "level": requirement.level, "source": requirement.source}
        for id_, requirement in all_requirements().items()
    }
    return {"rows": rows, "cases": texts, "requirements": requirements, "failing": sorted(FAILING)}


def _embedded(data: dict[str, Any]) -> str:
    """JSON for a script element: no `<`, so that no text of a testee can end the element."""
    return msgspec.json.encode(data).decode().replace("<", "\\u003c")
