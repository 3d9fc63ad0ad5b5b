"""Measures what the recorder costs: `python -m tests.recorder.cost [--transport NAME]`.

A plugin calls a service that returns its argument, directly and through the recorder; each figure is the best of five
rounds.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from pathlib import Path

from plugsvc.host import execution
from plugsvc.host.binds import BINDS, bind_of
from plugsvc.host.plugin import new_plugin
from plugsvc.host.registry import Registry

ROOT = Path(__file__).parents[2]
PLUGIN = [sys.executable, "-P", "-m", "tests.recorder.plugin"]
RECORD = [sys.executable, "-P", "-m", "plugsvc.commands", "record"]
SMALL, SMALL_COUNT = 10, 2000
LARGE, LARGE_COUNT = 1 << 20, 20


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transport", choices=list(BINDS), default="devfd")
    transport = parser.parse_args().transport
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        direct = _measure(Path(folder, "direct"), PLUGIN, transport)
        words = [*RECORD, "-o", str(Path(folder, "recording.jsonl")), "--", *PLUGIN]
        recorded = _measure(Path(folder, "recorded"), words, transport)
    small, large = (after - before for before, after in zip(direct, recorded, strict=True))
    print(f"transport {transport}")
    print(f"small call: {direct[0] * 1e6:.1f} µs direct, {recorded[0] * 1e6:.1f} µs recorded: {small * 1e6:+.1f} µs")
    ratio = direct[1] / recorded[1]
    print(f"1 MiB there and back: {direct[1] * 1e3:.2f} ms direct, {recorded[1] * 1e3:.2f} ms recorded", end=": ")
    print(f"{large * 1e3:+.2f} ms, {ratio:.0%} of the throughput")


def _measure(path: Path, words: list[str], transport: str) -> tuple[float, float]:
    path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    path.chmod(0o755)
    registry = Registry()
    registry.define("test")
    registry.add_service("test", "echo", _echo)
    plugin = new_plugin(str(path))
    figures = []
    for size, count in ((SMALL, SMALL_COUNT), (LARGE, LARGE_COUNT)):
        (done,) = execution.execute(
            plugin, ["measure", str(size), str(count)], bind=registry.bind(bind_of(transport, trusted=True))
        )
        figures.append(float(done.stdout))
    return figures[0], figures[1]


def _echo(text: str) -> str:
    return text


if __name__ == "__main__":
    main()
