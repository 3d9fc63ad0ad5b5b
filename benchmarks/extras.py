"""What is not the work of a caller: how a plugin starts, and how many calls the suite generates."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.figures import Figures
from benchmarks.prepare import PROGRAMS, launcher

__all__ = ["first_calls", "generated_calls"]

STARTS_A_ROUND = 8
LIMIT_SECONDS = 300
FUZZ_CASES = "plugin/fuzz/*"


def first_calls(figures: Figures, *, rounds: int) -> None:
    """Start small plugins and bare interpreters in turn."""
    plugin = launcher("first", sys.executable, PROGRAMS / "first_plugin.py")
    command = [sys.executable, str(PROGRAMS / "first_host.py"), str(rounds * STARTS_A_ROUND), str(plugin)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True)
    for line in done.stdout.splitlines():
        found = json.loads(line)
        figures.add("first-call", "plugsvc", found["end"])
        figures.add("first-call", "pass", found["pass"])
        figures.add("plugin-memory", "plugsvc", found["rss"], "B")
        figures.add("plugin-memory", "pass", found["bare"], "B")


def generated_calls(figures: Figures, say: Callable[[str], None]) -> None:
    """Let the suite generate calls for the reference, and take its own count of them."""
    command = [sys.executable, "-m", "conformance.cli", "run", "--case", FUZZ_CASES, "--scheme", "file"]
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
