"""What every caller of a benchmark does: it makes calls as the runner tells it, and says how long they took.

Standard library only: the programs of the peers import it in environments of their own. A program fills a `Calls`
with what its library can do, and hands it to `serve`. The runner speaks one JSON object a line over a Unix socket,
whose path is on the command line; its end is the end of the program.

What comes back are *samples*: seconds per call, one for each batch of calls that was timed together.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Calls", "point", "serve", "until_it_works", "wait_for"]

BATCH_SECONDS = 0.004
"""About how long calls are timed together: long enough that the clock costs nothing."""

TIMEOUT = 20
"""Seconds in which the other side of a peer has to be there."""


class Unsupported(Exception):
    """The library cannot do this kind of work; the text says why."""


class Wrong(Exception):
    """A reply was not what it should have been."""


@dataclass
class Calls:
    """The services as a library's user calls them.

    `many(pairs, way)` adds each pair, with all calls under way at once where `way` is "pipelined" or "asyncio".
    `sleep(milliseconds)` takes that long on the other side. Optional ones are None where the library has no such
    thing, with the reason in `reasons`.
    """

    add: Callable[[int, int], int]
    echo: Callable[[str], str] | None = None
    typed: Callable[[Any], Any] | None = None
    points: Callable[[int], Any] | None = None
    sleep: Callable[[int], int] | None = None
    many: Callable[[Sequence[tuple[int, int]], str], Sequence[int]] | None = None
    ways: Sequence[str] = ()
    threads: bool = True
    reason: str = "one call at a time is all it has"


def point(number: int) -> dict[str, Any]:
    """One of the structures of the work `typed`, as plain data."""
    return {"x": number, "y": number / 4, "label": f"point {number}"}


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until that is so. Raises `TimeoutError`."""
    end = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"the other side was not there within {TIMEOUT} s")
        time.sleep(0.01)


def until_it_works(make: Callable[[], Any]) -> Any:
    """Return what `make` returns as soon as it raises no `OSError`, nor what a library makes of one."""
    end = time.monotonic() + TIMEOUT
    while True:
        try:
            return make()
        except Exception:
            if time.monotonic() > end:
                raise
        time.sleep(0.01)


def timed(call: Callable[[], object], seconds: float) -> list[float]:
    """Samples of `call`, for about that long. The first call is not counted, unless it takes that long by itself."""
    clock = time.perf_counter
    began = clock()
    call()
    once = clock() - began
    if once >= seconds:
        return [once]
    count = max(1, int(BATCH_SECONDS / once)) if once else 1
    end = clock() + seconds
    samples: list[float] = []
    while not samples or clock() < end:
        began = clock()
        for _ in range(count):
            call()
        samples.append((clock() - began) / count)
    return samples


def first(calls: Calls, told: dict[str, Any]) -> None:
    """One call: then everything is there."""
    if calls.add(40, 2) != 42:
        raise Wrong("40 + 2")


def small(calls: Calls, told: dict[str, Any]) -> list[float]:
    """One caller, small calls."""
    first(calls, told)
    add = calls.add
    return timed(lambda: add(40, 2), told["seconds"])


def callers(calls: Calls, told: dict[str, Any]) -> list[float]:
    """Several threads, each making small calls: one sample, of all calls together."""
    if not calls.threads:
        raise Unsupported(calls.reason)
    count, add, clock = told["callers"], calls.add, time.perf_counter
    done = [0] * count
    wrong: list[str] = []
    start = threading.Barrier(count + 1)
    finish = [0.0]

    def run(index: int) -> None:
        start.wait(60)
        made = 0
        try:
            while not made or clock() < finish[0]:  # once at least, however late it has come
                if add(index, made) != index + made:
                    wrong.append(f"{index} + {made}")
                made += 1
        except Exception as error:
            wrong.append(f"{type(error).__name__}: {error}")
        done[index] = made

    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(count)]
    for thread in threads:
        thread.start()
    finish[0] = clock() + told["seconds"]
    began = clock()
    start.wait(60)
    for thread in threads:
        thread.join(60)
    elapsed = clock() - began
    if wrong or not all(done):
        raise Wrong(wrong[0] if wrong else "a thread made no call")
    return [elapsed / sum(done)]


def many(calls: Calls, told: dict[str, Any]) -> list[float]:
    """Many calls under way at once, in the way that is asked for."""
    way = told["way"]
    if calls.many is None or way not in calls.ways:
        raise Unsupported(calls.reason)
    pairs = [(number, 2) for number in range(told["count"])]
    expected = [number + 2 for number in range(told["count"])]
    end = time.perf_counter() + told["seconds"]
    samples: list[float] = []
    while not samples or time.perf_counter() < end:
        began = time.perf_counter()
        results = calls.many(pairs, way)
        samples.append((time.perf_counter() - began) / len(pairs))
        if list(results) != expected:
            raise Wrong("sums")
    return samples


def echo(calls: Calls, told: dict[str, Any]) -> list[float]:
    """A string to the other side and back."""
    if calls.echo is None:
        raise Unsupported(calls.reason)
    size = told["size"]
    text = ("0123456789abcdef" * (size // 16 + 1))[:size]
    call = calls.echo

    def there_and_back() -> None:
        if call(text) != text:
            raise Wrong(f"{size} characters")

    return timed(there_and_back, told["seconds"])


def typed(calls: Calls, told: dict[str, Any]) -> list[float]:
    """A list of structures to the other side and back."""
    if calls.typed is None or calls.points is None:
        raise Unsupported(calls.reason)
    call, points = calls.typed, calls.points(told["count"])

    def there_and_back() -> None:
        if call(points) != points:
            raise Wrong("structures")

    return timed(there_and_back, told["seconds"])


def beside(calls: Calls, told: dict[str, Any]) -> list[float]:
    """Small calls, each timed alone, beside a slow one if `slow` (milliseconds) is not 0: every single time."""
    if calls.sleep is None or not calls.threads:
        raise Unsupported(calls.reason)
    sleep, slow, add, clock = calls.sleep, told["slow"], calls.add, time.perf_counter
    samples: list[float] = []
    other = threading.Thread(target=lambda: sleep(slow), daemon=True) if slow else None
    add(1, 1)
    if other is not None:
        other.start()
    end = clock() + told["seconds"]
    while clock() < end or (other is not None and other.is_alive()):
        began = clock()
        add(40, 2)
        samples.append(clock() - began)
    return samples


def about(calls: Calls, told: dict[str, Any]) -> dict[str, int]:
    """What this process is and holds."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        rss = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))
    return {
        "pid": os.getpid(),
        "rss": rss,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "threads": threading.active_count(),
        "descriptors": len(os.listdir("/proc/self/fd")),
    }


WORK: dict[str, Callable[[Calls, dict[str, Any]], Any]] = {
    "first": first,
    "small": small,
    "callers": callers,
    "many": many,
    "echo": echo,
    "typed": typed,
    "beside": beside,
    "about": about,
}


def serve(control: str, calls: Calls) -> None:
    """Do what the runner says, until it hangs up."""
    with socket.socket(socket.AF_UNIX) as connected:
        connected.connect(control)
        with connected.makefile("rwb") as stream:
            for line in stream:
                told = json.loads(line)
                try:
                    outcome = {"ok": WORK[told["work"]](calls, told)}
                except Unsupported as reason:
                    outcome = {"unsupported": str(reason)}
                except Exception as error:
                    outcome = {"error": f"{type(error).__name__}: {error}"}
                stream.write(json.dumps(outcome).encode() + b"\n")
                stream.flush()
