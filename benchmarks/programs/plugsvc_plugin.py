"""The plugin of the benchmarks on plugsvc: the caller."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import driver  # type: ignore[import-not-found]
import variants  # type: ignore[import-not-found]

import plugsvc

BENCH = "bench"


@dataclass
class Point:
    """The structure of the work `typed`."""

    x: int
    y: float
    label: str


@plugsvc.service(BENCH)
def add(a: int, b: int) -> int: ...  # type: ignore[empty-body]


@plugsvc.service(BENCH, "add")
async def add_later(a: int, b: int) -> int: ...  # type: ignore[empty-body]


@plugsvc.service(BENCH)
def echo(text: str) -> str: ...  # type: ignore[empty-body]


@plugsvc.service(BENCH)
def points(points: list[Point]) -> list[Point]: ...  # type: ignore[empty-body]


@plugsvc.service(BENCH)
def sleep(milliseconds: int) -> int: ...  # type: ignore[empty-body]


def make_points(count: int) -> list[Point]:
    """As many structures."""
    return [Point(**driver.point(number)) for number in range(count)]


def many(pairs: Sequence[tuple[int, int]], way: str) -> Sequence[int]:
    """All calls at once: as a list, or as tasks of an event loop."""
    if way == "asyncio":
        return runner.run(gathered(pairs))
    results = plugsvc.call_many(plugsvc.prepare(add, a, b) for a, b in pairs)
    for result in results:
        if isinstance(result, plugsvc.ServiceError):
            raise result
    return results  # type: ignore[return-value]


async def gathered(pairs: Sequence[tuple[int, int]]) -> list[int]:
    """All calls as coroutines."""
    return await asyncio.gather(*(add_later(a, b) for a, b in pairs))


runner = asyncio.Runner()


def main(words: list[str]) -> None:
    """Print the manifest, or make calls."""
    if words == ["info"]:
        commands = [{"path": ["run"], "type": BENCH}]
        manifest = {"manifestVersion": 1, "name": "plugsvc", "version": "1", "commands": commands}
        # One write: the Go package closes the pipe behind the last brace, and print() may make two.
        sys.stdout.write(json.dumps(manifest) + "\n")
        return
    variants.apply()
    plugsvc.init_service_client()
    calls = driver.Calls(
        add=add, echo=echo, typed=points, points=make_points, sleep=sleep, many=many, ways=("pipelined", "asyncio")
    )  # fmt: skip
    driver.serve(words[-1], calls)


if __name__ == "__main__":
    main(sys.argv[1:])
