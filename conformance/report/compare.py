"""The difference between two reports: which cases fail now, pass now, fail differently, came or went."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from conformance.report.saved import FAILING, ReportFile
from conformance.results import Row

_VARIABLE = re.compile(r"0x[0-9a-f]+|\d+(?:\.\d+)?")
"""What differs between two runs of the same state: numbers (times, ports, sequences) and addresses."""


@dataclass(frozen=True)
class Change:
    """One case on one testee over one transport; an outcome is empty where the report has no such row."""

    case: str
    testee: str
    scheme: str
    requirements: list[str]
    old: str = ""
    new: str = ""
    message: str = ""

    @property
    def where(self) -> str:
        """The case, the testee and the transport, as reports name them."""
        return f"{self.case} on {self.testee}{f' over {self.scheme}' if self.scheme else ''}"


@dataclass(frozen=True)
class Difference:
    """Two reports compared, each list in the order of the newer report."""

    failing: list[Change] = field(default_factory=list)
    passing: list[Change] = field(default_factory=list)
    message: list[Change] = field(default_factory=list)
    vanished: list[Change] = field(default_factory=list)
    new: list[Change] = field(default_factory=list)

    @property
    def regressions(self) -> list[Change]:
        """What fails now and did not fail before, cases that are new among them."""
        return [*self.failing, *(change for change in self.new if change.new in FAILING)]

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in TITLES)


TITLES = {
    "failing": "newly failing",
    "passing": "newly passing",
    "message": "failing with another message",
    "vanished": "no longer run",
    "new": "new",
}
"""The lists of a difference, and what they are called."""


def compare(old: ReportFile, new: ReportFile) -> Difference:
    """Compare two reports. Where both have one testee, it is taken for the same whatever its name is."""
    same = len(old.testees) == len(new.testees) == 1
    before, after = _by_key(old.results, same), _by_key(new.results, same)
    found = Difference()
    for key, row in after.items():
        earlier = before.get(key)
        if earlier is None:
            found.new.append(_change(row, new=row))
        elif (row.outcome in FAILING) is not (earlier.outcome in FAILING):
            (found.failing if row.outcome in FAILING else found.passing).append(_change(row, earlier, row))
        elif row.outcome in FAILING and _essence(row) != _essence(earlier):
            found.message.append(_change(row, earlier, row))
    found.vanished.extend(_change(row, old=row) for key, row in before.items() if key not in after)
    return found


def _by_key(rows: Iterable[Row], one_testee: bool) -> dict[tuple[str, str, str], Row]:
    return {("" if one_testee else row.testee, row.label, row.scheme): row for row in rows}


def _essence(row: Row) -> tuple[str, str]:
    """What a failure says, without what differs from run to run."""
    return row.outcome, _VARIABLE.sub("#", row.message.partition("\n")[0])


def _change(row: Row, old: Row | None = None, new: Row | None = None) -> Change:
    message = row.message.partition("\n")[0] if row.outcome in FAILING else ""
    return Change(
        row.label,
        row.testee,
        row.scheme,
        row.requirements,
        old.outcome if old else "",
        new.outcome if new else "",
        message,
    )


def as_text(found: Difference) -> str:
    """The difference as plain lines."""
    lines: list[str] = []
    for name, title in TITLES.items():
        changes: list[Change] = getattr(found, name)
        if changes:
            lines.append(f"{title}: {len(changes)}")
            lines += [f"  {_arrow(change)} {change.where}{_says(change, ': ')}" for change in changes]
    return "\n".join(lines) or "no difference"


def as_markdown(found: Difference) -> str:
    """The difference as tables in Markdown."""
    parts: list[str] = []
    for name, title in TITLES.items():
        changes: list[Change] = getattr(found, name)
        if changes:
            rows = [
                f"| `{change.case}` | {change.testee} | {change.scheme or '-'} | {_arrow(change)} |"
                f" {escape_markdown(change.message)} |"
                for change in changes
            ]
            head = ["| case | testee | transport | outcome | message |", "|---|---|---|---|---|"]
            parts.append("\n".join([f"### {title.capitalize()}: {len(changes)}", "", *head, *rows]))
    return "\n\n".join(parts) or "No difference."


def as_json(found: Difference) -> str:
    """The difference as one JSON object with the lists of `TITLES` and `regressions`, a number."""
    data = {name: getattr(found, name) for name in TITLES}
    return msgspec.json.format(msgspec.json.encode({**data, "regressions": len(found.regressions)}), indent=1).decode()


FORMATS: dict[str, Callable[[Difference], str]] = {"text": as_text, "markdown": as_markdown, "json": as_json}


def _arrow(change: Change) -> str:
    return f"{change.old or 'absent'} → {change.new or 'absent'}"


def _says(change: Change, between: str) -> str:
    return f"{between}{change.message}" if change.message else ""


def escape_markdown(text: str) -> str:
    """Text for one cell of a table in Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", text.replace("\n", " "))
