"""The suite on the projects: the bare ones are unsupported in everything, the examples conform."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conformance.starters.languages import Language
from tests.starters.conftest import Make
from tests.starters.tools import Suite

SELECTION = (
    "plugin/requests/*",
    "plugin/replies/*",
    "plugin/errors/*",
    "plugin/malformed/pending-call[bad-token]",
    "plugin/arity/too-*",
    "plugin/framing/split-at-every-byte",
    "plugin/concurrency/both-ways",
    "plugin/ends/after-host-gone",
    "host/replies/*",
    "host/errors/*",
    "host/namespaces/*",
    "host/arity/too-*",
    "host/ends/success*",
    "host/concurrency/both-directions-full",
    "misuse/*",
)
"""What the examples are run on here: every side, and each group of requirements that is quick to check."""

BARE = ("plugin/requests/*", "host/replies/*", "misuse/*")


def cases(*patterns: str) -> list[str]:
    """Options that choose cases."""
    return [word for pattern in patterns for word in ("--case", pattern)]


def outcomes(report: Path) -> dict[str, set[str]]:
    """The outcomes of each side."""
    data: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    found: dict[str, set[str]] = {}
    for row in data["results"]:
        found.setdefault(row["side"], set()).add(row["outcome"])
    return found


def declared(report: Path) -> set[str]:
    """The sides that the testee has; that in C has no misuse, where there are no signatures at run time."""
    data: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    sides: set[str] = set(data["testees"][0]["capabilities"])
    assert sides >= {"plugin", "host"}
    return sides


@pytest.mark.timeout(600)
def test_a_bare_project_is_unsupported_in_everything(
    suite: Suite, language: Language, project: Make, tmp_path: Path
) -> None:
    folder, report = project(language, False), tmp_path / "report.json"
    done = suite.run(language, folder, *cases(*BARE), "--json", str(report))
    assert done.status == 4, done.output
    assert outcomes(report) == {side: {"unsupported"} for side in ("plugin", "host", "misuse")}
    said = done.output[done.output.index("nothing was run:") :].splitlines()
    assert said[1] == f"{folder.name} declares no plugin schemes, no host binds, no misuse kinds"
    assert said[2].startswith("next: let `info` declare what the implementation can do")


@pytest.mark.timeout(600)
def test_an_example_conforms(suite: Suite, language: Language, project: Make, tmp_path: Path) -> None:
    folder, report = project(language, True), tmp_path / "report.json"
    done = suite.run(language, folder, *cases(*SELECTION), "--json", str(report))
    assert done.status == 0, done.output
    assert {side for side, found in outcomes(report).items() if "passed" in found} == declared(report)
