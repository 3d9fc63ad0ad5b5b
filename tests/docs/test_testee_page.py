"""The page for authors of testees leaves nothing of the contract and of the reports out."""

from __future__ import annotations

import dataclasses
import re

import click
import pytest

from conformance.cli import main
from conformance.drive.capabilities import KINDS
from conformance.oracle.values import SCALARS
from conformance.outcomes import ExitCode, Outcome
from conformance.requirements import Side, all_requirements
from conformance.results import Row
from pytest_plugsvc_conformance import OPTIONS
from tests.docs.markdown import ROOT

TEXT = (ROOT / "docs" / "testee.md").read_text(encoding="utf-8")
SPANS = set(re.findall(r"`([^`\n]+)`", TEXT))
MISUSES = [
    found[1]
    for requirement in all_requirements().values()
    if requirement.sides == {Side.MISUSE} and (found := re.search(r"\(([a-z-]+)\)", requirement.text))
]


def rows(first_column: str) -> str:
    """The lines of tables whose first column matches."""
    return "\n".join(re.findall(rf"^\| (?:{first_column}) \|.*$", TEXT, re.MULTILINE))


@pytest.mark.parametrize("type_", KINDS)
def test_commands(type_: str) -> None:
    assert rows(f"`{type_}`")


@pytest.mark.parametrize("kind", MISUSES)
def test_misuses(kind: str) -> None:
    assert rows(f"`{kind}`")


@pytest.mark.parametrize("name", SCALARS)
def test_types(name: str) -> None:
    assert f'"{name}"' in SPANS


@pytest.mark.parametrize("outcome", Outcome)
def test_outcomes(outcome: Outcome) -> None:
    assert outcome.value in SPANS


@pytest.mark.parametrize("code", [*ExitCode, 130])
def test_exit_statuses(code: int) -> None:
    assert len(rows(str(int(code))).splitlines()) == 1


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Row)])
def test_members_of_a_row(field: str) -> None:
    assert field in SPANS


def test_options_of_run() -> None:
    """Every option stands in the section on running the suite, and that names none that is not there."""
    section = TEXT.partition("\n## 7 ")[2].partition("\n## ")[0]
    named = {word for line in section.splitlines() for word in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", line)}
    params = main.commands["run"].params
    options = {name for param in params if isinstance(param, click.Option) for name in param.opts}
    assert options == {
        word
        for word in named - {"--pyargs", "-vv", "--dist", "--max-worker-restart"}
        if not word.startswith("--conformance")
    }


ITS_OWN = {
    *("-n", "-x", "-q", "-v", "--quiet", "--verbose", "--color", "--max-failures", "--last-failed", "--failed-first"),
    *("--junit", "--jsonl", "--markdown", "--html", "--shard", "--update-known-failures"),
}
"""Options of the command for which pytest has others of its own, or which concern whole runs of the suite alone."""


def test_options_of_pytest() -> None:
    """Every option of the command is one of pytest as well, but for those that are pytest's own."""
    params = main.commands["run"].params
    options = {name for param in params if isinstance(param, click.Option) for name in param.opts}
    ours = {f"--{name}" for name in OPTIONS}
    assert options - ours == ITS_OWN
    assert ours - options == {"--plan", "--events"}
