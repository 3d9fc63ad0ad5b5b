"""What to do next where no case was run because every one was unsupported."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.drive.capabilities import Testee

_DECLARED = {"plugin": "schemes", "host": "binds", "misuse": "kinds"}
"""What each side must declare at least."""


def nothing_run_lines(testees: Iterable[Testee]) -> list[str]:
    """The reason, and for each testee the declarations that are missing."""
    lines = ["nothing was run: every selected case is unsupported or cannot be run here"]
    for testee in testees:
        empty = [f"{side} {key}" for side, key in _DECLARED.items() if _is_empty(testee, side, key)]
        if empty:
            lines.append(f"{testee.name} declares no {', no '.join(empty)}")
    lines.append(
        'next: let `info` declare what the implementation can do (for a plugin at least "schemes" and "types"), and'
        " answer the instructions for it; docs/testee.md has the contract"
    )
    return lines


def _is_empty(testee: Testee, side: str, key: str) -> bool:
    role = testee.roles.get(side)
    return role is not None and not getattr(role, key)
