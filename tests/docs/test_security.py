"""Each statement of the page on security is shown by a test."""

from __future__ import annotations

import ast
import re

from plugsvc.host.binds import BINDS

from .markdown import ROOT

PAGE = ROOT / "docs" / "security.md"
LINK = re.compile(r"\[test\]\((?P<path>[^)#]*)#(?P<name>\w+)\)")


def statements() -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.startswith("- ") and not line.startswith("- [")]


def test_each_statement_has_a_test() -> None:
    assert len(statements()) > 30
    assert [line for line in statements() if not LINK.search(line)] == []


def test_each_test_exists() -> None:
    missing = []
    for match in LINK.finditer(PAGE.read_text(encoding="utf-8")):
        path = (PAGE.parent / match["path"]).resolve()
        tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        if not match["name"].startswith("test_") or match["name"] not in names:
            missing.append(match[0])
    assert missing == []


def test_each_bind_has_its_section() -> None:
    headings = re.findall(r"^### (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    named = [name for heading in headings for name in re.findall(r"`([^`]*)`", heading)]
    assert sorted(named) == sorted(BINDS)
