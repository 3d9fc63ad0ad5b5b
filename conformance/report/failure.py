"""One failure in full: requirement, expected and seen, the wire both ways, standard error, stacks, reproduction."""

from __future__ import annotations

from conformance.requirements import all_requirements
from conformance.results import Row

SHORT = 10
"""Lines of a failure where it is shown in short."""


def short_lines(row: Row) -> list[str]:
    """The lines of a failure without wire, stacks and standard error: what is wrong, and how to reproduce it."""
    known = all_requirements()
    over = f" over {row.scheme}" if row.scheme else ""
    lines = [f"{row.outcome.upper()} {row.label} ({row.level}) on {row.testee}{over}"]
    lines += [f"  {id_} {known[id_].text}" for id_ in row.requirements[:2]]
    room = SHORT - len(lines) - 1
    said = [f"  {line}" for line in row.message.splitlines()]
    lines += said if len(said) <= room else [*said[: room - 1], f"  … {len(said) - room + 1} more lines with -v"]
    lines += [f"  saved as a regression: {row.saved}"] if row.saved else []
    return [*lines, f"  reproduce: {row.reproduce}"]


def failure_lines(row: Row) -> list[str]:
    """The lines of a failure's report."""
    known = all_requirements()
    where = f"{row.testee}{f' over {row.scheme}' if row.scheme else ''}"
    lines = [f"{row.outcome.upper()} {row.label} ({row.level}) on {where}"]
    for id_ in row.requirements:
        lines.append(f"  {id_} {known[id_].text}")
    lines += ["", *("  " + line for line in row.message.splitlines())]
    if row.reason:
        lines += [f"  known: {row.reason}"]
    if row.wire:
        lines += [
            "",
            "  the wire (> from the suite, < from the testee):",
            *("  " + line for line in row.wire),
        ]
    for title, text in (("standard error", row.stderr), ("stacks", row.stacks)):
        if text.strip():
            lines += [
                "",
                f"  {title} of the testee:",
                *("  | " + line for line in text.strip().splitlines()[-60:]),
            ]
    if row.saved:
        lines += ["", f"  saved as a regression: {row.saved}"]
    lines += ["", f"  reproduce: {row.reproduce}"]
    return lines
