"""The mutant runner: banks that are wrong are named, defects that are caught are told from those that are not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from conformance.mutants import SEED, MutantSetError, load_mutants, mutated, try_mutant, unguarded
from conformance.mutation_report import report_lines
from conformance.pytest_process import PytestProcessError
from conformance.requirements import Side
from conformance.settings import Plan

BASE = """
[base.honest]
source = "honest"
command = ["{python}", "{dir}/testee.py"]
"""
MUTANT = """
[[mutant]]
id = "args-dropped"
base = "honest"
side = "plugin"
file = "testee.py"
find = 'ARGS = order["args"]'
replace = 'ARGS = order["args"][:1]'
catches = ["REQ-01"]
what = "only the first argument is sent"
"""
TESTEE = """
import json, sys
DATA = {"contract": 1, "schemes": ["file"], "types": ["any"]}
COMMAND = {"path": ["run"], "type": "conformance-plugin", "data": DATA}
if sys.argv[1:] == ["info"]:
    print(json.dumps({"manifestVersion": 1, "name": "honest", "commands": [COMMAND]}))
    sys.exit()
words = sys.argv[2:]
urls = [words[i + 1].removeprefix("file://") for i, word in enumerate(words[:-1]) if word == "--host"]
reader, writer, sequence = open(urls[0], "rb", 0), open(urls[1], "wb", 0), 0
for line in sys.stdin:
    order = json.loads(line)
    outcome = {"unsupported": "unknown op"}
    if order["op"] == "call":
        sequence += 1
        ARGS = order["args"]
        names = {key: order[key] for key in ("namespace", "name")}
        request = {"sequence": sequence, "type": "call", **names, "args": ARGS}
        writer.write(json.dumps(request).encode() + b"\\n")
        outcome = {"ok": json.loads(reader.readline())["reply"]}
    print(json.dumps({"id": order["id"], **outcome}), flush=True)
"""


def mutant_set(tmp_path: Path, text: str) -> Path:
    """A mutant set with the honest base and this text."""
    (tmp_path / "honest").mkdir()
    (tmp_path / "honest" / "testee.py").write_text(TESTEE)
    (tmp_path / "mutants.toml").write_text(BASE + text)
    return tmp_path


def test_a_defect_is_caught_by_the_requirement_that_it_breaks(tmp_path: Path) -> None:
    (mutant,) = load_mutants(mutant_set(tmp_path, MUTANT + 'cases = ["plugin/requests/call"]\n'))
    verdict = try_mutant(mutant, timeout=20)
    assert verdict.problem == ""
    assert verdict.killed
    assert verdict.caught == {"REQ-01": ["plugin/requests/call"]}
    assert report_lines([verdict])[-1] == "mutation score: 1 of 1 mutants caught by the requirement they name"


def test_a_defect_that_changes_nothing_survives(tmp_path: Path) -> None:
    text = MUTANT.replace('order["args"][:1]', 'list(order["args"])') + 'cases = ["plugin/requests/call"]\n'
    (mutant,) = load_mutants(mutant_set(tmp_path, text))
    verdict = try_mutant(mutant, timeout=20)
    assert not verdict.killed
    assert verdict.caught == {}
    assert verdict.problem == ""


def test_the_copy_is_mutated_and_the_base_is_not(tmp_path: Path) -> None:
    (mutant,) = load_mutants(mutant_set(tmp_path, MUTANT))
    with mutated(mutant) as (command, env):
        copy = Path(command.split()[-1])
        assert command.split()[0] == sys.executable
        assert mutant.replace in copy.read_text()
        assert env == {"PYTHONDONTWRITEBYTECODE": ""}
    assert not copy.exists()
    assert (tmp_path / "honest" / "testee.py").read_text() == TESTEE


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('base = "honest"', 'base = "other"'), "no base 'other'"),
        (('catches = ["REQ-01"]', 'catches = ["REQ-99"]'), "REQ-99 is no requirement of the plugin side"),
        (('catches = ["REQ-01"]', 'catches = ["REP-06"]'), "REP-06 is no requirement of the plugin side"),
        (('what = "only the first argument is sent"', ""), "expected the keys"),
        (('side = "plugin"', 'side = "plugin"\nwhy = "x"'), "expected the keys"),
    ],
)
def test_a_bank_that_is_wrong_is_named(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    with pytest.raises(MutantSetError, match=says):
        load_mutants(mutant_set(tmp_path, MUTANT.replace(*change)))


def test_an_id_is_used_once(tmp_path: Path) -> None:
    with pytest.raises(MutantSetError, match="two mutants are called args-dropped"):
        load_mutants(mutant_set(tmp_path, MUTANT + MUTANT))


@pytest.mark.parametrize(("find", "count"), [("no such text", 0), ("json", 6)])
def test_the_text_to_replace_stands_exactly_once(tmp_path: Path, find: str, count: int) -> None:
    text = MUTANT.replace("'ARGS = order[\"args\"]'", f'"{find}"')
    (mutant,) = load_mutants(mutant_set(tmp_path, text))
    assert TESTEE.count(find) == count
    with pytest.raises(MutantSetError, match=f"stands {count} times in testee.py, expected once"), mutated(mutant):
        pass


def test_what_no_mutant_guards_is_named(tmp_path: Path) -> None:
    found = unguarded(load_mutants(mutant_set(tmp_path, MUTANT)))
    assert ("REQ-01", Side.PLUGIN) not in found
    assert ("FRM-01", Side.HOST) in found


def test_the_seed_is_that_of_the_generated_cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start_pytest(plan: Plan, **options: Any) -> None:
        raise PytestProcessError(f"seed {plan.settings.seed}")

    monkeypatch.setattr("conformance.mutants.start_pytest", start_pytest)
    (mutant,) = load_mutants(mutant_set(tmp_path, MUTANT))
    assert try_mutant(mutant, timeout=10).problem == f"seed {SEED}"
    assert try_mutant(mutant, timeout=10, seed=77).problem == "seed 77"
