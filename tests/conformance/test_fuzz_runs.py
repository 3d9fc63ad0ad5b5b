"""Generated cases through the command line: a failure is replayed, saved, and run first; shares add up."""

from __future__ import annotations

import itertools
import json
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.cases.test_host_fuzz import stream_of
from conformance.fuzz.json_formatting import Damage, Formatting, MessageSession
from conformance.fuzz.regressions import save
from conformance.fuzz.state_machine import Scenario
from conformance.mutants import load_mutants, mutated
from conformance.outcomes import Failure

from .test_cli import cli

MUTANTS = Path(__file__).parents[2] / "fixtures" / "mutants"


@pytest.fixture(scope="module")
def faulty() -> Iterator[str]:
    """The command of a testee that changes a noncharacter in the text of an error."""
    (mutant,) = (each for each in load_mutants(MUTANTS) if each.id == "scratch-plugin-noncharacters-in-errors")
    with mutated(mutant) as (command, _):
        yield command


def report(tmp_path: Path, *words: str, cwd: Path | None = None) -> tuple[int, list[dict[str, Any]], str]:
    """The exit status, the rows and the output of a run."""
    file = tmp_path / "report.json"
    done = cli("run", *words, "--json", str(file), "-n", "0", cwd=cwd)
    rows: list[dict[str, Any]] = json.loads(file.read_text())["results"] if file.exists() else []
    return done.returncode, rows, done.stdout + done.stderr


def test_a_failure_is_replayed_elsewhere_and_saved(faulty: str, tmp_path: Path) -> None:
    folder = tmp_path / "regressions"
    words = ("--testee", faulty, "--case", "plugin/fuzz/errors")
    status, (row,), printed = report(tmp_path, *words, "--save-regressions", str(folder))
    assert status == 1
    assert row["message"].startswith("another error text than was sent\n")
    assert row["saved"] == str(folder / "0001.json")
    assert f"saved as a regression: {folder}/0001.json" in printed

    # Somebody else takes the command from the failure, on a copy of the testee, in another folder.
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(Path(shlex.split(faulty)[-1]).parent, elsewhere / "copy")
    command, words_of_it = shlex.split(row["reproduce"])[0], shlex.split(row["reproduce"])[2:]
    assert command == "plugsvc-conformance"
    place = words_of_it.index(faulty)
    words_of_it[place] = shlex.join([sys.executable, "copy/testee.py"])
    status, (again,), _ = report(tmp_path, *words_of_it, cwd=elsewhere)
    assert status == 1
    assert again["message"] == row["message"]
    assert again["examples"] == 1

    status, (first,), _ = report(tmp_path, *words, "--save-regressions", str(folder))
    assert status == 1
    assert first["examples"] == 1
    assert first["message"] == f"{row['message']}\n  saved regression: {folder}/0001.json"
    assert [file.name for file in folder.iterdir()] == ["0001.json"]

    # The fixed testee: the saved example passes, and new ones follow.
    honest = shlex.join([sys.executable, str(MUTANTS.parent / "testees" / "scratch_python" / "testee.py")])
    fixed = ("--testee", honest, "--case", "plugin/fuzz/errors", "--examples", "5", "--regressions", str(folder))
    status, (passed,), _ = report(tmp_path, *fixed)
    assert status == 0
    assert passed["examples"] == 6


@pytest.mark.parametrize("case", ["host/states/end-anywhere", "plugin/states/end-anywhere"])
def test_a_correct_testee_passes_where_the_stream_ends_beside_the_end_of_a_message(case: str, tmp_path: Path) -> None:
    plan = bytes([3, 119] * 20) if case.startswith("host") else bytes([1, 0] * 8 + [12, 0] * 8)
    for beside, end in itertools.product((-1, 0, 1, 2), range(4)):
        scenario = Scenario(plan, ("",), place=end / 4, end=end, beside=beside)
        save(str(tmp_path / "regressions"), case, scenario, Failure("a false alarm"), "")
    words = ("--case", case, "--examples", "1", "--regressions", str(tmp_path / "regressions"))
    status, (row,), printed = report(tmp_path, *words)
    assert status == 0, printed
    assert row["examples"] > 16


def test_a_sequence_that_damage_gives_to_another_call_has_two_replies_in_any_order(tmp_path: Path) -> None:
    (mutant,) = (each for each in load_mutants(MUTANTS) if each.id == "scratch-host-malformed-string-aborts")
    find = "            self._write(answer(request, service))\n"
    slow = "            if request.sequence == 2 and not hasattr(self, 'late'):\n                self.late = True\n"
    slow += "                threading.Event().wait(0.3)\n"
    correct = replace(mutant, find=find, replace=f"{slow}{find}")
    message_session = MessageSession(
        tuple(range(12)), (Formatting(b"", ascii=False, unknown=False),), bytes(range(12)), ()
    )
    stream = b"".join(stream_of(message_session, 1))
    damage = Damage("delete", (stream.index(b"12 ") + 0.5) / len(stream), b"-")
    assert damage.apply(stream)[0].count(b":2  ") == 2
    save(
        str(tmp_path / "regressions"),
        "host/fuzz/hostile-bytes",
        (message_session, damage),
        Failure("a false alarm"),
        "",
    )
    with mutated(correct) as (command, _):
        words = ("--testee", command, "--case", "host/fuzz/hostile-bytes", "--examples", "1")
        status, _, printed = report(tmp_path, *words, "--regressions", str(tmp_path / "regressions"))
    assert status == 0, printed


def test_shares_of_a_case(tmp_path: Path) -> None:
    words = ("--case", "host/fuzz/errors", "--shards", "2", "--examples", "10", "--seed", "1")
    status, rows, printed = report(tmp_path, *words)
    assert status == 0
    assert [(row["case"], row["share"], row["examples"]) for row in rows] == [
        ("host/fuzz/errors", 1, 5),
        ("host/fuzz/errors", 2, 5),
    ]
    assert rows[0]["generated"] != rows[1]["generated"]
    _, again, _ = report(tmp_path, *words)
    assert [row["generated"] for row in again] == [row["generated"] for row in rows]
    assert "2 cases: 2 passed" in printed


def test_a_campaign_tells_what_it_generated(tmp_path: Path) -> None:
    words = ("--case", "plugin/fuzz/values", "--profile", "campaign", "--examples", "20")
    status, (row,), printed = report(tmp_path, *words, "--resume", str(tmp_path / "progress"))
    assert status == 0
    assert row["examples"] == 20
    assert sum(row["features"].values()) > 20
    assert "features generated: " in printed
    assert "never generated: " in printed
    status, (more,), _ = report(tmp_path, *words[:-1], "30", "--resume", str(tmp_path / "progress"))
    assert status == 0
    assert more["examples"] == 30
    assert more["generated"] > row["generated"]
