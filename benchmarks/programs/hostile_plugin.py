"""The plugins of `benchmarks.hostile`: `hostile_plugin.py ROLE SECONDS info`, or `... run ATTACK --host URL`."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import plugsvc
from benchmarks.hostile import ATTACKS, attack_with


def good(seconds: float) -> None:
    """Make small calls all the time, and report the slowest."""
    plugsvc.init_service_client()
    add = plugsvc.get_service("n", "add")
    report = plugsvc.get_service("n", "report")
    slowest, calls, end = 0.0, 0, time.monotonic() + seconds
    while (began := time.monotonic()) < end:
        assert add(calls, 1) == calls + 1
        slowest, calls = max(slowest, time.monotonic() - began), calls + 1
        time.sleep(0.001)
    report(slowest, calls)


def main() -> None:
    """Do as the command line says."""
    role, seconds, *words = sys.argv[1:]
    if words == ["info"]:
        print(json.dumps({"manifestVersion": 1, "name": role, "commands": [{"path": ["run"], "type": "hostile"}]}))
        return
    if role == "good":
        good(float(seconds))
        return
    urls = [words[index + 1] for index, word in enumerate(words) if word == "--host"]
    reader, writer = (
        os.open(urls[0].removeprefix("file://"), os.O_RDONLY),
        os.open(urls[1].removeprefix("file://"), os.O_WRONLY),
    )
    (attack,) = [each for each in ATTACKS if each.name == words[-1]]
    attack_with(attack, float(seconds), reader, writer)
    os._exit(0)  # whatever is unread


main()
