"""Hostile plugins, each beside a good one on the same host: `python -m benchmarks.hostile`.

For each hostile plugin a host of its own serves two plugins. The good one makes small calls all the time, and notes
the slowest. The hostile one does its worst for a few seconds. The table has the memory that the host took beyond what
it had before, and the slowest call of the good plugin.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import plugsvc
from benchmarks.prepare import PROGRAMS, launcher
from benchmarks.report import machine

__all__ = ["ATTACKS", "Attack", "Outcome", "faults", "main", "measure"]

MIB = 1024 * 1024
SECONDS = 4.0
SHORT_SECONDS = 1.0
MOST_MEMORY = 1200 * MIB
"""Bytes that one hostile plugin may take beyond what the host had: see `docs/security.md`."""
SLOWEST = 1.0
"""Seconds that a call of the good plugin may take."""
SHORT_FACTOR = 3
"""The short form fails only on a gross violation: a machine of CI is busy, and slow."""
HEAD = b'{"sequence":1,"type":"call","namespace":"n","name":"%s","args":'


def call(name: str, args: bytes) -> bytes:
    """One call, as bytes."""
    return HEAD % name.encode() + args + b"}\n"


def namespace_request(kind: str, namespace: str = "n") -> bytes:
    """One request about a namespace."""
    return f'{{"sequence":1,"type":"{kind}","namespace":"{namespace}"}}\n'.encode()


@dataclass(frozen=True)
class Attack:
    """One hostile plugin.

    `data`: makes what it sends, again and again while it can (once, where not `again`). `reads`: whether it reads
    replies. `piece`: how many bytes go into one write at most, 0 for as many as there is room for.
    """

    name: str
    data: Callable[[], bytes]
    again: bool = True
    reads: bool = False
    piece: int = 0


ATTACKS: tuple[Attack, ...] = (
    Attack("quick calls, replies unread", lambda: call("add", b"[1,2]") * 1000),
    Attack("quick calls, replies read", lambda: call("add", b"[1,2]") * 1000, reads=True),
    Attack("slow calls", lambda: call("sleep", b"[3]") * 1000),
    Attack("calls of a coroutine", lambda: call("wait", b"[3]") * 1000),
    Attack("large replies, unread", lambda: call("blob", b"[1000000]") * 100),
    Attack("large replies, read", lambda: call("blob", b"[1000000]") * 100, reads=True),
    Attack("hasNamespace", lambda: namespace_request("hasNamespace") * 1000),
    Attack("listServices, replies unread", lambda: namespace_request("listServices") * 1000),
    Attack("listServices, replies read", lambda: namespace_request("listServices") * 1000, reads=True),
    Attack("getManifest, replies unread", lambda: namespace_request("getManifest") * 1000),
    Attack("undefined names of 1 MB", lambda: namespace_request("call", "x" * 1_000_000)),
    Attack("slow calls with 60 MB of white space", lambda: call("sleep", b"[3" + b" " * 60_000_000 + b"]")),
    Attack("slow calls after 60 MB of white space", lambda: b" " * 60_000_000 + call("sleep", b"[3]")),
    Attack("white space without end", lambda: b" " * 1_000_000),
    Attack("a text of 70 MB", lambda: call("size", b'"' + b"x" * 70_000_000 + b'"]').replace(b':"x', b':["x', 1)),
    Attack("surplus arguments, 75 MB", lambda: call("size", b'["a"' + b",1" * 37_000_000 + b"]")),
    Attack("a list of 37 million numbers", lambda: call("total", b"[[" + b"1," * 37_000_000 + b"1]]")),
    Attack("a list of 1.9 million numbers", lambda: call("total", b"[[" + b"1," * 1_900_000 + b"1]]")),
    Attack("a list of 370,000 empty objects", lambda: call("any", b"[[" + b"{}," * 370_000 + b"1]]")),
    Attack("a list of 25 million empty objects", lambda: call("any", b"[[" + b"{}," * 25_000_000 + b"1]]")),
    Attack("nested 450 levels deep", lambda: call("any", b"[" + b"[" * 450 + b"]" * 450 + b"]") * 200),
    Attack("nested 100,000 levels deep", lambda: call("any", b"[" * 100_000 + b"]" * 100_000), again=False),
    Attack("one byte at a time", lambda: call("add", b"[1,2]") * 10, piece=1),
    Attack("a message that never ends", lambda: b'{"sequence":1,"args":["' + b"x" * 1_000_000, again=False),
    Attack("a message of 300 MB", lambda: call("size", b'["' + b"x" * 300_000_000 + b'"]'), again=False),
    Attack("malformed", lambda: b'{"sequence":1,]' * 1000, again=False),
    Attack("half a message, then nothing", lambda: b'{"sequence":1,"type":"ca', again=False),
    Attack("invalid UTF-8 and lone surrogates", lambda: call("size", b'["\xff\xfe\\ud800"]') * 1000),
    Attack("pieces that look like ends", lambda: b'{"args":["' + b"},\\n{" * 2_000_000 + b'"]}', piece=4096),
)


@dataclass(frozen=True)
class Outcome:
    """What one attack did.

    `memory`: bytes of the host, more than before. `slowest`: seconds that a call of the good plugin took. `calls`: how
    many it made. `end`: how the hostile one ended.
    """

    attack: str
    memory: int
    slowest: float
    calls: int
    end: str


def registry(report: Callable[[float, int], None]) -> plugsvc.Registry:
    """What both plugins may call."""
    made = plugsvc.Registry()
    made.define("n", {"manifest": "x" * 10_000})

    @made.service("n")
    def add(a: int, b: int) -> int:
        return a + b

    @made.service("n")
    def sleep(seconds: float) -> None:
        time.sleep(seconds)

    @made.service("n")
    async def wait(seconds: float) -> None:
        import asyncio

        await asyncio.sleep(seconds)

    @made.service("n")
    def blob(size: int) -> str:
        return "x" * size

    @made.service("n")
    def size(text: str) -> int:
        return len(text)

    @made.service("n")
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    @made.service("n", "any")
    def whatever(value: Any) -> int:
        return len(value) if isinstance(value, list) else 0

    made.service("n", "report")(report)
    return made


def host(name: str, seconds: float) -> Outcome:
    """Be the host of one attack, in this process."""
    figures: list[tuple[float, int]] = []

    def report(slowest: float, calls: int) -> None:
        figures.append((slowest, calls))

    served = registry(report)
    good = plugsvc.new_plugin(_program("good", seconds))
    hostile = plugsvc.new_plugin(_program("hostile", seconds))
    before = _resident()
    most, over = before, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.005):
            most = max(most, _resident())

    ends: list[str] = []

    def attack() -> None:
        try:
            plugsvc.execute(hostile, [name], bind=served.bind(), timeout=seconds + 30)
        except plugsvc.PluginError as error:
            ends.append(str(error))
        else:
            ends.append("ended by itself")

    threads = [threading.Thread(target=target) for target in (watch, attack)]
    for thread in threads:
        thread.start()
    try:
        plugsvc.execute(good, [name], bind=served.bind(), timeout=seconds + 60)
    finally:
        threads[1].join()
        over.set()
        threads[0].join()
    ((slowest, calls),) = figures
    return Outcome(name, most - before, slowest, calls, ends[0])


def _resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _program(role: str, seconds: float) -> Path:
    return launcher(f"{role}-{seconds:g}", sys.executable, PROGRAMS / "hostile_plugin.py", role, f"{seconds:g}")


def attack_with(attack: Attack, seconds: float, reader: int, writer: int) -> None:
    """Be the hostile plugin, on these descriptors, for so long or until the host ends the connection."""
    end = time.monotonic() + seconds
    data = attack.data()
    os.set_blocking(writer, False)
    poll = select.poll()
    while time.monotonic() < end:
        view = memoryview(data)
        while view:
            poll.register(writer, select.POLLOUT)
            if attack.reads:
                poll.register(reader, select.POLLIN)
            left = int(1000 * (end - time.monotonic()))
            if left <= 0:
                return
            for fd, event in poll.poll(left):
                if fd == reader and event & select.POLLIN:
                    os.read(reader, MIB)
                elif fd == writer and event & (select.POLLERR | select.POLLHUP):
                    return
                elif fd == writer:
                    view = view[os.write(writer, view[: attack.piece or MIB]) :]
        if not attack.again:
            # The rest of the time it keeps the connection, and says nothing.
            poll.unregister(writer)
            poll.register(writer, 0)
            poll.poll(max(0, int(1000 * (end - time.monotonic()))))
            return


def measure(attack: Attack, seconds: float) -> Outcome:
    """Measure one attack, in a host of its own."""
    command = [sys.executable, "-m", "benchmarks.hostile", "--host", attack.name, "--seconds", f"{seconds:g}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 120, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{attack.name}: the host failed: {done.stderr.strip().splitlines()[-1:]}")
    return Outcome(**json.loads(done.stdout))


def faults(outcomes: Sequence[Outcome], factor: float = 1) -> list[str]:
    """Return what is beyond the bounds, times `factor`."""
    found = []
    for each in outcomes:
        if each.memory > MOST_MEMORY * factor:
            found.append(f"{each.attack}: the host took {each.memory / MIB:.0f} MiB, at most {MOST_MEMORY // MIB}")
        if each.slowest > SLOWEST * factor:
            found.append(f"{each.attack}: a call of the good plugin took {each.slowest:.2f} s, at most {SLOWEST:g}")
        if not each.calls:
            found.append(f"{each.attack}: the good plugin made no call")
    return found


def table(outcomes: Sequence[Outcome]) -> str:
    """The table for the docs."""
    rows = ["| hostile plugin | memory of the host, MiB | slowest call of the good plugin, ms |", "|---|---|---|"]
    rows += [f"| {each.attack} | {each.memory / MIB:.0f} | {each.slowest * 1000:.0f} |" for each in outcomes]
    return "\n".join(rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print. Exit status: 0; 1 when a bound is broken; 2 for usage."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a second each; fails on a gross violation only")
    parser.add_argument("--seconds", type=float, default=None, metavar="S", help=f"for each attack ({SECONDS:g})")
    parser.add_argument("--only", metavar="TEXT", help="only attacks whose names contain this")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcomes there")
    parser.add_argument("--host", metavar="NAME", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    seconds = options.seconds or (SHORT_SECONDS if options.short else SECONDS)
    if options.host:
        print(json.dumps(vars(host(options.host, seconds))))
        return 0
    attacks = [each for each in ATTACKS if options.only is None or options.only in each.name]
    if not attacks:
        parser.error(f"no attack is called like {options.only!r}")
    outcomes = []
    for attack in attacks:
        outcomes.append(measure(attack, seconds))
        last = outcomes[-1]
        print(f"{last.memory / MIB:6.0f} MiB {last.slowest * 1000:7.0f} ms  {attack.name}", file=sys.stderr, flush=True)
    print(f"{machine()}\n\n{table(outcomes)}")
    if options.json:
        options.json.write_text(json.dumps([vars(each) for each in outcomes], indent=1) + "\n", encoding="utf-8")
    broken = faults(outcomes, SHORT_FACTOR if options.short else 1)
    for text in broken:
        print(text, file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
