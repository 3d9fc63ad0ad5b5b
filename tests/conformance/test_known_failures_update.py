"""Bringing a file of known failures up to date: a second time changes nothing, and nothing else is touched."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.known_failures import KnownFailures
from conformance.known_failures_update import HEADER, UpdateError, stable_part, updated
from conformance.outcomes import Outcome
from conformance.results import Row

CALL, NONE = "plugin/requests/call", "plugin/requests/no-arguments"


def row(case: str, outcome: str, message: str = "", scheme: str = "file", **more: Any) -> Row:
    return Row(case, "t", "plugin", scheme, ["REQ-01"], "MUST", outcome, message, **more)


def again(text: str, rows: list[Row]) -> list[Row]:
    """The rows of the next run of the same testee, with the file as it is now."""
    entries = KnownFailures.parse("known.toml", text)
    found = KnownFailures(tuple(entries))
    made: list[Row] = []
    for each in rows:
        entry = found.find(each.case, each.scheme)
        outcome = each.outcome
        if entry is not None and outcome == Outcome.PASSED:
            outcome = Outcome.XPASSED
        elif entry is not None and entry.message in each.message:
            outcome = Outcome.XFAILED
        made.append(row(each.case, outcome, each.message, each.scheme))
    return made


def test_what_fails_is_added_and_a_second_time_changes_nothing() -> None:
    rows = [
        row(CALL, "failed", "the reply to request 17 is wrong\n  seen: x"),
        row(CALL, "passed", scheme="unix"),
        row(NONE, "timeout", "nothing came"),
        row(NONE, "timeout", "nothing came", "unix"),
    ]
    made = updated("", rows)
    assert (made.added, made.changed, made.removed) == (2, 0, 0)
    assert made.text == HEADER.rstrip("\n") + (
        '\n\n# REQ-01\n[[failure]]\ncase = "plugin/requests/call"\nmessage = "the reply to request"\nreason = ""\n'
        'scheme = "file"\n\n# REQ-01\n[[failure]]\ncase = "plugin/requests/no-arguments"\nmessage = "nothing came"\n'
        'reason = ""\n'
    )
    second = again(made.text, rows)
    assert {each.outcome for each in second} == {"xfailed", "passed"}
    assert updated(made.text, second).text == made.text


KNOWN = """# at the top

# why it is so
[[failure]]
case = "plugin/requests/call"    # here
message = "wrong"
reason = "issue 1"

# the second
[[failure]]
case = "plugin/requests/no-*"
message = 'nothing'
reason = "issue 2"
"""


def test_what_passes_is_removed_and_the_rest_is_kept_as_it_is() -> None:
    made = updated(KNOWN, [row(CALL, "xpassed"), row(NONE, "xfailed", "nothing came")])
    assert (made.added, made.changed, made.removed) == (0, 0, 1)
    assert made.text == "# at the top\n\n" + KNOWN[KNOWN.index("# the second") :]


def test_of_what_fails_in_part_only_that_is_kept_with_its_reason() -> None:
    rows = [row(NONE, "xfailed", "nothing came"), row(NONE, "xpassed", "", "unix"), row(CALL, "xfailed", "wrong")]
    made = updated(KNOWN, rows)
    assert (made.added, made.changed, made.removed) == (0, 1, 0)
    (_, entry) = KnownFailures.parse("f", made.text)
    assert (entry.case, entry.schemes, entry.reason, entry.message) == (NONE, ("file",), "issue 2", "nothing")
    assert "# the second\n" in made.text
    assert (
        updated(
            made.text, again(made.text, [row(NONE, "failed", "nothing came"), row(NONE, "passed", "", "unix")])
        ).removed
        == 0
    )


def test_another_message_replaces_the_old_one() -> None:
    made = updated(KNOWN, [row(CALL, "failed", "something else"), row(NONE, "unsupported")])
    assert (made.added, made.changed, made.removed) == (0, 1, 0)
    assert 'case = "plugin/requests/call"    # here\nmessage = "something else"\nreason = "issue 1"\n' in made.text


def test_entries_that_cannot_be_told_apart() -> None:
    with pytest.raises(UpdateError, match="write each as a table"):
        updated('failure = [{case = "a", message = "b", reason = "c"}]\n', [row(CALL, "failed", "x")])


@pytest.mark.parametrize(
    ("message", "part"),
    [
        ("no reply to request 3 within 0.5 s", "no reply to request"),
        ("the type int64 is refused\nmore", "the type int64 is refused"),
        ("7", "7"),
    ],
)
def test_the_part_of_a_message_that_stays(message: str, part: str) -> None:
    assert stable_part(message) == part
