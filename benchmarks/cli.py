"""The command: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import page, plot
from benchmarks.extras import first_calls, generated_calls, switches
from benchmarks.figures import Figures
from benchmarks.goals import BOUNDS, GOALS
from benchmarks.peers import PEERS, Peer
from benchmarks.prepare import ROOT
from benchmarks.report import machine, render
from benchmarks.rounds import prepare, run_rounds
from benchmarks.works import WORKS, Work

__all__ = ["main"]

SHORT_WORKS = ("small", "threads", "echo-1048576", "echo-16777216")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print. Exit status: 0; with `--short` 1 when a ratio is beyond its bound; 2 for usage."""
    words = sys.argv[1:] if argv is None else list(argv)
    options = _options(words)
    before = os.getloadavg()[0]
    peers, works = _chosen(options)
    figures = Figures()
    ready = prepare(peers, figures, _say)
    run_rounds(
        ready, works, figures, rounds=options.rounds, seconds=options.seconds, thorough=not options.short, say=_say
    )
    if not options.short and not options.works:
        first_calls(figures, _say, rounds=options.rounds)
        switches(figures, rounds=options.rounds, seconds=options.seconds)
        generated_calls(figures, _say)
    verdicts = [ratio.judge(figures) for ratio in (BOUNDS if options.short else GOALS)]
    print(f"{machine()}, {datetime.now(UTC):%Y-%m-%d}\n")
    print(f"    python -m benchmarks {shlex.join(words)}\n".rstrip(" "))
    print(render(figures, peers, works, "plugsvc", verdicts))
    if options.json:
        about = {"machine": machine(), "date": f"{datetime.now(UTC):%Y-%m-%d}", "command": words}
        verdict_rows = [vars(verdict) for verdict in verdicts]
        document = about | figures.as_json() | {"ratios": verdict_rows}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    drawn = plot.draw(figures, {peer.name: peer.title for peer in peers})
    if options.plot:
        options.plot.write_text(drawn, encoding="utf-8")
    if options.docs:
        command = f"python -m benchmarks {shlex.join(words)}"
        date = f"{datetime.now(UTC):%Y-%m-%d}"
        load = f"{before:.1f} and {os.getloadavg()[0]:.1f}"
        page.update(page.Run(figures, verdicts, machine(), date, command, load), ROOT / "docs")
        (ROOT / "docs" / "benchmarks.svg").write_text(drawn, encoding="utf-8")
    if options.short and not all(verdict.holds for verdict in verdicts):
        for verdict in verdicts:
            if not verdict.holds:
                found = "not measured" if verdict.found is None else f"{verdict.found:.3g}"
                _say(f"a gross regression: {verdict.title}: {found}, {verdict.limit}")
        return 1
    return 0


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--short", action="store_true", help="only what needs nothing but Python; fails on a gross regression"
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds (5)")
    parser.add_argument("--seconds", type=float, default=0.3, metavar="S", help="for each work in a round (0.3)")
    parser.add_argument("--peers", metavar="NAMES", help="only these, separated by commas")
    parser.add_argument("--works", metavar="NAMES", help="only these, separated by commas")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw them there, as SVG")
    parser.add_argument("--docs", action="store_true", help="write the figures into the pages in docs")
    options = parser.parse_args(words)
    if options.rounds < 1 or not options.seconds > 0:
        parser.error("rounds and seconds are positive")
    known_peers, known_works = {peer.name for peer in PEERS}, {work.name for work in WORKS}
    for given, known, noun in ((options.peers, known_peers, "peer"), (options.works, known_works, "work")):
        for name in given.split(",") if given else ():
            if name not in known:
                parser.error(f"there is no {noun} {name!r}, only {', '.join(sorted(known))}")
    return options


def _chosen(options: argparse.Namespace) -> tuple[list[Peer], list[Work]]:
    names = options.peers.split(",") if options.peers else None
    peers = [
        peer
        for peer in PEERS
        if (peer.name in names if names else "basic" in peer.groups or not options.short)
    ]  # fmt: skip
    wanted = options.works.split(",") if options.works else SHORT_WORKS if options.short else None
    return peers, [work for work in WORKS if wanted is None or work.name in wanted]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
