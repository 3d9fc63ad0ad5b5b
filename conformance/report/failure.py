"""One failure in full: requirement, expected and seen, the wire both ways, standard error, stacks, reproduction."""

from __future__ import annotations

from conformance.requirements import all_requirements
from conformance.results import Row


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
