"""A report as JUnit XML, which says what the exit status says."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from conformance.outcomes import FAILURES, Outcome
from conformance.report.failure import failure_lines
from conformance.report.saved import ReportFile
from conformance.requirements import Level
from conformance.results import Row

_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot have."""


def as_junit(report: ReportFile, *, strict: bool) -> str:
    """The report as JUnit XML. A failed SHOULD is skipped, with its message, unless ``strict``."""
    suites = ElementTree.Element("testsuites", name="conformance")
    for testee in report.testees:
        rows = [row for row in report.results if row.testee == testee.name]
        suite = ElementTree.SubElement(suites, "testsuite", name=_legal(testee.name))
        _properties(suite, {"command": testee.command, "complete": str(report.complete).lower()})
        for row in rows:
            suite.append(_case(row, strict))
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(name, str(len(suite.findall(f"testcase/{tag}"))))
        suite.set("tests", str(len(rows)))
        suite.set("time", f"{sum(row.duration for row in rows):.3f}")
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _case(row: Row, strict: bool) -> ElementTree.Element:
    over = f" [{row.scheme}]" if row.scheme else ""
    case = ElementTree.Element(
        "testcase",
        classname=_legal(row.case.rpartition("/")[0]),
        name=_legal(row.label + over),
        time=f"{row.duration:.3f}",
    )
    known = {"requirement": ",".join(row.requirements), "level": row.level, "side": row.side, "transport": row.scheme}
    _properties(case, {**known, "outcome": row.outcome})
    first = row.message.partition("\n")[0]
    if row.outcome == Outcome.HARNESS_ERROR or (row.outcome == Outcome.CRASHED and not row.crossings and not first):
        _add(case, "error", first, row)
    elif row.counts or (strict and row.outcome in FAILURES):
        _add(case, "failure", first, row)
    elif row.outcome != Outcome.PASSED:
        why = (
            f"{row.outcome}, level {row.level}" if row.outcome in FAILURES and row.level != Level.MUST else row.outcome
        )
        ElementTree.SubElement(case, "skipped", type=row.outcome, message=_legal(f"{why}: {row.reason or first}"))
    return case


def _add(case: ElementTree.Element, tag: str, first: str, row: Row) -> None:
    made = ElementTree.SubElement(case, tag, type=row.outcome, message=_legal(first))
    made.text = _legal("\n".join(failure_lines(row)))


def _properties(parent: ElementTree.Element, values: dict[str, str]) -> None:
    made = ElementTree.SubElement(parent, "properties")
    for name, value in values.items():
        ElementTree.SubElement(made, "property", name=name, value=_legal(value))


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)
