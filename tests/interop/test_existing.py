"""The suite on the Go and the PyPI package: every failure is a known one, and every known one fails.

Most failures are hangs, and some show in one of two ways, by which of two things comes first. So this is no part of the
usual run: `tox -e existing`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.case import matches
from conformance.known_failures import KnownFailures
from conformance.outcomes import ExitCode
from tests.interop.test_suite import SECONDS, Report, suite
from tests.interop.tools import ROOT

KNOWN = ROOT / "fixtures" / "known_failures"
SEED = 1
"""What generated cases draw where failures are listed: another seed may show another of a package's defects first."""

HANGING = 8
"""Processes for a testee most of whose failures are idle waits."""


def known(file: Path) -> tuple[object, ...]:
    """The options of a run whose failures are listed in a file."""
    return "--known-failures", file, "--seed", SEED


def check_known(report: Report, file: Path) -> None:
    """Check that every listed failure of what was run did fail, and as it is listed.

    Some are listed for transports over which a usual run has a selection of the cases only.
    """
    idle = []
    for entry in KnownFailures.load([str(file)]).entries:
        outcomes = [
            row["outcome"]
            for row in report["results"]
            if matches(entry.case, row["case"]) and row["scheme"] in (entry.schemes or (row["scheme"],))
        ]
        if outcomes and "xfailed" not in outcomes:
            idle.append(entry.case)
    assert not idle, f"{file.name} lists cases that did not fail: {idle}"


def check_named(report: Report, defects: dict[str, str], outcomes: tuple[str, ...]) -> None:
    """Check that these cases failed, over one transport at least, with messages that name the defect."""
    for case, fragment in defects.items():
        seen = [(row["scheme"], row["outcome"], row["message"]) for row in report["results"] if row["case"] == case]
        assert any(outcome in outcomes and fragment in message for _, outcome, message in seen), (case, fragment, seen)


GO_DEFECTS = {
    "plugin/ends/pending-call": "after this: end of file while the call was pending",
    "plugin/ends/between-calls": "after this: a call after end of file between calls",
    "host/ends/success[without a request]": "closed the connection and exited 0: the host reports a failure",
    "host/ends/exit-status[7]": "the plugin exited 7: the host does not name it",
    "host/ends/running-service-after-exit": "the end of the host (the plugin exited 0 with a call still running)",
    "host/malformed/not-json[a bare word]": "did not deliver end of file on the connection, which the host ends",
    "host/malformed/wrong-field[a sequence that is negative]": "did not deliver end of file on the connection",
    "host/malformed/answers-of-running-calls": "did not deliver the reply to request",
    "host/limits/nesting-of-100000[arrays]": "a reply to, or the end after, a value nested very deep",
    "plugin/arity/too-few": "results expected, and the call succeeded",
    "plugin/arity/too-many": "results expected, and the call succeeded",
    "plugin/arity/null": "null for bool, and the call succeeded",
    "host/arity/too-few-arguments": "fewer arguments than the service takes, and the host answered with success",
    "host/arity/too-many-arguments": "more arguments than the service takes, and the host answered with success",
    "host/arity/null-arguments": "the argument is null, and the host answered with success",
    "plugin/types/large-untyped-results": "expected 9007199254740993 (int), got 9007199254740992 (int)",
    "host/namespaces/order-is-stable": "listServices gave another order",
    "host/execution/standard-streams[execution]": "the plugin was started with standard input closed",
    "host/execution/shape-of-the-manifest[pieces and a line feed of its own]": "discovery of",
    "misuse/consumer/no-error": "index out of range [-1]",
    "misuse/consumer/nil": "reflect: call of reflect.Value.Type on zero Value",
    "misuse/consumer/unmarshalable": "the misuse get-unmarshalable was let pass",
    "misuse/registry/error-argument": "the misuse add-error-argument was let pass",
}

VEINMIND_DEFECTS = {
    "plugin/ends/pending-call": "after this: end of file while the call was pending",
    "plugin/ends/between-calls": "after this: a call after end of file between calls",
    "plugin/ends/truncated[in-string]": "after this: end of file in the middle of the reply",
    "plugin/ends/broken-pipe": "after this: a call that the host cannot read any more",
    "plugin/ends/reason": "panic: StopIteration",
    "plugin/malformed/pending-call[bad-token]": "panic: StopIteration",
    "plugin/malformed/pending-call[plain-text]": "(call n.s) after this: the malformed reply",
    "plugin/malformed/pending-call[nan]": "and the call succeeded",
    "plugin/malformed/host-sees-end[bad-token]": "the end of file that tells the host of the plugin's closing",
    "plugin/replies/unknown-sequence": "error: simultaneous multiple requests",
    "plugin/replies/second-reply": "error: simultaneous multiple requests",
    "plugin/arity/no-array": "TypeError: 'NoneType' object is not iterable",
    "plugin/arity/missing": "no `reply`, and the call succeeded",
    "plugin/framing/number-beyond-floats": "the token Infinity is not JSON",
    "plugin/framing/line-feed-after-each": "messages that do not end with one line feed",
    "plugin/limits/large-result": "the testee did not deliver the reading of",
    "plugin/urls/single": "File not open for reading",
    "plugin/unhosted/hosted-by-nobody": "expected True (bool), got False (bool)",
}


@pytest.mark.timeout(SECONDS)
def test_go_conforms_but_for_what_is_known(tmp_path: Path, go_testee: str) -> None:
    """The whole suite on the Go package: every failure is a known one, and every known one fails."""
    file = KNOWN / "libveinmind-go.toml"
    report = suite(tmp_path, go_testee, *known(file), expect=ExitCode.CONFORMS, workers=HANGING)
    check_known(report, file)
    check_named(report, GO_DEFECTS, ("xfailed",))


@pytest.mark.timeout(SECONDS)
def test_veinmind_conforms_but_for_what_is_known(tmp_path: Path, veinmind_testee: str) -> None:
    """The whole suite on the PyPI package: every failure is a known one, and every known one fails."""
    file = KNOWN / "veinmind.toml"
    report = suite(tmp_path, veinmind_testee, *known(file), expect=ExitCode.CONFORMS, workers=4)
    check_known(report, file)
    check_named(report, VEINMIND_DEFECTS, ("xfailed",))


@pytest.mark.timeout(SECONDS)
def test_go_does_not_conform(tmp_path: Path, go_testee: str) -> None:
    """Nothing known, nothing excused: the same defects are failures, and the verdict says so."""
    cases = [word for case in GO_DEFECTS for word in ("--case", case)]
    report = suite(tmp_path, go_testee, *cases, expect=ExitCode.NONCONFORMING, workers=HANGING)
    check_named(report, GO_DEFECTS, ("failed", "timeout", "crashed"))


@pytest.mark.timeout(SECONDS)
def test_veinmind_does_not_conform(tmp_path: Path, veinmind_testee: str) -> None:
    """Nothing known, nothing excused: the same defects are failures, and the verdict says so."""
    defects = {case: fragment for case, fragment in VEINMIND_DEFECTS.items() if "large" not in case}
    cases = [word for case in defects for word in ("--case", case)]
    report = suite(tmp_path, veinmind_testee, *cases, expect=ExitCode.NONCONFORMING, workers=4)
    check_named(report, defects, ("failed", "timeout", "crashed"))
