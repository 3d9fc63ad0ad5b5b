"""Many calls from many threads, random sizes and failures, every answer checked: `python -m benchmarks.soak`.

This process is the host. It looks at what both sides hold while the calls go on: memory has to stay flat, and in the
end no descriptor and no thread may be left that was not there in the beginning.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import plugsvc
from benchmarks.prepare import PROGRAMS, launcher
from benchmarks.programs.holding import holding
from plugsvc.host.binds import bind_of

__all__ = ["Sample", "faults", "main"]

SOAK = "soak"
SLOW_SECONDS = 0.005
WARM = 0.2
"""Of the samples so many come before memory has to be flat."""
GROWTH, MORE_BLOCKS = 32_000_000, 20_000
"""Bytes, and blocks of Python, by which the last samples may exceed the first ones: what 16 threads have under way. To
leak four bytes a call is more, in a run of ten million; to leak one object every five hundred calls, too."""
ALLOCATOR = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "262144"}
"""So the C library gives back what is freed. By itself it keeps up to 64 MB for each of many threads, and a leak could
not be told from that."""


@dataclass(frozen=True)
class Sample:
    """What both sides held after so many calls: bytes of memory, blocks of Python, descriptors, threads."""

    seconds: float
    calls: int
    plugin_memory: int
    plugin_blocks: int
    plugin_descriptors: int
    plugin_threads: int
    host_memory: int
    host_blocks: int
    host_descriptors: int
    host_threads: int


def services(samples: list[Sample], show: bool) -> plugsvc.Registry:
    """The registry; samples are added as the plugin reports."""
    registry = plugsvc.Registry()
    registry.define(SOAK)
    began = time.monotonic()

    @registry.service(SOAK)
    def turn(number: int, text: str) -> tuple[int, str]:
        return number + len(text), text[::-1]

    @registry.service(SOAK)
    def fail(number: int) -> None:
        raise plugsvc.ServiceError(f'failed with {number} "€"')

    @registry.service(SOAK)
    def panic(number: int) -> None:
        raise RuntimeError(f"panicked with {number}")

    @registry.service(SOAK)
    def slow(number: int) -> int:
        time.sleep(SLOW_SECONDS)
        return -number

    @registry.service(SOAK)
    def report(calls: int, memory: int, blocks: int, descriptors: int, threads: int) -> None:
        sample = Sample(time.monotonic() - began, calls, memory, blocks, descriptors, threads, *holding())
        samples.append(sample)
        if show:
            sides = f"plugin {memory / 1e6:.1f} MB, host {sample.host_memory / 1e6:.1f} MB"
            print(f"{sample.seconds:7.0f} s {calls:12,} calls, {sides}", file=sys.stderr, flush=True)

    return registry


def faults(samples: Sequence[Sample], calls: int) -> list[str]:
    """Return what is wrong with these samples, which begin before the first call and end after the last one."""
    found = []
    first, last = samples[0], samples[-1]
    if last.calls < calls:
        found.append(f"only {last.calls} calls of {calls} were made")
    warm = samples[int(len(samples) * WARM) :]
    quarter = max(1, len(warm) // 4)
    for side in ("plugin", "host"):
        memory = [getattr(sample, f"{side}_memory") for sample in warm]
        growth = statistics.median(memory[-quarter:]) - statistics.median(memory[:quarter])
        if growth > GROWTH:
            found.append(f"the {side}'s memory grew by {growth / 1e6:.1f} MB")
        blocks = [getattr(sample, f"{side}_blocks") for sample in warm]
        more = statistics.median(blocks[-quarter:]) - statistics.median(blocks[:quarter])
        if more > MORE_BLOCKS:
            found.append(f"the {side} has {more:,.0f} blocks of Python more than in the beginning")
        opened = getattr(last, f"{side}_descriptors") - getattr(first, f"{side}_descriptors")
        if opened > 0:
            found.append(f"the {side} has {opened} descriptors more than in the beginning")
    if last.plugin_threads > first.plugin_threads:
        found.append(f"the plugin has {last.plugin_threads - first.plugin_threads} threads more than in the beginning")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run it. Exit status 0 when everything was right, 1 when something was not, 2 for usage."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000_000, metavar="N", help="how many calls (10,000,000)")
    parser.add_argument("--threads", type=int, default=16, metavar="N", help="from how many threads (16)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the random numbers (1)")
    parser.add_argument("--bind", default="devfd", metavar="NAME", help="how they are connected (devfd)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the samples there")
    options = parser.parse_args(argv)
    if options.calls < 1 or options.threads < 1:
        parser.error("calls and threads are positive")
    samples: list[Sample] = []
    registry = services(samples, show=True)
    plugin = plugsvc.new_plugin(launcher("soak", sys.executable, PROGRAMS / "soak_plugin.py"))
    _, _, descriptors, threads = holding()
    args = [str(options.calls), str(options.threads), str(options.seed)]
    try:
        plugsvc.execute(plugin, args, bind=registry.bind(bind_of(options.bind, trusted=True)))
    except plugsvc.PluginFailed as error:
        print(f"the plugin failed: {error}")
        return 1
    found = faults(samples, options.calls)
    found += _left(descriptors, threads)
    if options.json:
        options.json.write_text(json.dumps([asdict(sample) for sample in samples], indent=1) + "\n", encoding="utf-8")
    last = samples[-1]
    rate = last.calls / last.seconds
    print(f"{last.calls:,} calls in {last.seconds:.0f} s, {rate:,.0f} a second, every answer right")
    for text in found:
        print(text)
    return 1 if found else 0


def _left(descriptors: int, threads: int) -> list[str]:
    """Return what this process holds more than before, once its threads have had the time to end."""
    deadline = time.monotonic() + 10
    while (now := holding())[3] > threads and time.monotonic() < deadline:
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                thread.join(0.05)
    found = []
    if now[2] > descriptors:
        found.append(f"the host has {now[2] - descriptors} descriptors left")
    if now[3] > threads:
        found.append(f"the host has {now[3] - threads} threads left")
    return found


if __name__ == "__main__":
    if not ALLOCATOR.items() <= os.environ.items():
        # The C library reads them when it starts, so start anew; the plugin inherits them.
        os.execve(sys.executable, sys.orig_argv, os.environ | ALLOCATOR)
    sys.exit(main())
