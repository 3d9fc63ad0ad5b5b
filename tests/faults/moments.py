"""Injects exceptions, signals and kills, and counts them: `python -m tests.faults.moments [KIND...] [--times N]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from .interrupts import at_each_step, at_random_moments
from .kills import kill_hosts, kill_plugins
from .remains import Leak
from .scenarios import SCENARIOS, make_scenario, prepare

Run = Callable[[argparse.Namespace, Path], int]


def _each(run: Callable[[Callable[[], object]], int]) -> Callable[[Path], int]:
    return lambda folder: sum(run(make_scenario(name, folder)) for name in SCENARIOS)


KINDS: dict[str, Run] = {
    "lines": lambda options, folder: _each(lambda action: at_each_step(action, "line"))(folder),
    "instructions": lambda options, folder: _each(lambda action: at_each_step(action, "opcode"))(folder),
    "signals": lambda options, folder: _each(
        lambda action: at_random_moments(action, options.times // len(SCENARIOS), options.seed)
    )(folder),
    "plugins": lambda options, folder: kill_plugins(options.times, options.seed, folder),
    "hosts": lambda options, folder: kill_hosts(options.times, options.seed, folder),
}
"""What can be injected: an exception at each line or instruction of the main thread, signals whose handler raises,
kills of plugins and of hosts.
"""


def main() -> int:
    """Return the exit status: 0 when nothing was left behind, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.moments", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)} (default: all)")
    parser.add_argument("--times", type=int, default=1000, metavar="N", help="signals and kills (default: 1000)")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments (default: 1)")
    options = parser.parse_args()
    if unknown := set(options.kinds) - set(KINDS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    prepare()
    wrong = 0
    for kind in options.kinds or KINDS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            try:
                count = KINDS[kind](options, Path(folder))
            except Leak as leak:
                wrong += 1
                print(f"{kind}: {leak}", flush=True)
            else:
                print(f"{kind}: {count} injected, nothing left behind; {time.monotonic() - began:.0f} s", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
