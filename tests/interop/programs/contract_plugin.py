"""A plugin on plugsvc for hosts that keep the testee contract: it tries what their namespace has, and exits 0 or 7."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import plugsvc

NAMESPACE = "conformance"
LARGE = "".join(f"{number:07d}é" for number in range(120_000))  # a megabyte, in which every place is another


@plugsvc.service(NAMESPACE)
def add(a: int, b: int) -> int: ...  # type: ignore[empty-body]


@plugsvc.service(NAMESPACE)
def echo(value: Any) -> Any: ...


@plugsvc.service(NAMESPACE)
def fail(text: str) -> None: ...


@plugsvc.service(NAMESPACE)
def sleep(milliseconds: int) -> int: ...  # type: ignore[empty-body]


def run(status: int) -> int:
    """Exit status."""
    assert plugsvc.hosted()
    assert plugsvc.has_namespace(NAMESPACE)
    assert plugsvc.get_manifest(NAMESPACE) == {"contract": 1}
    assert add(40, 2) == 42
    value = {"text": "ä € \U0001f600", "list": [1, 2.5, None, True], "empty": {}}
    assert echo(value) == value
    assert echo(LARGE) == LARGE
    with ThreadPoolExecutor(8) as pool:  # both directions at once, and a slow call that holds nobody up
        slow = pool.submit(sleep, 50)
        assert list(pool.map(echo, [LARGE[:50_000]] * 16)) == [LARGE[:50_000]] * 16
        assert slow.result() == 50
    assert error_of(fail, "no such file: ä") == "no such file: ä"
    return status


def error_of(failing: Callable[[str], None], text: str) -> str:
    """The text with which a call fails."""
    try:
        failing(text)
    except plugsvc.ServiceError as error:
        return str(error)
    raise AssertionError("the call succeeded")


def main(words: list[str]) -> int:
    """Exit status."""
    if words == ["info"]:
        commands = [{"path": ["run"], "type": "conformance-plugin"}]
        sys.stdout.write(json.dumps({"manifestVersion": 1, "name": "plugsvc", "commands": commands}) + "\n")
        return 0
    assert words[0] == "run", words
    return run(int(words[-1]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
