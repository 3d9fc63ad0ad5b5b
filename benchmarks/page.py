"""The figures of a run in the docs: `benchmarks.md` between its marks, `openers.md` beside each scheme."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figures
from benchmarks.goals import Verdict
from benchmarks.peers import PEERS
from benchmarks.report import table, value_text
from benchmarks.works import SIZES, size_text

__all__ = ["Run", "update"]

TITLES = {peer.name: peer.title for peer in PEERS}
COLUMNS = {
    "small": "one caller", "threads": "16 callers", "pipelined": "pipelined", "asyncio": "asyncio",
    "typed": "100 structures", "echo-1048576": "1 MiB", "echo-16777216": "16 MiB",
}  # fmt: skip
FOR_BINDS = ("small", "threads", "echo-1048576", "echo-16777216")
SECTIONS = {
    "3": ("devfd", "procfs", "fifo", "pty"), "4": ("fd", "fd-pair"), "5": ("unix",), "6": ("unix-abstract",),
    "7": ("tcp",), "8": ("stdio",), "9": ("shm",),
}  # fmt: skip
"""The binds that each section of docs/openers.md is about."""


@dataclass(frozen=True)
class Run:
    """One run: what was measured, where, when and by which command."""

    figures: Figures
    verdicts: Sequence[Verdict]
    machine: str
    date: str
    command: str
    load: str
    """The load of the machine before and after."""


def update(run: Run, docs: Path) -> None:
    """Write the figures of a run into the pages. What was not measured becomes a dash."""
    page = docs / "benchmarks.md"
    text = page.read_text(encoding="utf-8")
    for name, part in PARTS.items():
        mark = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- /{name} -->)", re.DOTALL)
        text, count = mark.subn(_filling(part(run)), text)
        if count != 1:
            raise ValueError(f"{page}: the marks of {name} stand there {count} times")
    page.write_text(text, encoding="utf-8")
    _beside_schemes(run, docs / "openers.md")


def _filling(text: str) -> Callable[[re.Match[str]], str]:
    """What puts a text between the two groups of a match."""
    return lambda found: f"{found[1]}{text}{found[2]}"


def _cell(figures: Figures, work: str, peer: str) -> str:
    """The median, and in brackets the least that was seen."""
    figure = figures.get(work, peer)
    if figure is None:
        return "–"
    median, best = value_text(figure.median, figure.unit), value_text(figure.best, figure.unit)
    return median if median == best else f"{median} ({best})"


def _best(figures: Figures, work: str, peer: str) -> str:
    figure = figures.get(work, peer)
    return "–" if figure is None else value_text(figure.best, figure.unit)


def _rows(figures: Figures, works: Iterable[str], peers: Mapping[str, str]) -> list[list[str]]:
    works = list(works)
    return [[title, *(_cell(figures, work, peer) for work in works)] for peer, title in peers.items()]


def _sorted(figures: Figures, work: str, groups: frozenset[str]) -> dict[str, str]:
    """The titles of the peers in these groups, the quickest first."""
    row = figures.figures.get(work, {})
    names = [peer.name for peer in PEERS if peer.groups & groups and peer.name in row]
    return {name: TITLES[name] for name in sorted(names, key=lambda name: row[name].median)}


_MAIN = frozenset({"main", "mixed"})


def _bind_peers() -> dict[str, str]:
    named = {peer.name: f"`{peer.name.removeprefix('plugsvc-')}`" for peer in PEERS if "openers" in peer.groups}
    return named | {"plugsvc": "`devfd`"}


def _about(run: Run) -> str:
    return f"{run.machine}, {run.date}, load before and after {run.load}:\n\n    {run.command}"


def _peers(run: Run) -> str:
    return table(["", *COLUMNS.values()], _rows(run.figures, COLUMNS, _sorted(run.figures, "small", _MAIN)))


def _binds(run: Run) -> str:
    return table(["bind", *(COLUMNS[work] for work in FOR_BINDS)], _rows(run.figures, FOR_BINDS, _bind_peers()))


def _sizes(run: Run) -> str:
    peers = ("plugsvc", "pieces", "pipes", "go")

    def cell(size: int, peer: str) -> str:
        figure = run.figures.get(f"echo-{size}", peer)
        return "–" if figure is None else f"{value_text(figure.best, 's')} ({figure.best / size * 1e9:.1f})"

    rows = [[size_text(size), *(cell(size, peer) for peer in peers)] for size in SIZES]
    return table(["size", *(TITLES[peer] for peer in peers)], rows)


def _start(run: Run) -> str:
    return table(["", "first reply after"], _rows(run.figures, ["start"], _sorted(run.figures, "start", _MAIN)))


def _first(run: Run) -> str:
    peers = {"plugsvc": "a plugin: import, two calls, end", "msgspec": "`python -c 'import msgspec'`",
             "pass": "`python -c pass`"}  # fmt: skip
    return table(["", "time", "memory"], _rows(run.figures, ["first-call", "plugin-memory"], peers))


def _one(run: Run) -> str:
    peers = {name: TITLES[name] for name in ("one", "one-never", "go-one", "never")}
    rows = _rows(run.figures, ["small", "threads"], peers)
    rows.append(
        ["a switch between two of 16 threads of Python, nothing else", "", _cell(run.figures, "switch", "python")]
    )
    return table(["", "one caller", "16 callers"], rows)


def _idle(run: Run) -> str:
    works = ["idle-wakeups", "idle-cpu", "memory", "queued"]
    head = ["", "wake-ups in 2 s", "CPU in 2 s", "memory", "10,000 calls under way add"]
    return table(head, _rows(run.figures, works, _sorted(run.figures, "small", _MAIN)))


def _beside(run: Run) -> str:
    rows = [
        [title, *(_cell(run.figures, work, peer) for work in ("alone", "beside"))]
        for peer, title in {"plugsvc": TITLES["plugsvc"], "go": TITLES["go"]}.items()
    ]
    made = _cell(run.figures, "fuzz", "plugsvc")
    slowest = table(["the slowest of all small calls of a round", "alone", "beside one of a second"], rows)
    generated = "One call of the suite's generated conversations on warm processes, all that belongs to it included"
    return f"{slowest}\n\n{generated}: {made}."


def _ratios(run: Run) -> str:
    def number(value: float | None) -> str:
        return "–" if value is None else f"{value:.3f}"

    rows = [
        [each.title, number(each.found), number(each.best), each.limit, "yes" if each.holds else "no"]
        for each in run.verdicts
    ]
    return table(["ratio", "found", "at best", "wanted", "holds"], rows)


PARTS: dict[str, Callable[[Run], str]] = {
    "about": _about, "peers": _peers, "binds": _binds, "sizes": _sizes, "start": _start, "first": _first, "one": _one,
    "idle": _idle, "beside": _beside, "ratios": _ratios,
}  # fmt: skip


def _beside_schemes(run: Run, page: Path) -> None:
    """Write a line on the speed of each scheme before the one on its security."""
    text = page.read_text(encoding="utf-8")
    peers = {title.strip("`"): name for name, title in _bind_peers().items()}
    for number, binds in SECTIONS.items():
        said = ", ".join(
            f"`{bind}` {_best(run.figures, 'small', peers[bind])} and {_best(run.figures, 'echo-1048576', peers[bind])}"
            for bind in binds
        )
        line = f"*Speed* of a small call and of 1 MiB there and back, at best, in [the run of the benchmarks](benchmarks.md#2-figures): {said}.\n\n"  # noqa: E501
        section = re.compile(rf"(\n## {number} .*?\n)(?:\*Speed\*[^\n]*\n\n)?(\*Security\*)", re.DOTALL)
        text, count = section.subn(_filling(line), text, count=1)
        if count != 1:
            raise ValueError(f"{page}: section {number} says nothing about security")
    page.write_text(text, encoding="utf-8")
