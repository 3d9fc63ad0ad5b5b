"""`multiprocessing.Connection`: pickled objects between two processes of the standard library."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import driver  # type: ignore[import-not-found]


def other_side(connection: Connection[Any, Any]) -> None:
    """Answer requests of name and arguments."""
    services: dict[str, Callable[..., Any]] = {"add": lambda a, b: a + b, "echo": lambda value: value}
    while True:
        try:
            name, args = connection.recv()
        except EOFError:
            return
        connection.send(services[name](*args))


def main(control: str) -> None:
    """Start the other side and make calls."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=other_side, args=(theirs,), daemon=True)
    process.start()
    theirs.close()

    def call(name: str, *args: Any) -> Any:
        ours.send((name, args))
        return ours.recv()

    calls = driver.Calls(
        add=lambda a, b: call("add", a, b),
        echo=lambda text: call("echo", text),
        typed=lambda points: call("echo", points),
        points=lambda count: [driver.point(number) for number in range(count)],
        threads=False,
        reason="a connection is for one call at a time",
    )
    driver.serve(control, calls)
    ours.close()
    process.join(10)


if __name__ == "__main__":
    main(sys.argv[1])
