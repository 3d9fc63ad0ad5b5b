"""Requirements and cases hang together."""

from __future__ import annotations

import inspect

import pytest

from conformance import fixtures
from conformance.case import Case, catalogue, matches
from conformance.requirements import Level, all_requirements
from conformance.selection import EVERYWHERE, ONCE, everywhere, once
from conformance.settings import Settings, UsageError


def test_every_requirement_has_a_case_on_each_side_or_says_why_not() -> None:
    have = {(id_, case.side) for case in catalogue().values() for id_ in case.requirements}
    missing = [
        f"{requirement.id} on the {side} side"
        for requirement in all_requirements().values()
        if not requirement.uncased
        for side in requirement.sides
        if (requirement.id, side) not in have
    ]
    assert missing == []


def test_no_requirement_says_that_it_is_unchecked_and_is_checked() -> None:
    cited = {id_ for case in catalogue().values() for id_ in case.requirements}
    assert [r.id for r in all_requirements().values() if r.uncased and r.id in cited] == []


def test_only_a_may_or_a_reasoned_should_goes_unchecked() -> None:
    assert [r.id for r in all_requirements().values() if r.uncased and r.level is Level.MUST] == []


def test_every_case_explains_itself() -> None:
    assert [case.id for case in catalogue().values() if not case.doc] == []


def test_ids_of_variants_are_unique() -> None:
    ids = [case_id for case in catalogue().values() for case_id in case.ids]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("pattern", "case_id", "expected"),
    [
        ("plugin/framing/*", "plugin/framing/split", True),
        ("plugin/framing/split", "plugin/framing/split[a]", True),
        ("plugin/framing/split[a]", "plugin/framing/split[a]", True),
        ("plugin/framing/split[a]", "plugin/framing/split[b]", False),
        ("*/spl?t", "plugin/framing/split", True),
        ("plugin/framing", "plugin/framing/split", False),
        ("plugin/framing/[s]plit", "plugin/framing/split", False),
    ],
)
def test_patterns(pattern: str, case_id: str, expected: bool) -> None:
    assert matches(pattern, case_id) is expected


@pytest.mark.parametrize("pattern", [*EVERYWHERE, *ONCE])
def test_what_is_said_of_the_matrix_names_cases(pattern: str) -> None:
    assert any(matches(pattern, case_id) for case in catalogue().values() for case_id in case.ids)


def test_nothing_is_run_both_everywhere_and_once() -> None:
    ids = [(case, case_id) for case in catalogue().values() for case_id in case.ids]
    assert [case_id for case, case_id in ids if everywhere(case, case_id) and once(case_id)] == []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (Settings(cases=("nothing/*",)), "--case nothing/\\*: no such case"),
        (Settings(skips=("nothing",)), "--skip nothing: no such case"),
        (Settings(schemes=("bogus",)), "--scheme bogus: no such scheme; this suite offers file"),
        (Settings(binds=("bogus",)), "--bind bogus: no testee declares it"),
    ],
)
def test_a_choice_that_names_nothing_is_refused(settings: Settings, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        settings.check([])


@pytest.mark.parametrize("case", catalogue().values(), ids=list(catalogue()))
def test_every_fixture_of_a_case_is_one_of_the_suite(case: Case) -> None:
    """Fixtures of pytest and its plugins depend on the configuration of the user; cases are not given any."""
    asked = set(inspect.signature(case.function).parameters) - {"each"}
    assert asked <= set(vars(fixtures))
