"""No regular expression has a possessive quantifier or atomic group: CPython 3.11.0 to 3.11.4 match them wrongly."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("plugsvc", "conformance", "benchmarks", "fixtures", "tests")
    for path in (ROOT / folder).rglob("*.py")
    if path != Path(__file__) and not {"node_modules", ".venv"} & set(path.parts)
)
_refused = re.compile(r"[*+?}]\+|\(\?>")
_SUB_DELIMS = "()*+,;="
"""A list of characters in RFC 3986, and no pattern."""


def refused(text: str) -> str | None:
    """Return the construct in a pattern that must not be there, if there is one."""
    found = _refused.search(text.replace(_SUB_DELIMS, "").replace("()*+=", ""))
    return found[0] if found else None


def _literals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            value = node.value
            yield node.lineno, value if isinstance(value, str) else value.decode("latin-1")


@pytest.mark.parametrize("pattern", ["[a-z]*+", "a++", "(?:ab)?+x", "a{2,3}+", "(?>a|ab)c"])
def test_what_is_refused(pattern: str) -> None:
    assert refused(pattern) is not None


@pytest.mark.parametrize("pattern", ["[a-z]*", "a+b", r"(?:ab)?\+x", "(?=(a+))b", "/!$&'()*+,;="])
def test_what_is_not(pattern: str) -> None:
    assert refused(pattern) is None


def test_no_source_has_one() -> None:
    found = []
    for path in SOURCES:
        text = path.read_text()
        if re.search(r"^\s*(import re\b|from re import|import .*\bre\b)", text, re.MULTILINE):
            found += [
                f"{path.relative_to(ROOT)}:{line}: {construct}"
                for line, literal in _literals(ast.parse(text))
                if (construct := refused(literal))
            ]
    assert found == []


def test_no_mutant_of_a_python_testee_has_one() -> None:
    found = []
    for path in sorted((ROOT / "fixtures" / "mutants").glob("*.toml")):
        for row in tomllib.loads(path.read_text()).get("mutant", []):
            if str(row.get("file", "")).endswith(".py"):
                found += [f"{row['id']}: {row[key]}" for key in ("find", "replace") if refused(row.get(key, ""))]
    assert found == []
