"""The verdict over the rows, and known failures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance.known_failures import KnownFailures, KnownFailuresError
from conformance.outcomes import ExitCode, Outcome
from conformance.results import Row, report, verdict


def row(outcome: str, level: str = "MUST") -> Row:
    return Row("plugin/a/b", "t", "plugin", "file", ["FRM-01"], level, outcome)


@pytest.mark.parametrize(
    ("rows", "strict", "expected"),
    [
        ([row(Outcome.PASSED)], False, ExitCode.CONFORMS),
        ([row(Outcome.PASSED), row(Outcome.FAILED)], False, ExitCode.NONCONFORMING),
        ([row(Outcome.CRASHED)], False, ExitCode.NONCONFORMING),
        ([row(Outcome.TIMEOUT)], False, ExitCode.NONCONFORMING),
        ([row(Outcome.PASSED), row(Outcome.XFAILED)], False, ExitCode.CONFORMS),
        ([row(Outcome.XPASSED, "SHOULD")], False, ExitCode.NONCONFORMING),
        ([row(Outcome.PASSED), row(Outcome.FAILED, "SHOULD")], False, ExitCode.CONFORMS),
        ([row(Outcome.PASSED), row(Outcome.FAILED, "SHOULD")], True, ExitCode.NONCONFORMING),
        ([row(Outcome.PASSED), row(Outcome.HARNESS_ERROR)], False, ExitCode.CANNOT_RUN),
        ([row(Outcome.UNSUPPORTED)], False, ExitCode.NOTHING_RUN),
        ([], False, ExitCode.NOTHING_RUN),
    ],
)
def test_verdict(rows: list[Row], strict: bool, expected: ExitCode) -> None:
    assert verdict(rows, strict=strict) == expected


def test_report_has_the_documented_keys() -> None:
    made = report([row(Outcome.PASSED)], [], exit_code=0, seed=None)
    assert list(made) == ["report", "suite", "testees", "results", "summary"]
    assert made["report"] == 1
    documented = {
        *("case", "testee", "side", "scheme", "requirements", "level", "outcome"),
        *("message", "duration", "wire", "reproduce"),
    }
    assert documented <= set(made["results"][0])
    assert made["summary"]["passed"] == 1


ENTRY: dict[str, Any] = {"case": "plugin/a/*", "message": "hung", "reason": "a bug"}


def known(tmp_path: Path, text: str) -> KnownFailures:
    path = tmp_path / "known.toml"
    path.write_text(text, encoding="utf-8")
    return KnownFailures.load([str(path)])


def test_known_failures_are_found_by_case_and_scheme(tmp_path: Path) -> None:
    found = known(
        tmp_path,
        '[[failure]]\ncase = "plugin/a/*"\nmessage = "hung"\nreason = "a bug"\nscheme = "file"\n',
    )
    assert found.find("plugin/a/b", "file") is not None
    assert found.find("plugin/a/b", "unix") is None
    assert found.find("plugin/b/b", "file") is None


def test_known_failures_of_several_schemes(tmp_path: Path) -> None:
    first = '[[failure]]\ncase = "plugin/a/b"\nmessage = "one"\nreason = "a bug"\nscheme = ["file", "unix"]\n'
    found = known(tmp_path, first + '[[failure]]\ncase = "plugin/a/*"\nmessage = "two"\nreason = "another"\n')
    messages = [entry.message for name in ("file", "unix", "tcp") if (entry := found.find("plugin/a/b", name))]
    assert messages == ["one", "one", "two"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", "not TOML"),
        ("[[failures]]\n", "unknown key 'failures'"),
        ('[[failure]]\ncase = "a"\nmessage = "b"\n', "failure 1: reason is missing$"),
        ('[[failure]]\ncase = "a"\nmessage = ""\nreason = "c"\n', "failure 1: message is missing or empty"),
        ('[[failure]]\ncase = "a"\nmessage = "b"\nreason = "c"\ncases = "d"\n', "failure 1: unknown key 'cases'"),
        (
            '[[failure]]\ncase = "a"\nmessage = "b"\nreason = "c"\nscheme = 1\n',
            "failure 1: scheme is neither a name nor",
        ),
        (
            '[[failure]]\ncase = "a"\nmessage = "b"\nreason = "c"\nscheme = [""]\n',
            "failure 1: scheme is neither a name",
        ),
    ],
)
def test_a_bad_file_of_known_failures_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(KnownFailuresError, match=says):
        known(tmp_path, text)


def test_an_unreadable_file_of_known_failures_is_named(tmp_path: Path) -> None:
    with pytest.raises(KnownFailuresError, match=r"missing\.toml: No such file or directory"):
        KnownFailures.load([str(tmp_path / "missing.toml")])
