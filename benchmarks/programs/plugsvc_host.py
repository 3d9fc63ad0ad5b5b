"""The host of the benchmarks on plugsvc: PLUGIN BIND CONTROL."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import variants  # type: ignore[import-not-found]

import plugsvc

BENCH = "bench"

registry = plugsvc.Registry()
registry.define(BENCH)


@dataclass
class Point:
    """The structure of the work `typed`."""

    x: int
    y: float
    label: str


@registry.service(BENCH)
def add(a: int, b: int) -> int:
    """The sum."""
    return a + b


@registry.service(BENCH)
def echo(text: str) -> str:
    """The same."""
    return text


@registry.service(BENCH)
def points(points: list[Point]) -> list[Point]:
    """The same."""
    return points


@registry.service(BENCH)
def sleep(milliseconds: int) -> int:
    """Take that long."""
    time.sleep(milliseconds / 1000)
    return milliseconds


def main(plugin: str, bind: str, control: str) -> None:
    """Run the plugin, until the runner hangs up on it."""
    variants.apply()
    binding = registry.bind(variants.bind(bind))
    plugsvc.execute(plugsvc.new_plugin(plugin), [control], bind=binding, stderr="inherit")


if __name__ == "__main__":
    main(*sys.argv[1:])
