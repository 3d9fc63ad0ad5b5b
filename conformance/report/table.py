"""The final tables: requirement group by transport, at a glance."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance.drive.capabilities import Testee
from conformance.fuzz.features import ALL, never
from conformance.outcomes import FAILURES, Outcome
from conformance.requirements import Level, all_requirements
from conformance.results import Row, summary

_MARKS: list[tuple[str, str, str]] = [
    (Outcome.FAILED, "failed", "bold red"),
    (Outcome.CRASHED, "crashed", "bold red"),
    (Outcome.TIMEOUT, "hung", "bold red"),
    (Outcome.XPASSED, "xpassed", "bold red"),
    (Outcome.HARNESS_ERROR, "harness", "bold magenta"),
    (Outcome.XFAILED, "known", "yellow"),
    (Outcome.UNSUPPORTED, "unsup.", "dim"),
    (Outcome.NOT_RUN, "not run", "dim"),
]


WIDEST = 12
"""Columns that a table may have before each testee gets one of its own."""


def build_tables(rows: Sequence[Row]) -> list[Table]:
    """The tables of each side: a row for each requirement group, a column for each testee and transport."""
    tables: list[Table] = []
    for side in dict.fromkeys(row.side for row in rows):
        of_side = [row for row in rows if row.side == side]
        testees = list(dict.fromkeys(row.testee for row in of_side))
        if len({(row.testee, row.scheme) for row in of_side}) <= WIDEST:
            tables.append(_table(f"{side} side", of_side, testees))
        else:
            tables += [
                _table(f"{side} side", [row for row in of_side if row.testee == name], [name]) for name in testees
            ]
    return tables


def _table(title: str, rows: Sequence[Row], testees: Sequence[str]) -> Table:
    columns = list(dict.fromkeys((row.testee, row.scheme) for row in rows))
    cells: dict[tuple[str, tuple[str, str]], Counter[str]] = {}
    for row in rows:
        for group in dict.fromkeys(id_.partition("-")[0] for id_ in row.requirements):
            cells.setdefault((group, (row.testee, row.scheme)), Counter())[_kind(row)] += 1
    groups = {id_.partition("-")[0]: req.group for id_, req in all_requirements().items()}
    one = testees[0] if len(testees) == 1 else ""
    table = Table(title=None, show_edge=False, pad_edge=False)
    table.add_column(f"{title}{f' of {one}' if one else ''}", no_wrap=True)
    for testee, scheme in columns:
        table.add_column(scheme or "-" if one else f"{testee}\n{scheme}", justify="right")
    for group, name in groups.items():
        found = [cells.get((group, column)) for column in columns]
        if any(found):
            table.add_row(f"{group} {name}", *[_cell(counter) for counter in found])
    return table


def _kind(row: Row) -> str:
    if row.outcome in FAILURES and row.level != Level.MUST:
        return f"{row.outcome}?"
    return row.outcome


def _cell(counter: Counter[str] | None) -> Text:
    if not counter:
        return Text("-", style="dim")
    text = Text()
    passed = counter.get(Outcome.PASSED, 0)
    if passed:
        text.append(f"{passed} ok", style="green")
    for outcome, word, style in _MARKS:
        for key, mark in ((outcome, word), (f"{outcome}?", f"{word} (SHOULD)")):
            if counter.get(key):
                text.append(", " if len(text) else "")
                text.append(f"{counter[key]} {mark}", style=style if key == outcome else "yellow")
    return text


def closing_lines(rows: Iterable[Row]) -> list[str]:
    """The counts in words."""
    rows = list(rows)
    counts = summary(rows)
    words = [f"{counts[outcome.value]} {outcome.value}" for outcome in Outcome if counts[outcome.value]]
    lines = [f"{counts['total']} cases: {', '.join(words) or 'none'}"]
    if counts["must_failed"] or counts["should_failed"]:
        lines.append(f"MUST failed: {counts['must_failed']}; SHOULD failed: {counts['should_failed']}")
    if counts["generated"]:
        processes = sum(row.processes for row in rows)
        lines.append(
            f"generated calls: {counts['generated']:,}, in {counts['examples']:,} examples on {processes:,} processes"
        )
    return [*lines, *coverage_lines(rows)]


def coverage_lines(rows: Iterable[Row]) -> list[str]:
    """What a campaign has generated, and what it never has."""
    found: Counter[str] = Counter()
    for row in rows:
        found.update(row.features)
    if not found:
        return []
    missing = never(found)
    rare = sorted((name for name in ALL if found[name]), key=lambda name: found[name])[:5]
    lines = [f"features generated: {len(ALL) - len(missing)} of {len(ALL)}"]
    lines += [f"never generated: {', '.join(missing)}"] if missing else []
    return [*lines, "seldom generated: " + ", ".join(f"{name} ({found[name]:,})" for name in rare)]


def unsupported_lines(rows: Iterable[Row]) -> list[str]:
    """What was not run, and why, a line a reason."""
    reasons: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        if row.outcome in (Outcome.UNSUPPORTED, Outcome.NOT_RUN):
            reasons[(row.testee, row.outcome, row.message.splitlines()[0])] += 1
    return [f"{count} {outcome} on {testee}: {why}" for (testee, outcome, why), count in reasons.items()]


def table_lines(rows: Sequence[Row], testees: Sequence[Testee]) -> list[str]:
    """Table and counts as plain lines."""
    buffer = io.StringIO()
    console = Console(file=buffer, width=200, color_system=None, highlight=False)
    for table in build_tables(rows):
        console.print(table, "")
    names = [f"testee {testee.name}: {testee.command}" for testee in testees]
    return [
        line.rstrip()
        for line in [*names, *buffer.getvalue().splitlines(), *unsupported_lines(rows), *closing_lines(rows)]
    ]
