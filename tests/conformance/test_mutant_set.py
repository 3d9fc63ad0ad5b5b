"""Every mutant of the set can be made: a change of a base must not silently leave one behind."""

from __future__ import annotations

from pathlib import Path

from conformance.mutants import Mutant, load_mutants, unguarded

MUTANTS = Path(__file__).parents[2] / "fixtures" / "mutants"


def text_of(mutant: Mutant) -> str:
    return (mutant.base.source / mutant.file).read_text(encoding="utf-8")


def test_every_text_to_be_replaced_stands_exactly_once() -> None:
    counts = {mutant.id: text_of(mutant).count(mutant.find) for mutant in load_mutants(MUTANTS)}
    assert {id_: count for id_, count in counts.items() if count != 1} == {}


def test_every_mutant_changes_something_and_is_still_a_program() -> None:
    for mutant in load_mutants(MUTANTS):
        assert mutant.find != mutant.replace, mutant.id
        if mutant.file.endswith(".py"):
            compile(text_of(mutant).replace(mutant.find, mutant.replace), mutant.id, "exec")


def test_every_must_has_a_mutant_on_each_of_its_sides() -> None:
    assert unguarded(load_mutants(MUTANTS)) == []


def test_every_case_that_a_mutant_names_is_there() -> None:
    from conformance.case import catalogue

    named = {case for mutant in load_mutants(MUTANTS) for case in mutant.cases}
    assert named - catalogue().keys() == set()
