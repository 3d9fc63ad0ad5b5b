"""What the mutant set says of the suite: the score of each requirement, and where the suite is thin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from conformance.case import catalogue
from conformance.mutants import Verdict
from conformance.requirements import all_requirements


def by_requirement(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    """The verdicts on the mutants that name a requirement, in the order of the requirements."""
    found: dict[str, list[Verdict]] = {id_: [] for id_ in all_requirements()}
    for verdict in verdicts:
        for id_ in verdict.mutant.catches:
            found[id_].append(verdict)
    return {id_: rows for id_, rows in found.items() if rows}


def killed_for(id_: str, verdicts: Iterable[Verdict]) -> int:
    """How many of the mutants were caught by a case of the requirement."""
    return sum(bool(verdict.caught.get(id_)) and not verdict.problem for verdict in verdicts)


def report_lines(verdicts: Sequence[Verdict]) -> list[str]:
    """The score per requirement and in all."""
    lines = []
    for id_, found in by_requirement(verdicts).items():
        names = ", ".join(verdict.mutant.id for verdict in found)
        lines.append(f"{id_}  {killed_for(id_, found)}/{len(found)}  {names}")
    killed = sum(verdict.killed for verdict in verdicts)
    lines.append(f"mutation score: {killed} of {len(verdicts)} mutants caught by the requirement they name")
    return lines


def guards(verdicts: Iterable[Verdict]) -> dict[str, set[str]]:
    """For each requirement the cases that caught a mutant for it, without their variants."""
    found: dict[str, set[str]] = {}
    for verdict in verdicts:
        for id_, cases in verdict.caught.items():
            found.setdefault(id_, set()).update(case.partition("[")[0] for case in cases)
    return found


def idle(verdicts: Iterable[Verdict]) -> list[str]:
    """The cases that were run on a mutant and caught none: nothing shows that they can fail."""
    ran: Counter[str] = Counter()
    failed: set[str] = set()
    for verdict in verdicts:
        ran.update({case.partition("[")[0] for case in verdict.ran})
        failed.update(case.partition("[")[0] for case in verdict.failed)
    return [id_ for id_ in catalogue() if id_ in ran and id_ not in failed]


def untried(verdicts: Iterable[Verdict]) -> list[str]:
    """The cases that no mutant was tried with."""
    ran = {case.partition("[")[0] for verdict in verdicts for case in verdict.ran}
    return [id_ for id_ in catalogue() if id_ not in ran]


def thin_lines(verdicts: Sequence[Verdict]) -> list[str]:
    """The cases that kill nothing, and the requirements that only one case guards; for runs that do not stop early."""
    lines = [f"kills nothing: {case}" for case in (*idle(verdicts), *untried(verdicts))]
    for id_, cases in sorted(guards(verdicts).items()):
        if len(cases) == 1:
            lines.append(f"guarded by one case: {id_} {next(iter(cases))}")
    return lines


def markdown(verdicts: Sequence[Verdict]) -> list[str]:
    """The table for the documentation: a row for each requirement."""
    guarding = guards(verdicts)
    lines = ["| requirement | level | caught | cases that caught some |", "|---|---|---|---|"]
    for id_, found in by_requirement(verdicts).items():
        level = all_requirements()[id_].level
        cases = sorted(guarding.get(id_, ()))
        shown = ", ".join(f"`{case}`" for case in cases[:3]) + (f" and {len(cases) - 3} more" if len(cases) > 3 else "")
        lines.append(f"| {id_} | {level} | {killed_for(id_, found)} of {len(found)} | {shown} |")
    killed = sum(verdict.killed for verdict in verdicts)
    lines.append(f"| all | | {killed} of {len(verdicts)} | |")
    return lines
