"""Values that are nested too deeply for a small stack are refused; nothing ends the process."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from plugsvc.marshal import stack

PROGRAM = """
import dataclasses, sys, threading
from typing import Any

from plugsvc.errors import MarshalError
from plugsvc.marshal import Signature

@dataclasses.dataclass
class Chain:
    next: Chain | None = None

def deep(kind, levels):
    value = Chain() if kind == "classes" else []
    for _ in range(levels - 1):
        value = {"lists": [value], "objects": {"k": value}, "classes": Chain(value)}[kind]
    return value

TEXT = {"lists": (b"[", b"]", b""), "objects": (b'{"k":', b"}", b"[]"), "classes": (b'{"next":', b"}", b"null")}

def outcome(work):
    try:
        work()
    except MarshalError as error:
        return str(error)
    return "done"

# Made, and freed, by the main thread: freeing them ends a process with a small stack on CPython 3.13, without us.
VALUES = {(kind, levels): deep(kind, levels) for kind in TEXT for levels in map(int, sys.argv[2:])}
SIGNATURES = {of: Signature.from_types([of], [of]) for of in (Any, Chain)}

def run():
    for kind, of in (("lists", Any), ("objects", Any), ("classes", Chain), ("nulls", Chain)):
        signature = SIGNATURES[of]
        for levels in map(int, sys.argv[2:]):
            opening, closing, core = TEXT["classes" if kind == "nulls" else kind]
            data = b"[" + opening * levels + core + closing * levels + b"]"
            data = data.replace(b"null", b"null  ") if kind == "nulls" else data
            print(kind, levels, outcome(lambda: signature.decode_args(data)))
            if kind != "nulls":
                print(kind, levels, outcome(lambda: signature.encode_args((VALUES[kind, levels],))))

sys.modules["__main__"].Chain = Chain
if sys.argv[1] == "main":
    run()
else:
    threading.stack_size(int(sys.argv[1]) * 1024)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
""".replace("Chain | None", '"Chain | None"')


def outcomes(command: list[str], *levels: int) -> set[tuple[int, str]]:
    ended = subprocess.run(
        [*command, *map(str, levels)], capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return {(int(line.split()[1]), line.split(" ", 2)[2]) for line in ended.stdout.splitlines()}


def test_a_value_that_fits_goes_through_on_a_thread_with_a_small_stack() -> None:
    assert outcomes([sys.executable, "-c", PROGRAM, "128"], 1, 50, 200) == {(1, "done"), (50, "done"), (200, "done")}


@pytest.mark.parametrize("size", [32, 64, 128, 256])
def test_one_that_does_not_is_refused_on_a_thread(size: int) -> None:
    limit = max((size * 1024 - stack.RESERVE) // stack.LEVEL, 16)
    text = f"nested more than {limit} levels deep, for which the stack of this thread is too small"
    seen = outcomes([sys.executable, "-c", PROGRAM, str(size)], 10, 450, 498)
    assert seen <= {(10, "done"), (450, "done"), (498, "done"), (450, text), (498, text)}
    assert (10, "done") in seen
    assert ((450, text) in seen) == (limit < 450)
    assert ((498, text) in seen) == (limit < 498)


def test_one_that_does_not_is_refused_on_the_main_thread() -> None:
    command = ["sh", "-c", 'ulimit -s 192 && exec "$0" "$@"', sys.executable, "-c", PROGRAM, "main"]
    seen = outcomes(command, 50, 450)
    limit = (192 * 1024 - stack.RESERVE) // stack.LEVEL
    text = f"nested more than {limit} levels deep, for which the stack of this thread is too small"
    assert seen == {(50, "done"), (450, text)}


def test_the_usual_stack_has_no_limit_of_its_own() -> None:
    assert stack.depth_limit() is None


def test_other_threads_get_the_stack_that_was_asked_for() -> None:
    threading.stack_size(256 * 1024)
    try:
        sizes: list[int | None] = []
        for _ in range(2):
            thread = threading.Thread(target=lambda: sizes.append(stack.depth_limit()))
            thread.start()
            thread.join()
    finally:
        assert threading.stack_size() == 256 * 1024
        threading.stack_size(0)
    assert sizes == [(256 - 32) * 1024 // stack.LEVEL] * 2
