"""Abandoned terms do not come back: the glossary in docs/design.md has the terms to use."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.docs.markdown import ROOT

FOLDERS = ("docs", "plugsvc", "conformance", "tests", "benchmarks", "fixtures/*.toml", "*.md", "*.py", "tox.ini")
IGNORED = (":!CHANGELOG.md", ":!tests/docs/test_vocabulary.py", ":!*.svg", ":!tests/guests/repositories")

ABANDONED = {
    r"\bleavings\b": "temporary files",
    r"\brendezvous\b": "control socket",
    r"\bstrangers?\b|\bSTRANGER\b": "intruder",
    r"\bbatons?\b": "reader role",
    r"\bsentinels?\b": "watchdog",
    r"\bheirs?\b": "successor",
    r"\bfarewells?\b": "close notice",
    r"\bbells?\b|\bBELLS\b|_bells?\b": "doorbell",
    r"\bwith care\b": "slow path",
    r"\b[Pp]lanted\b": "mutant",
    r"\bmutant bank\b|\bbank of (?:mutants|planted)|\bBANK\b": "mutant set",
    r"\b[Cc]orners?\b|\bCORNERS\b": "edge cases",
    r"\b[Pp]atience\b|\bPATIENCE\b|_patience\b": "timeout",
    r"\bgoes_on\b": "assert_alive",
    r"\bsip\b": "slow reads",
    r"\bspoils?\b|\bSPOILED\b": "corrupt",
    r"\bhurry\b": "abort waits",
    r"\bstarved\b": "blocked",
    r"\bwith_call_timeout\b": "limit",
    r"\bclass (?:Looking|Glancing)\b|\bimport (?:looking|glancing)\b": "spin, spin in a loop",
    r"\bclass (?:Port|Waiter|Outbox|Prepared|Hang)\b": "asyncio driver, completion, write queue, bound call, Timeout",
    r"--marks\b": "--verify-tags",
    r"--split\b": "--shards",
    r"--hours\b": "--max-time",
    r"--only-fuzz\b": "--generated-only",
}
"""Patterns, with the term to use instead. Words with an ordinary meaning, too, are refused as identifiers only."""

STABLE = re.compile(
    r"silent[-_]stranger"  # the id of a case
    r"|\"bell (?:missing|that is no pipe)\""  # variants of a case
    r"|\"name\": ?\"goes_on\""  # a recorded conversation
)
"""Names that do not change: the ids of cases are an interface, and recordings are facts."""


STEMS = (
    "leavings", "rendezvous", "stranger", "baton", "sentinel", "heir", "farewell", "bell", "with care",
    "planted", "bank", "corner", "patience", "goes_on", "sip", "spoil", "hurry", "starved", "with_call",
    "looking", "glancing",
    "class Port", "class Waiter", "class Outbox", "class Prepared", "class Hang",
    "--marks", "--split", "--hours", "--only-fuzz",
)  # fmt: skip
"""Parts of the terms, which `git grep` finds quickly; the patterns decide."""


def lines() -> list[str]:
    """Each line of the sources and pages that may have an abandoned term, as `git grep` prints it."""
    stems = [word for stem in STEMS for word in ("-e", stem)]
    command = ["git", "grep", "-nIiF", *stems, "--", *FOLDERS, *IGNORED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode > 1:
        pytest.skip("not run: this is no checkout of git")
    return done.stdout.splitlines()


def abandoned(text: str) -> list[str]:
    """The patterns of abandoned terms that a line has."""
    rest = STABLE.sub("", text)
    return [pattern for pattern in ABANDONED if re.search(pattern, rest)]


def test_no_abandoned_term_is_used() -> None:
    found = [
        f"{line[:160]}  (say: {', '.join(ABANDONED[pattern] for pattern in patterns)})"
        for line in lines()
        if (patterns := abandoned(line))
    ]
    assert found == []


def test_the_search_finds_lines() -> None:
    """An empty list above must not come from an empty search."""
    assert any("silent_stranger" in line for line in lines())


@pytest.mark.parametrize(
    "line",
    [
        "a stranger connects",
        "class Hang(Failure):",
        "run --split 4",
        "PATIENCE = 10",
        "the bank of mutants",
        "ring_bell()",
    ],
)
def test_abandoned_terms_are_found(line: str) -> None:
    assert len(abandoned(line)) == 1


@pytest.mark.parametrize(
    "line", ["def test_silent_stranger(", "interleavings", "class PortPool:", "the doorbell rings"]
)
def test_other_words_are_not_found(line: str) -> None:
    assert abandoned(line) == []


def test_the_glossary_has_the_new_terms() -> None:
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8").partition("## Glossary")[2]
    terms = {term.strip() for terms in ABANDONED.values() for term in terms.split(",") if not term.startswith("--")}
    assert {term for term in terms if term.lower() not in page.lower()} == set()
