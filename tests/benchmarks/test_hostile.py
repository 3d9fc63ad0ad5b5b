"""A hostile plugin beside a good one, in short; and what counts as a violation."""

from __future__ import annotations

import pytest

from benchmarks.hostile import ATTACKS, MIB, MOST_MEMORY, Outcome, faults, main, table

GOOD = Outcome("an attack", 10 * MIB, 0.1, 100, "ended by itself")


@pytest.mark.parametrize("name", ["quick calls, replies unread", "a list of 25 million empty objects", "malformed"])
def test_a_good_plugin_beside_a_hostile_one(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--short", "--only", name]) == 0
    assert f"| {name} |" in capsys.readouterr().out


def test_there_are_enough_attacks() -> None:
    names = [attack.name for attack in ATTACKS]
    assert len(set(names)) == len(names) >= 25


def test_what_counts_as_a_violation() -> None:
    assert faults([GOOD]) == []
    bad = Outcome("an attack", MOST_MEMORY + 1, 1.5, 0, "")
    assert faults([bad]) == [
        f"an attack: the host took {MOST_MEMORY // MIB} MiB, at most {MOST_MEMORY // MIB}",
        "an attack: a call of the good plugin took 1.50 s, at most 1",
        "an attack: the good plugin made no call",
    ]
    assert faults([bad], factor=3) == ["an attack: the good plugin made no call"]


def test_the_table() -> None:
    assert table([GOOD]).splitlines()[2] == "| an attack | 10 | 100 |"


def test_an_attack_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--only", "zz"])
    assert ended.value.code == 2
    assert "no attack is called like 'zz'" in capsys.readouterr().err
