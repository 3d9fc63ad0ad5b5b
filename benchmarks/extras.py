"""What is not the work of a caller: how a plugin starts, and how many calls the suite generates."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.figures import Figures
from benchmarks.prepare import PROGRAMS, ROOT, Unprepared, environment, launcher, python_with

__all__ = ["first_calls", "generated_calls", "switches"]

STARTS_A_ROUND = 8
LIMIT_SECONDS = 300
REQUIREMENTS = PROGRAMS.parent / "requirements" / "plugsvc.txt"
GENERATED = ("--case", "*/fuzz/*", "--skip", "*/fuzz/hostile-bytes", "--scheme", "file", "--bind", "devfd", "-n", "0")
"""The generated cases whose examples share a process; one of the suite runs them one after the other."""


def first_calls(figures: Figures, say: Callable[[str], None], *, rounds: int) -> None:
    """Start small plugins and bare interpreters in turn, in an environment that has what plugsvc needs and no more."""
    try:
        python = python_with(REQUIREMENTS)
    except Unprepared as reason:
        figures.miss("first-call", "plugsvc", str(reason))
        say(f"first-call: {reason}")
        return
    env = environment() | {"PYTHONPATH": str(ROOT)}
    plugin = launcher("first", python, PROGRAMS / "first_plugin.py")
    command = [str(python), str(PROGRAMS / "first_host.py"), str(rounds * STARTS_A_ROUND), str(plugin)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True, env=env)
    for line in done.stdout.splitlines():
        found = json.loads(line)
        figures.add("first-call", "plugsvc", found["end"])
        figures.add("first-call", "pass", found["pass"])
        figures.add("first-call", "msgspec", found["msgspec"])
        figures.add("plugin-memory", "plugsvc", found["rss"], "B")
        figures.add("plugin-memory", "pass", found["bare"], "B")


def switches(figures: Figures, *, rounds: int, seconds: float) -> None:
    """Let many threads wake one another, and do nothing else: less than that, no call of one of many can cost."""
    command = [sys.executable, str(PROGRAMS / "switch.py"), str(seconds)]
    for _ in range(rounds):
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True)
        figures.add("switch", "python", float(done.stdout))


def generated_calls(figures: Figures, say: Callable[[str], None]) -> None:
    """Let the suite generate calls for the reference, on both sides, and take its own count of them."""
    command = [sys.executable, "-m", "conformance.cli", "run", *GENERATED]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    took = time.perf_counter() - began
    counted = re.search(r"generated calls: ([\d,]+)", done.stdout)
    if counted is None or done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()
        figures.miss("fuzz", "plugsvc", lines[-1] if lines else f"exit status {done.returncode}")
        say(f"fuzz: {figures.absent['fuzz']['plugsvc']}")
        return
    figures.add("fuzz", "plugsvc", took / int(counted[1].replace(",", "")))
