"""Pairs of testees that talk to each other, and whose fault it is when they fail."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.drive.capabilities import Testee, load
from conformance.interop.interop import FAILS_HOST, FAILS_PLUGIN, NOT_OFFERED, WORKS, Cell, cells, run_pair
from conformance.interop.talk import Step
from conformance.mutants import load_mutants, mutated
from tests.conformance.recorded_mutants import ROOT, SET

SCRATCH = shlex.join([sys.executable, str(ROOT / "fixtures" / "testees" / "scratch_python" / "testee.py")])
RECORDER = [sys.executable, "-P", "-m", "plugsvc.commands", "record"]
SECONDS = 60.0

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Testee:
    """The from-scratch testee; the recorder is that of this checkout."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return load(SCRATCH)


@pytest.mark.parametrize("transport", ["devfd", "stdio"])
def test_a_pair_that_works(transport: str, scratch: Testee) -> None:
    cell = run_pair(scratch, scratch, transport, RECORDER, timeout=SECONDS)
    assert (cell.outcome, cell.why, list(cell.violations)) == (WORKS, "", [])
    assert cell.steps > 30


def test_it_works_without_a_recorder(scratch: Testee) -> None:
    assert run_pair(scratch, scratch, "unix", [], timeout=SECONDS).outcome == WORKS


def with_mutant(name: str, scratch: Testee) -> Cell:
    (mutant,) = (each for each in load_mutants(SET) if each.id == name)
    with mutated(mutant) as (command, _):
        broken = load(command)
        host, plugin = (broken, scratch) if mutant.side.value == "host" else (scratch, broken)
        return run_pair(host, plugin, "devfd", RECORDER, timeout=20.0)


def test_a_host_that_breaks_the_protocol_is_to_blame(scratch: Testee) -> None:
    cell = with_mutant("scratch-host-one-result-is-no-array", scratch)
    assert cell.outcome == FAILS_HOST
    assert {(each["side"], each["requirement"]) for each in cell.violations} == {("host", "REP-07")}


def test_a_plugin_that_spoils_what_it_was_given_is_to_blame(scratch: Testee) -> None:
    """It breaks nothing that can be seen in a message alone: the wire shows what was meant and what was sent."""
    cell = with_mutant("scratch-plugin-arguments-reversed", scratch)
    assert (cell.outcome, list(cell.violations)) == (FAILS_PLUGIN, [])
    assert cell.why.startswith("swap: ")


def test_what_a_side_does_not_have_is_not_offered(scratch: Testee) -> None:
    role = scratch.roles["plugin"]
    poor = Testee("poor", scratch.argv, roles={"plugin": type(role)(role.path, schemes=("none",))})
    found = list(cells([Testee("host", scratch.argv, roles={"host": scratch.roles["host"]}), poor], [], timeout=1))
    assert {cell.outcome for cell in found} == {NOT_OFFERED}
    assert "the plugin does not open file" in {cell.why for cell in found}


@pytest.mark.parametrize(
    ("step", "outcome", "problem"),
    [
        (Step("add", {"op": "call"}, [42]), {"ok": [42]}, None),
        (Step("add", {"op": "call"}, [42]), {"ok": [41]}, "at $: expected 42 (int), got 41 (int)"),
        (Step("add", {"op": "call"}, [42]), {"unsupported": "no"}, None),
        (Step("add", {"op": "call"}, [42]), {"error": "x"}, "expected [42], got {'error': 'x'}"),
        (Step("fail", {"op": "call"}, error=""), {"error": ""}, None),
        (Step("fail", {"op": "call"}, error=""), {"ok": []}, "expected the error '', got {'ok': []}"),
        (Step("panic", {"op": "call"}, part="a"), {"error": "b"}, "expected an error with 'a', got {'error': 'b'}"),
    ],
)
def test_what_has_to_come_of_a_step(step: Step, outcome: dict[str, object], problem: str | None) -> None:
    assert step.problem(outcome) == problem


def test_the_command_writes_json_and_markdown(tmp_path: Path) -> None:
    testee = tmp_path / "testee"
    data = '{"contract":1,"binds":["devfd"],"types":["any"],"features":[]}'
    testee.write_text(
        "#!/bin/sh\n"
        """echo '{"manifestVersion":1,"name":"dead","commands":[{"path":["h"],"type":"conformance-host","data":"""
        f"{data}"
        """},{"path":["p"],"type":"conformance-plugin","data":{"contract":1,"schemes":["file"],"types":["any"]}}]}'\n"""
    )
    testee.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "conformance.command", "interop", "--testee", str(testee),
         "--json", str(tmp_path / "j"), "--markdown", str(tmp_path / "m")],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert [each["outcome"] for each in json.loads((tmp_path / "j").read_text())] == [FAILS_PLUGIN]
    assert "| dead | dead | fails (plugin) |" in (tmp_path / "m").read_text()
