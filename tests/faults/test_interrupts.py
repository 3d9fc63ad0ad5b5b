"""An exception in the main thread, or a kill, at each step or at any moment, leaves nothing behind."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .interrupts import at_each_step, at_random_moments
from .kills import kill_hosts, kill_plugins
from .remains import Leak, nothing_remains
from .scenarios import SCENARIOS, make_scenario, prepare


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_exception_at_each_line(name: str, tmp_path: Path) -> None:
    prepare()
    assert at_each_step(make_scenario(name, tmp_path), "line") > 30


@pytest.mark.parametrize("name", ["a process", "an execution"])
def test_an_exception_at_each_instruction(name: str, tmp_path: Path) -> None:
    prepare()
    assert at_each_step(make_scenario(name, tmp_path), "opcode", stride=2) > 90


@pytest.mark.parametrize("name", SCENARIOS)
def test_signals_at_random_moments(name: str, tmp_path: Path) -> None:
    prepare()
    assert at_random_moments(make_scenario(name, tmp_path), times=30, seed=1) > 3


def test_plugins_that_are_killed(tmp_path: Path) -> None:
    prepare()
    assert kill_plugins(20, 1, tmp_path) == 20


def test_hosts_that_are_killed(tmp_path: Path) -> None:
    assert kill_hosts(10, 1, tmp_path) == 10


@contextmanager
def found(what: str) -> Iterator[None]:
    """What the block leaves behind is found, and is told in these words."""
    with pytest.raises(Leak, match=f"^a test: left {what}$"), nothing_remains(lambda: "a test", 0.0):
        yield


def test_what_is_left_behind_is_found() -> None:
    left: list[int] = []
    with found(r"descriptors \['\d+ /dev/null'\]"):
        left.append(os.open(os.devnull, os.O_RDONLY))
    os.close(left.pop())
    with found("a child, which runs"):
        left.append(os.posix_spawn("/bin/sleep", ["sleep", "1000"], {}))
    os.kill(left[0], signal.SIGKILL)
    os.waitpid(left.pop(), 0)
    event = threading.Event()
    with found("the threads unusual"):
        threading.Thread(target=event.wait, name="unusual").start()
    event.set()
