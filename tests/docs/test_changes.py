"""CHANGELOG.md has each change once, under the heading of its group."""

from __future__ import annotations

import re
from collections import Counter

from tests.docs.markdown import ROOT

GROUPS = ["Library", "Suite", "Command line", "Specification", "Docs"]
TEXT = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_each_release_has_the_groups_in_order() -> None:
    for release in TEXT.split("\n## ")[1:]:
        found = re.findall(r"^### (.+)$", release, re.MULTILINE)
        assert found == [group for group in GROUPS if group in found]
        assert "\n- " not in release.partition("\n### ")[0], "a change stands before the first group"


def test_no_change_stands_twice() -> None:
    beginnings = Counter(re.findall(r"^- (.{40})", TEXT, re.MULTILINE))
    assert [beginning for beginning, count in beginnings.items() if count > 1] == []
