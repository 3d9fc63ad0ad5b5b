"""Starts a plugin that makes one call and ends, and `python -c pass`, in turn: COUNT. Prints a line of JSON each time.

`call`: seconds from the start to the call's arrival; `end`: to the end of the process; `rss`: what the plugin says it
holds, in bytes; `pass`, `msgspec`: the seconds of `python -c pass` and of importing msgspec; `bare`: what a bare
interpreter says it holds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import plugsvc

RSS = "open('/proc/self/statm').read().split()[1]"
arrivals: list[tuple[float, int]] = []
registry = plugsvc.Registry()
registry.define("bench")


@registry.service("bench")
def here(rss: int) -> None:
    """Note that the plugin has made its call."""
    arrivals.append((time.perf_counter(), rss))


def seconds(code: str) -> float:
    """How long an interpreter takes for this."""
    before = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - before


def main(count: int) -> None:
    """Measure."""
    path = Path(sys.argv[2])
    plugin = plugsvc.new_plugin(path)
    began = [0.0]

    def start(launch: plugsvc.Launch, run: Callable[[plugsvc.Launch], plugsvc.Exit]) -> plugsvc.Exit:
        began[0] = time.perf_counter()
        return run(launch)

    page = os.sysconf("SC_PAGE_SIZE")
    for _ in range(count):
        plugsvc.execute(plugin, [], bind=registry.bind(), executor=start)
        ended = time.perf_counter()
        arrived, rss = arrivals.pop()
        passed, imported = seconds("pass"), seconds("import msgspec")
        said = subprocess.run([sys.executable, "-c", f"print({RSS})"], check=True, capture_output=True, text=True)
        figures = {
            "call": arrived - began[0], "end": ended - began[0], "rss": rss * page,
            "pass": passed, "msgspec": imported, "bare": int(said.stdout) * page,
        }  # fmt: skip
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
