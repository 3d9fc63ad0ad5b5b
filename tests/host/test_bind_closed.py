"""Hosts whose descriptors 0, 1 or 2 are closed, as those of daemons may be, over every bind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

from plugsvc.host.binds import BINDS

from .conftest import ROOT

SUBSETS = [subset for size in (1, 2, 3) for subset in combinations((0, 1, 2), size)]

HOST = """
import json, os, sys
closed, path, report, names = json.loads(sys.argv[1])
for fd in closed:
    os.close(fd)
sys.path.insert(0, {root!r})
import plugsvc
from plugsvc.host.binds import bind_of

registry = plugsvc.Registry()
registry.define("test")

def standard():
    seen = []
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            continue
        seen.append(fd)
    return seen

@registry.service("test")
def open_standard() -> list[int]:
    return standard()

@registry.service("test")
async def open_standard_in_the_loop() -> list[int]:
    return standard()

def carry(context, plugin, command, reader, writer, next):
    next(prepend_args=["--host", f"fd:{{reader.fileno()}},{{writer.fileno()}}"],
         pass_fds=[reader.fileno(), writer.fileno()])

found = {{}}
for name in names:
    bind = plugsvc.with_bind_func(carry) if name == "func" else bind_of(name, trusted=True)
    try:
        [done] = plugsvc.execute(plugsvc.new_plugin(path), [], bind=registry.bind(bind))
        found[name] = done.stderr if name == "stdio" else done.stdout
    except Exception as error:
        found[name] = repr(error)
with open(report, "w") as file:
    json.dump(found, file)
"""

PLUGIN = """
import json, sys
sys.path.insert(0, {root!r})
import plugsvc

@plugsvc.service("test")
def open_standard() -> list[int]: ...

@plugsvc.service("test")
def open_standard_in_the_loop() -> list[int]: ...

if sys.argv[1:] == ["info"]:
    print(json.dumps({{"manifestVersion": 1, "name": "p", "commands": [{{"path": ["run"], "type": "x"}}]}}))
else:
    plugsvc.init_service_client()
    print(open_standard(), open_standard_in_the_loop())
"""


@pytest.mark.parametrize("closed", SUBSETS, ids=str)
def test_every_bind_works_and_no_descriptor_is_a_standard_stream(
    closed: tuple[int, ...], script: Callable[..., str], tmp_path: Path
) -> None:
    path = script(PLUGIN.format(root=str(ROOT)))
    report = tmp_path / "report"
    names = [*BINDS, "func"]
    arguments = json.dumps([closed, path, str(report), names])
    done = subprocess.run(
        [sys.executable, "-c", HOST.format(root=str(ROOT)), arguments], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    left = [fd for fd in range(3) if fd not in closed]
    assert json.loads(report.read_text()) == dict.fromkeys(names, f"{left} {left}\n")
