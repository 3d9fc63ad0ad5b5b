"""The page for new users has every language, with the commands of its project."""

from __future__ import annotations

import pytest

from conformance.starters.languages import LANGUAGES, Language
from tests.docs.markdown import ROOT

TEXT = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=lambda language: language.name)
def test_a_language_has_its_row(language: Language) -> None:
    (row,) = [line for line in TEXT.splitlines() if line.startswith(f"| `{language.name}` |")]
    build = f"`{language.build}`" if language.build else ""
    assert row.endswith(f" | {build} | `{language.command}` |")
