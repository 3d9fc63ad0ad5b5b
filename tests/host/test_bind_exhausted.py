"""Many plugins at once in a host that runs out of descriptors: each of them ends, and nothing stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from plugsvc.host.binds import BINDS

from .conftest import ROOT

HOST = """
import json, os, resource, sys, threading
name, path, place, root = sys.argv[1:]
os.environ["TMPDIR"] = place
sys.path.insert(0, root)
import plugsvc
from plugsvc.host.binds import bind_of
from plugsvc.host.binds.shm import ShmBind

COUNT = 30
registry = plugsvc.Registry()
registry.define("test")

@registry.service("test")
def note(value: int) -> int:
    together.wait(0.3)
    return value

together = threading.Event()  # never set: connections overlap
plugin = plugsvc.new_plugin(path)
bind = ShmBind(directory=place, trusted=True) if name == "shm" else bind_of(name)
before, threads = len(os.listdir("/proc/self/fd")), set(threading.enumerate())
failed = []
resource.setrlimit(resource.RLIMIT_NOFILE, (70, 70))
done = plugsvc.execute(
    [(plugin, plugin.commands[0])] * COUNT, [], bind=registry.bind(bind), parallelism=COUNT,
    handler=lambda plugin, command, error: failed.append(repr(error)),
)
for thread in set(threading.enumerate()) - threads:
    thread.join(10)
print(json.dumps([
    len(done) + len(failed) - COUNT, bool(failed), len(os.listdir("/proc/self/fd")) - before,
    len(set(threading.enumerate()) - threads),
]))
"""


@pytest.mark.parametrize("name", list(BINDS))
def test_every_plugin_ends_and_nothing_stays(
    name: str, plugin: Callable[..., str], script: Callable[..., str], tmp_path: Path
) -> None:
    path = plugin("call(connect(), 'note', 1)") if name != "shm" else script(SHM_PLUGIN.format(root=str(ROOT)))
    place = tmp_path / "place"
    place.mkdir()
    host = subprocess.run(
        [sys.executable, "-c", HOST, name, path, str(place), str(ROOT)], capture_output=True, text=True, timeout=60
    )
    assert host.returncode == 0, host.stderr
    assert json.loads(host.stdout) == [0, True, 0, 0], host.stderr
    assert os.listdir(place) == []


SHM_PLUGIN = """
import json, sys
sys.path.insert(0, {root!r})
import plugsvc

@plugsvc.service("test")
def note(value: int) -> int: ...

if sys.argv[1:] == ["info"]:
    print(json.dumps({{"manifestVersion": 1, "name": "p", "commands": [{{"path": ["run"], "type": "x"}}]}}))
else:
    note(1)
"""
