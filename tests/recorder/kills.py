"""Kills a recorder, its plugin or its host at random moments: `python -m tests.recorder.kills [--times N] [--seed N]`.

Each time all three must end, and the recording must be readable to its last whole line. All three hold the writing end
of one pipe, whose end of file shows that nobody is left.
"""

from __future__ import annotations

import argparse
import os
import random
import select
import shlex
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

from plugsvc.recorder.recording import read_recording

ROOT = Path(__file__).parents[2]
WITHIN = 4.0
"""Kills come within so many seconds after the start of the host; by then there are calls."""
TIMEOUT = 30.0
VICTIMS = ("host", "recorder", "plugin")
HOST = """
import sys
from plugsvc import Command, Manifest, Plugin, Registry, execute
registry = Registry()
registry.define("test")
registry.add_service("test", "echo", lambda text: text)
plugin = Plugin(sys.argv[1], Manifest(1, "looping", commands=(Command(("loop",)),)))
execute(plugin, bind=registry.bind(), pass_fds=[int(sys.argv[2])])
"""


class Leak(Exception):
    """Somebody is left, or the recording cannot be read."""


def kill(times: int, seed: int, folder: Path) -> Counter[str]:
    """Kill so many times; return how often each victim was hit. Raises `Leak`."""
    randomness = random.Random(seed)
    path, recording = folder / "recorded", folder / "recording.jsonl"
    words = [sys.executable, "-P", "-m", "plugsvc.commands", "record", "-o", str(recording), "--"]
    path.write_text(
        f'#!/bin/sh\nexec {shlex.join([*words, sys.executable, "-P", "-m", "tests.recorder.plugin"])} "$@"\n'
    )
    path.chmod(0o755)
    hit = Counter[str]()
    for number in range(times):
        delay, victim = randomness.uniform(0, WITHIN), randomness.choice(VICTIMS)
        text = f"{victim} killed after {delay:.3f} s (number {number}, seed {seed})"
        read, write = os.pipe()
        try:
            command = [sys.executable, "-c", HOST, str(path), str(write)]
            with subprocess.Popen(command, cwd=ROOT, pass_fds=[write], stderr=subprocess.DEVNULL) as host:
                os.close(write)
                if select.select([read], [], [], delay)[0]:
                    raise Leak(f"{text}: it had ended before, with status {host.returncode}")
                line = [host.pid, *_descendants(host.pid)]
                at = min(VICTIMS.index(victim), len(line) - 1)
                with suppress(ProcessLookupError):
                    os.kill(line[at], signal.SIGKILL)
                hit[VICTIMS[at]] += 1
                if not select.select([read], [], [], TIMEOUT)[0]:
                    host.kill()
                    raise Leak(f"{text}: somebody is left after {TIMEOUT:g} s")
        finally:
            os.close(read)
        if recording.exists():
            for _ in read_recording(recording):
                pass
            recording.unlink()
    return hit


def _descendants(pid: int) -> list[int]:
    """The process that this one has started, and the one that that has started."""
    found = []
    while children := [each for task in _tasks(pid) for each in _children(pid, task)]:
        found.append(children[0])
        pid = children[0]
    return found


def _tasks(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def _children(pid: int, task: str) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
    except OSError:
        return []


def main() -> None:
    """Print how often each was killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        hit = kill(arguments.times, arguments.seed, Path(folder))
    print(f"{arguments.times} kills, nobody left, every recording read: {dict(hit)}")


if __name__ == "__main__":
    main()
