"""Makes the page of the requirements: each an anchor, with the cases that check it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conformance.case import catalogue
from conformance.requirements import all_requirements


def text() -> str:
    """The page in Markdown."""
    cases = catalogue()
    lines = ["# Requirements and their cases", ""]
    group = ""
    for requirement in all_requirements().values():
        if requirement.group != group:
            group = requirement.group
            lines += [f"## {group}", ""]
        sides = ", ".join(sorted(side.value for side in requirement.sides))
        lines += [
            f"({requirement.id})=",
            f"### {requirement.id}",
            "",
            f"{requirement.level}, {sides}. {requirement.text}",
            "",
            f"Source: {requirement.source}.",
            "",
        ]
        found = [case for case in cases.values() if requirement.id in case.requirements]
        lines += [f"- `{case.id}`: {' '.join(case.doc.split())}" for case in found]
        lines += [f"Not checked: {requirement.uncased}"] if not found else []
        lines.append("")
    return "\n".join(lines)


def setup(app: Any) -> dict[str, Any]:
    """Write the page before Sphinx reads the sources."""
    Path(app.srcdir, "requirements.md").write_text(text(), encoding="utf-8")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
