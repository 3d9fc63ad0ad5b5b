"""The plugin of README.md on plugsvc."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import plugsvc
import plugsvc.log

INTEROP = "interop"
PATH = "/tmp/ä"


@plugsvc.service(INTEROP)
def add(a: int, b: int) -> int: ...  # type: ignore[empty-body]


@plugsvc.service(INTEROP)
def describe(name: str, sizes: list[int], weights: dict[str, float]) -> tuple[str, float]: ...  # type: ignore[empty-body]


@plugsvc.service(INTEROP)
def echo(text: str) -> str: ...  # type: ignore[empty-body]


@plugsvc.service(INTEROP)
def fail(text: str) -> None: ...


@plugsvc.service(INTEROP)
def panic(text: str) -> None: ...


@plugsvc.service(INTEROP)
def missing() -> None: ...


@plugsvc.service(INTEROP, "record")
def record_of(plugin: str, key: str, value: Any) -> None: ...


def record(key: str, value: Any) -> None:
    """Tell the host."""
    record_of("plugsvc", key, value)


def text_of(failing: Callable[..., None], *args: Any) -> str:
    """The text with which a call fails."""
    try:
        failing(*args)
    except plugsvc.ServiceError as error:
        return str(error)
    raise AssertionError("the call succeeded")


def run(status: int) -> int:
    """Do the plugin's work."""
    plugsvc.log.log_to_host()
    logger = logging.getLogger("scan")
    logger.setLevel(logging.DEBUG)  # what the host does not want is left out by the handler
    logger.info("scan started", extra={"path": PATH})
    record("hosted", plugsvc.hosted())
    record("namespaces", [plugsvc.has_namespace(INTEROP), plugsvc.has_namespace("interop/none")])
    record("manifest", plugsvc.get_manifest(INTEROP))
    record("services", sorted(plugsvc.list_services(INTEROP)))
    record("sum", add(40, 2))
    record("described", list(describe("Ada ä €", [1, 2, 3], {"a": 0.5, "b": 1})))
    with ThreadPoolExecutor(16) as pool:
        record("concurrent", list(pool.map(add, range(16), range(16))))
    record("large", len(echo("x" * 300_000)))
    record("error", text_of(fail, 'no such file: /tmp/ä "€"'))
    record("panic", text_of(panic, "aargh"))
    record("undefined", text_of(missing))
    logger.debug("details")
    logger.error("scan failed")
    return status


def main(words: list[str]) -> int:
    """Exit status."""
    if words == ["info"]:
        commands = [{"path": ["run"], "type": INTEROP}]
        # One write: the Go package closes the pipe behind the last brace, and print() may make two.
        sys.stdout.write(json.dumps({"manifestVersion": 1, "name": "plugsvc", "commands": commands}) + "\n")
        return 0
    assert words[0] == "run", words
    return run(int(words[-1]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
