"""Many small checks in one process: go on after a wrong value, and report every one of them together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from conformance.outcomes import CaseProblem, Failure, Unsupported

SHOWN = 8


class Problems:
    """Collects the faults of a case that checks many values; a crash or a hang ends the case at once."""

    def __init__(self) -> None:
        self._checked = 0
        self._faults: list[tuple[str, Failure]] = []

    @contextmanager
    def of(self, what: str) -> Iterator[None]:
        """Check one value; ``what`` names it."""
        self._checked += 1
        try:
            yield
        except Failure as fault:
            self._faults.append((what, fault))
        except Unsupported:
            raise
        except CaseProblem as problem:
            problem.message = f"{what}: {problem.message}"
            raise

    def check(self) -> None:
        """Raises the fault that came, or one Failure over all that came."""
        if not self._faults:
            if not self._checked:
                raise AssertionError("a case that checks nothing")
            return
        what, first = self._faults[0]
        if len(self._faults) == 1:
            raise Failure(f"{what}: {first.message}", expected=first.expected, seen=first.seen, note=first.note)
        lines = [
            f"{what}: {fault.message}" + (f"; seen: {fault.seen}" if fault.seen else "")
            for what, fault in self._faults[:SHOWN]
        ]
        if len(self._faults) > SHOWN:
            lines.append(f"… and {len(self._faults) - SHOWN} more")
        message = f"{len(self._faults)} of {self._checked} checks failed, the first: {what}: {first.message}"
        raise Failure(message, expected=first.expected, seen=first.seen, note="\n".join(line[:400] for line in lines))
