"""A plugin for tests of the recorder: carries out the words on its command line, one after the other."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

from plugsvc.client import api

MANIFEST = {"manifestVersion": 1, "name": "recorded", "commands": [{"path": [], "type": "test"}]}


def measure(text: str, count: int) -> float:
    """Return the seconds of one call that returns `text`: the best of five rounds of `count` calls."""
    echo = api.get_service("test", "echo", _echo)
    rounds = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(count):
            echo(text)
        rounds.append((time.perf_counter() - began) / count)
    return min(rounds)


def _echo(text: str) -> str:
    """The signature of the service."""
    raise NotImplementedError


def main(words: list[str]) -> int:
    """Carry out `call TEXT`, `blob SIZE`, `measure SIZE COUNT`, `mark FILE`, `wait`, `loop`, `status N`, `signal N`."""
    if words == ["info"]:
        print(json.dumps(MANIFEST))
        return 0
    rest = [word for at, word in enumerate(words) if word != "--host" and (at == 0 or words[at - 1] != "--host")]
    while rest:
        word = rest.pop(0)
        if word == "call":
            assert api.get_service("test", "echo")(rest[0]) == rest.pop(0)
        elif word == "blob":
            sent = "x" * int(rest.pop(0))
            assert api.get_service("test", "echo")(sent) == sent
        elif word == "mark":
            with open(rest.pop(0), "w", encoding="utf-8") as file:
                file.write(str(os.getpid()))
        elif word == "wait":
            signal.signal(signal.SIGTERM, lambda number, frame: os._exit(42))
            print("waiting", flush=True)
            while True:
                time.sleep(60)
        elif word == "loop":
            echo = api.get_service("test", "echo")
            while True:
                echo("again")
        elif word == "measure":
            size, count = int(rest.pop(0)), int(rest.pop(0))
            print(measure("x" * size, count), flush=True)
        elif word == "status":
            return int(rest.pop(0))
        elif word == "signal":
            os.kill(os.getpid(), int(rest.pop(0)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
