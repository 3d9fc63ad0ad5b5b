"""The tables: Markdown, which is for people as it is, and goes into the docs."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks.figures import Figure, Figures
from benchmarks.goals import Verdict
from benchmarks.peers import Peer
from benchmarks.works import Work

__all__ = ["machine", "render", "table", "value_text"]

EXTRA_TITLES = {
    "start": "start to first reply",
    "first-call": "a plugin's import, first call and end",
    "idle-cpu": "CPU of an idle connection, 2 s",
    "idle-wakeups": "wake-ups of an idle connection, 2 s",
    "memory": "memory, both sides",
    "plugin-memory": "memory of a plugin with one connection",
    "queued": "memory of 10,000 calls under way",
    "switch": "a switch between two of 16 threads",
    "fuzz": "generated calls of the suite, each",
}


def machine() -> str:
    """One line about this machine."""
    cpu = "unknown processor"
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                cpu = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    return f"{cpu}, {os.cpu_count()} CPUs, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def value_text(value: float, unit: str) -> str:
    """A value for people, three digits of it."""
    if unit == "n":
        return f"{value:.0f}"
    if unit == "B":
        return f"{value / 1e6:.1f} MB"
    for name, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{_digits(value / size)} {name}"
    return f"{_digits(value / 1e-6)} µs" if value else "0"


def _digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    return "\n".join([_row(head), "|---" * len(head) + "|", *map(_row, rows)])


def _cell(figure: Figure | None, base: Figure | None) -> list[str]:
    if figure is None:
        return ["–", "", "", ""]
    ratio = f"{figure.median / base.median:.2f}" if base is not None and base.median else ""
    return [
        value_text(figure.median, figure.unit),
        value_text(figure.best, figure.unit),
        f"±{figure.spread * 50:.0f} %",
        ratio,
    ]


def render(
    figures: Figures, peers: Sequence[Peer], works: Sequence[Work], base: str, verdicts: Sequence[Verdict]
) -> str:
    """Return Markdown: a table for each kind of work, with ratios to the peer `base`, and the goals."""
    return "\n".join(_lines(figures, peers, works, base, verdicts)) + "\n"


def _glance(figures: Figures, works: Sequence[Work], named: dict[str, str]) -> Iterator[str]:
    """Who needs how long for what, in one table; sorted by the first column."""
    columns = [work for work in works if len(figures.figures.get(work.name, {})) > 2]
    if not columns:
        return
    rows = dict.fromkeys(peer for work in columns for peer in figures.figures[work.name])
    first = figures.figures[columns[0].name]
    yield "### At a glance"
    yield ""
    yield _row(["", *(work.title for work in columns)])
    yield "|---" * (len(columns) + 1) + "|"
    for peer in sorted(rows, key=lambda peer: first[peer].median if peer in first else float("inf")):
        cells = (figures.get(work.name, peer) for work in columns)
        yield _row([named.get(peer, peer), *("–" if cell is None else value_text(cell.median, "s") for cell in cells)])
    yield ""


def _lines(
    figures: Figures, peers: Sequence[Peer], works: Sequence[Work], base: str, verdicts: Sequence[Verdict]
) -> Iterator[str]:
    titles = {work.name: work.title for work in works} | EXTRA_TITLES
    named = {peer.name: peer.title for peer in peers} | {
        "pass": "`python -c pass`",
        "msgspec": "`python -c 'import msgspec'`",
    }
    yield from _glance(figures, works, named)
    for work, title in titles.items():
        row = figures.figures.get(work, {})
        absent = figures.absent.get(work, {})
        if not row:
            continue
        yield f"### {title}"
        yield ""
        yield _row(["", "median", "best", "spread", f"ratio to {base}"])
        yield "|---|---|---|---|---|"
        for name in sorted(row, key=lambda name: row[name].median):
            yield _row([named.get(name, name), *_cell(row[name], row.get(base))])
        for name, reason in absent.items():
            if name not in row:
                yield _row([named.get(name, name), "–", "", reason, ""])
        yield ""
    if figures.unprepared:
        yield "### Not run"
        yield ""
        for name, reason in figures.unprepared.items():
            yield f"- {named.get(name, name)}: {reason}"
        yield ""
    if verdicts:
        yield "### Ratios"
        yield ""
        yield _row(["", "found", "at best", "wanted", ""])
        yield "|---|---|---|---|---|"
        for verdict in verdicts:
            found = "not measured" if verdict.found is None else f"{verdict.found:.3f}"
            best = "" if verdict.best is None else f"{verdict.best:.3f}"
            yield _row([verdict.title, found, best, verdict.limit, "yes" if verdict.holds else "**no**"])
        yield ""
