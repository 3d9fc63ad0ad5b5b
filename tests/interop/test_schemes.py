"""plugsvc and implementations that share no code with it, over each scheme that both have, both ways round.

The others are their testees: their hosts serve the contract's registry, which a plugin on plugsvc tries; their plugins
do what the contract's control channel tells them, under a host on plugsvc.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, BinaryIO

import pytest

import plugsvc
from plugsvc.host.binds import bind_of
from tests.interop import tools

SECONDS = 60
FAILURE = 7
LARGE = "".join(f"{number:07d}é" for number in range(120_000))
PIPES_AND_SOCKETS = ("devfd", "fifo", "fd", "fd-pair", "unix", "tcp")
SHARED = {
    "scratch": (*PIPES_AND_SOCKETS, "procfs", "unix-abstract"),
    "node": PIPES_AND_SOCKETS,
    "c": (*PIPES_AND_SOCKETS, "procfs", "unix-abstract", "shm"),
}
"""The binds over which each is held against plugsvc; `pty` and `stdio` are left to the suite."""

MEETINGS = [(name, bind) for name, binds in SHARED.items() for bind in binds]


@pytest.fixture(scope="session")
def testees() -> dict[str, list[str]]:
    """Commands, each made when it is asked for."""
    return {}


@pytest.fixture
def testee(name: str, testees: dict[str, list[str]]) -> list[str]:
    """The command of a testee."""
    if name not in testees:
        testees[name] = {
            "scratch": lambda: [sys.executable, str(tools.TESTEES / "scratch_python" / "testee.py")],
            "node": lambda: [tools.node(), str(tools.TESTEES / "node" / "testee.mjs")],
            "c": lambda: [str(tools.c_testee())],
        }[name]()
    return testees[name]


@pytest.fixture(scope="session")
def executable(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Makes one file of a command."""

    def make(words: list[str], name: str) -> str:
        path = tmp_path_factory.mktemp("plugins") / name
        path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.mark.timeout(2 * SECONDS)
@pytest.mark.parametrize("name", SHARED)
def test_no_scheme_is_left_out(testee: list[str], name: str) -> None:
    """What a testee says it can do is what the tests below try, but for `stdio`."""
    done = subprocess.run([*testee, "info"], capture_output=True, timeout=SECONDS, check=True, stdin=subprocess.DEVNULL)
    commands = {command["type"]: command["data"] for command in json.loads(done.stdout)["commands"]}
    assert set(commands["conformance-host"]["binds"]) - {"stdio"} == set(SHARED[name])
    schemes = {"devfd": "file", "procfs": "file", "fifo": "file", "fd-pair": "fd"}
    assert set(commands["conformance-plugin"]["schemes"]) - {"stdio"} == {schemes.get(b, b) for b in SHARED[name]}


@pytest.mark.timeout(2 * SECONDS)
@pytest.mark.parametrize(("name", "bind"), MEETINGS)
def test_a_plugin_on_plugsvc(testee: list[str], executable: Any, bind: str) -> None:
    """Under the testee's host: everything that it tries is as it has to be, and its exit status is seen."""
    plugin = executable([sys.executable, str(tools.PROGRAMS / "contract_plugin.py")], "plugsvc-plugin")
    for status in (0, FAILURE):
        words = [*testee, "conformance-host", "--bind", bind, plugin, str(status)]
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL
        )
        assert (done.returncode == 0) == (status == 0), done.stderr
        assert status == 0 or f"{FAILURE}" in done.stderr


def call(number: int, name: str, *args: Any, results: int = 1, **more: Any) -> dict[str, Any]:
    """An instruction of the contract."""
    types = {"params": ["any"] * len(args), "results": ["any"] * results}
    return {"id": number, "op": "call", "namespace": "greetings", "name": name, "args": list(args), **types, **more}


INSTRUCTIONS: list[dict[str, Any]] = [
    {"id": 1, "op": "hosted"},
    {"id": 2, "op": "listServices", "namespace": "greetings"},
    call(3, "echo", {"text": "ä € \U0001f600", "list": [1, 2.5, None, True]}),
    call(4, "echo", LARGE),
    call(5, "fail", "no such file: ä", results=0),
    call(6, "missing"),
    *({**call(10 + i, "echo", LARGE[: 50_000 + i]), "async": True} for i in range(8)),
]
OUTCOMES: dict[int, dict[str, Any]] = {
    1: {"ok": True},
    2: {"ok": ["echo", "fail"]},
    3: {"ok": [{"text": "ä € \U0001f600", "list": [1, 2.5, None, True]}]},
    4: {"ok": [LARGE]},
    5: {"error": "no such file: ä"},
    6: {"error": 'undefined service "missing"'},
    **{10 + i: {"ok": [LARGE[: 50_000 + i]]} for i in range(8)},
}


def registry() -> plugsvc.Registry:
    """What the testees' plugins are given to call."""
    made = plugsvc.Registry()
    made.define("greetings")

    @made.service("greetings")
    def echo(value: Any) -> Any:
        return value

    @made.service("greetings")
    def fail(text: str) -> None:
        raise plugsvc.ServiceError(text)

    return made


def converse(instructions: BinaryIO, outcomes: BinaryIO) -> dict[int, dict[str, Any]]:
    """Give all instructions, wait for their outcomes, and let the plugin exit."""
    lines = b"".join(json.dumps(each).encode() + b"\n" for each in INSTRUCTIONS)
    last = json.dumps({"id": 99, "op": "exit", "code": FAILURE}).encode() + b"\n"
    found: dict[int, dict[str, Any]] = {}
    # By a thread of its own: outcomes are read meanwhile.
    writing = threading.Thread(target=instructions.write, args=(lines,))
    writing.start()
    while len(found) < len(INSTRUCTIONS):
        line = outcomes.readline()
        assert line, f"the plugin ended after the outcomes {sorted(found)}"
        outcome = json.loads(line)
        found[outcome.pop("id")] = outcome
    writing.join()
    instructions.write(last)
    return found


@pytest.mark.timeout(2 * SECONDS)
@pytest.mark.parametrize(("name", "bind"), MEETINGS)
def test_a_host_on_plugsvc(testee: list[str], executable: Any, bind: str) -> None:
    """Over the testee's plugin: every outcome is as it has to be, and its exit status is seen."""
    target = plugsvc.iterate_typed([plugsvc.new_plugin(executable(testee, "testee"))], "conformance-plugin")
    stdin, give = os.pipe()
    take, stdout = os.pipe()

    def started() -> None:
        os.close(stdin)
        os.close(stdout)

    options: plugsvc.ExecuteOptions = {
        "bind": registry().bind(bind_of(bind, trusted=True)),
        "stdin": stdin,
        "stdout": stdout,
        "timeout": SECONDS,
        "on_start": started,
    }
    with ThreadPoolExecutor(1) as pool, open(give, "wb", 0) as instructions, open(take, "rb") as outcomes:
        run = pool.submit(partial(plugsvc.execute, target, [], **options))
        found = converse(instructions, outcomes)
        with pytest.raises(plugsvc.PluginFailed, match=f"status {FAILURE}"):
            run.result(SECONDS)
    assert found == OUTCOMES
