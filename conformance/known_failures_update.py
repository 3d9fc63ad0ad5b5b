"""Bring a file of known failures up to date with a run: add what fails, remove what passes, keep everything else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import tomlkit
import tomlkit.exceptions
from tomlkit.items import Table

from conformance.case import matches
from conformance.outcomes import FAILURES, Outcome
from conformance.results import Row

_VARIABLE = re.compile(r"(?<![\w.])(?:0x[0-9a-f]+|\d+(?:\.\d+)?)(?![\w.])")
"""What may differ from run to run: numbers that stand alone (times, ports, sequences), and addresses."""

HEADER = "# Failures that are known. Each needs a reason; docs/testee.md, section 9, explains the form.\n\n"

_TABLE = re.compile(r"^[ \t]*\[\[[ \t]*failure[ \t]*\]\]", re.MULTILINE)


class UpdateError(Exception):
    """A file that cannot be changed; one line."""


@dataclass(frozen=True)
class Update:
    """The new text of a file, and how many entries were added, changed and removed."""

    text: str
    added: int = 0
    changed: int = 0
    removed: int = 0


@dataclass(frozen=True)
class Entry:
    """An entry as it is written, with the comments above it; ``schemes`` are empty for all."""

    text: str
    case: str
    message: str
    reason: str
    schemes: tuple[str, ...] = ()


def updated(text: str, rows: Iterable[Row]) -> Update:
    """Bring the text of a file, which may be empty, up to date with the rows of a whole run of one testee.

    An entry of which every row passes is removed. Of one that fails in part only what still fails is kept, case by
    case. One that fails with another message gets that message, and keeps its reason. Comments and order are kept.

    Raises:
        UpdateError: the entries of the file cannot be told apart.
    """
    rows = list(rows)
    head, entries = split(text or HEADER)
    claimed = _claims(entries, rows)
    parts: list[str] = [head]
    added = changed = removed = 0
    for entry, own in zip(entries, claimed, strict=True):
        kept = _kept(entry, own, rows)
        if kept is None:
            parts.append(entry.text)
        elif kept:
            changed += 1
            parts += [_rewritten(entry.text, kept[0]), *(_written(each) for each in kept[1:])]
        else:
            removed += 1
    free = [row for row in rows if row.outcome in FAILURES and not any(row in own for own in claimed)]
    for new in _wanted(free, rows):
        added += 1
        parts.append(_written(new))
    if not added + changed + removed:
        return Update(text)
    blocks = [part.rstrip("\n") for part in parts if part.strip()]
    return Update("\n\n".join(blocks) + "\n", added, changed, removed)


def split(text: str) -> tuple[str, list[Entry]]:
    """What stands before the first entry, and the entries, each with the comment lines right above it.

    Raises:
        UpdateError: there is something else than tables ``[[failure]]``.
    """
    starts = [_with_comments(text, found.start()) for found in _TABLE.finditer(text)]
    blocks = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=False)]
    try:
        tables = [tomlkit.parse(block).unwrap()["failure"][0] for block in blocks]
        whole = tomlkit.parse(text).unwrap().get("failure", [])
    except (tomlkit.exceptions.TOMLKitError, KeyError) as error:
        raise UpdateError(f"the entries cannot be told apart: {error}") from None
    if tables != whole:
        raise UpdateError("the entries cannot be told apart: write each as a table [[failure]]")
    entries = [
        Entry(block, table["case"], table["message"], table["reason"], _schemes(table.get("scheme", [])))
        for block, table in zip(blocks, tables, strict=True)
    ]
    return (text[: starts[0]] if starts else text), entries


def _with_comments(text: str, start: int) -> int:
    """Where the comment lines begin that stand right above a position; those at the very top belong to the file."""
    at = start
    while at > 0:
        above = text.rfind("\n", 0, at - 1) + 1
        if not text[above:at].lstrip().startswith("#"):
            return at
        at = above
    return start


def _schemes(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _claims(entries: Sequence[Entry], rows: Iterable[Row]) -> list[list[Row]]:
    """The rows of each entry: the first one that fits a case counts."""
    found: list[list[Row]] = [[] for _ in entries]
    for row in rows:
        for entry, own in zip(entries, found, strict=True):
            if matches(entry.case, row.case) and (not entry.schemes or row.scheme in entry.schemes):
                own.append(row)
                break
    return found


def _kept(entry: Entry, own: Sequence[Row], rows: Sequence[Row]) -> list[Entry] | None:
    """What becomes of an entry: None for itself, or entries for what of it still fails."""
    passed = any(row.outcome in (Outcome.PASSED, Outcome.XPASSED) for row in own)
    failed = [row for row in own if row.outcome in FAILURES or row.outcome == Outcome.XFAILED]
    if not passed and all(entry.message in row.message for row in failed):
        return None
    return _wanted(failed, rows, entry)


def _wanted(failed: Iterable[Row], rows: Sequence[Row], old: Entry | None = None) -> list[Entry]:
    """Entries for rows that fail, one for each case and message; ``rows`` are all that were run."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in failed:
        says = old.message if old and old.message in row.message else stable_part(row.message)
        groups.setdefault((row.case, says), []).append(row)
    made: list[Entry] = []
    for (case, says), group in groups.items():
        schemes = tuple(dict.fromkeys(row.scheme for row in group))
        everywhere = set(schemes) >= {row.scheme for row in rows if row.case == case}
        comment = f"# {', '.join(group[0].requirements)}\n" if group[0].requirements else ""
        made.append(Entry(comment, case, says, old.reason if old else "", () if everywhere else schemes))
    return made


def _written(entry: Entry) -> str:
    """The text of a new entry, with the requirements as its comment."""
    table = tomlkit.table()
    _fill(table, entry)
    document = tomlkit.document()
    array = tomlkit.aot()
    array.append(table)
    document.append("failure", array)
    return entry.text + tomlkit.dumps(document)


def _rewritten(text: str, entry: Entry) -> str:
    """The text of an entry with other values; its comments are kept."""
    document = tomlkit.parse(text)
    _fill(document["failure"][0], entry)
    return tomlkit.dumps(document)


def _fill(table: Table, entry: Entry) -> None:
    values = {"case": entry.case, "message": entry.message, "reason": entry.reason}
    for key, value in values.items():
        if table.get(key) != value:
            table[key] = value
    if not entry.schemes:
        table.pop("scheme", None)
    elif _schemes(table.get("scheme", [])) != entry.schemes:
        table["scheme"] = entry.schemes[0] if len(entry.schemes) == 1 else list(entry.schemes)


def stable_part(message: str) -> str:
    """What identifies a failure in another run: the longest part of its first line without a number that may differ."""
    parts = [part.strip() for part in _VARIABLE.split(message.partition("\n")[0])]
    return max(parts, key=len) or message.partition("\n")[0]
