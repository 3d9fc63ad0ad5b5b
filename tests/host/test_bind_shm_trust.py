"""Shared memory is for trusted plugins: one that cuts the file short can kill its host."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plugsvc.errors import RegistrationError
from plugsvc.host import Registry, execute, new_plugin
from plugsvc.host.binds import BINDS, bind_of
from plugsvc.host.binds.shm import ShmBind

from .conftest import ROOT, run

REFUSED = (
    "over shm a plugin can kill its host, and so it is for trusted plugins only:"
    " say ShmBind(trusted=True), or give a function that decides for each plugin"
)

PLUGIN = """
import json, os, signal, sys, time
sys.path.insert(0, {root!r})
import plugsvc

@plugsvc.service("test")
def note(value: int) -> int: ...

if sys.argv[1:] == ["info"]:
    print(json.dumps({{"manifestVersion": 1, "name": {name!r}, "commands": [{{"path": ["run"], "type": "one"}}]}}))
    sys.exit()
{body}
"""

HONEST = "print(note(1))"

CUTS = """
fd = os.open(sys.argv[sys.argv.index("--host") + 1].removeprefix("shm://"), os.O_RDWR)
def cut(number, frame):
    os.ftruncate(fd, int(os.environ["SIZE"]))
    os.kill(os.getpid(), signal.SIGKILL)  # else this process would be the one that touches it
signal.signal(signal.SIGALRM, cut)
plugsvc.init_service_client()
signal.setitimer(signal.ITIMER_REAL, float(os.environ["DELAY"]))
for value in range(1_000_000_000):
    assert note(value) == value
"""
"""A plugin that calls until it cuts the memory of both short."""

HOST = """
import sys
sys.path.insert(0, {root!r})
import plugsvc
from plugsvc.host.binds.shm import ShmBind

registry = plugsvc.Registry()
registry.define("test")

@registry.service("test")
def note(value: int) -> int:
    return value

plugsvc.execute(plugsvc.new_plugin(sys.argv[1]), [], bind=registry.bind(ShmBind(4096, sys.argv[2], trusted=True)))
"""


@pytest.fixture
def program(script: Callable[..., str]) -> Callable[..., str]:
    """Return a function that writes a plugin."""

    def write(body: str, name: str = "plugin") -> str:
        return script(PLUGIN.format(root=str(ROOT), name=name, body=body), name)

    return write


def end_of_host(path: str, place: Path, size: int, delay: float) -> int:
    """Run a host that trusts a plugin that cuts its memory to a size, after a while; return its exit status."""
    place.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", HOST.format(root=str(ROOT)), path, str(place)],
        env={"SIZE": str(size), "DELAY": str(delay), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode != -signal.SIGBUS:
        assert "PluginFailed: plugin plugin run was killed by signal 9 (SIGKILL)" in done.stderr, done.stderr
        assert "AssertionError" not in done.stderr, done.stderr
    return done.returncode


def test_it_is_refused_by_default(registry: Registry) -> None:
    for make in (lambda: registry.bind("shm"), lambda: bind_of("shm"), ShmBind, lambda: ShmBind(trusted=False)):
        with pytest.raises(RegistrationError) as caught:
            make()
        assert str(caught.value) == REFUSED


def test_all_other_binds_ask_for_no_trust() -> None:
    for name in BINDS:
        if name != "shm":
            bind_of(name)


def test_trust_is_asked_for_each_plugin(
    program: Callable[..., str], registry: Registry, calls: list[Any], tmp_path: Path
) -> None:
    good, bad = program(HONEST, "good"), program(HONEST, "bad")
    asked: list[str] = []

    def trusted(plugin: Any) -> bool:
        asked.append(plugin.name)
        return bool(plugin.name == "good")

    bound = registry.bind(ShmBind(64, tmp_path, trusted=trusted))
    assert run(good, bind=bound) == "1\n"
    with pytest.raises(RegistrationError) as caught:
        execute(new_plugin(bad), (), bind=bound)
    assert str(caught.value) == "plugin bad is not trusted, and over shm it could kill its host"
    assert asked == ["good", "bad"]
    assert calls == [1]


def test_a_trusted_plugin_that_cuts_the_file_short_can_kill_its_host(
    program: Callable[..., str], tmp_path: Path
) -> None:
    """What the refusal is for. The moment decides whether the host touches the memory before it sees the end."""
    path = program(CUTS)
    statuses = {end_of_host(path, tmp_path / "shm", 0, 0.05 * number) for number in range(1, 4)}
    assert -signal.SIGBUS in statuses


def test_cutting_at_random_moments(program: Callable[..., str], tmp_path: Path) -> None:
    path = program(CUTS)
    drawn = random.Random(1)
    for _ in range(6):
        size = drawn.choice([0, 1, 100, 4096, 5000, 4096 + 4096, 12288 - 1])
        status = end_of_host(path, tmp_path / "shm", size, drawn.uniform(0.0001, 0.1))
        assert status in (1, -signal.SIGBUS)
