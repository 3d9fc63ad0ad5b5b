# mypy: ignore-errors
# The package veinmind has no types, and is in an environment of its own.
"""The plugin of the benchmarks on the PyPI package veinmind: the caller; its host is the Go package's."""

import json
import sys

import driver
from veinmind import service

BENCH = "bench"


def call(name, *args):
    """Call a service that has one result."""
    return service.rawcall(BENCH, name, *args)[0]


def main(words):
    """Print the manifest, or make calls."""
    if words == ["info"]:
        commands = [{"path": ["run"], "type": BENCH}]
        # One write: the Go package closes the pipe behind the last brace, and print() may make two.
        sys.stdout.write(json.dumps({"manifestVersion": 1, "name": "veinmind", "commands": commands}) + "\n")
        return
    service.init_service_client(*[words[i + 1] for i, word in enumerate(words) if word == "--host"])
    calls = driver.Calls(
        add=lambda a, b: call("add", a, b),
        echo=lambda text: call("echo", text),
        typed=lambda points: call("points", points),
        points=lambda count: [driver.point(number) for number in range(count)],
        threads=False,
    )
    driver.serve(words[-1], calls)


if __name__ == "__main__":
    main(sys.argv[1:])
