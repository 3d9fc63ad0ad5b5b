"""docs/findings.md, the lists of known failures and the suite speak of the same cases."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from conformance.case import Case, catalogue, matches
from conformance.requirements import all_requirements
from tests.interop.tools import ROOT

PAGE = ROOT / "docs" / "findings.md"
KNOWN = sorted((ROOT / "fixtures" / "known_failures").glob("*.toml"))
CASE = re.compile(r"`((?:plugin|host|misuse)/[a-z-]+/[^`]+)`")
REQUIREMENT = re.compile(r"\b[A-Z]{3}-\d\d\b")
ROWS = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|") and CASE.search(line)]


def named_by(pattern: str) -> list[Case]:
    """The cases that a pattern names, wholly or in some variants."""
    return [case for case in catalogue().values() if any(matches(pattern, case_id) for case_id in case.ids)]


def test_there_are_lists() -> None:
    assert [file.name for file in KNOWN] == ["libveinmind-go.toml", "veinmind.toml"]
    assert len(ROWS) > 25


@pytest.mark.parametrize("file", KNOWN, ids=lambda file: file.name)
def test_every_known_failure_is_told_of(file: Path) -> None:
    told = set(CASE.findall(PAGE.read_text(encoding="utf-8")))
    listed = {entry["case"] for entry in tomllib.loads(file.read_text(encoding="utf-8"))["failure"]}
    missing = {case for case in listed if case not in told and case.partition("[")[0] not in told}
    assert not missing


def test_everything_told_of_is_a_case() -> None:
    for pattern in CASE.findall(PAGE.read_text(encoding="utf-8")):
        assert named_by(pattern), pattern


@pytest.mark.parametrize("row", ROWS, ids=lambda row: CASE.findall(row)[0])
def test_requirements_are_those_of_the_cases(row: str) -> None:
    cited = set(REQUIREMENT.findall(row))
    assert cited <= all_requirements().keys()
    meant = [case for pattern in CASE.findall(row) for case in named_by(pattern)]
    for case in meant:
        assert cited & set(case.requirements), f"{case.id} checks {case.requirements}"
    assert cited <= {id_ for case in meant for id_ in case.requirements}
