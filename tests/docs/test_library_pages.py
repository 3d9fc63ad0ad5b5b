"""The pages on the library leave nothing of its public names out, and show nothing that is not run."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import click
import pytest

import plugsvc
from plugsvc import aio, commands, errors, testing
from plugsvc.host.binds import BINDS
from plugsvc.openers import schemes
from tests.docs.markdown import ROOT, blocks

PLUGIN, HOST = ROOT / "docs" / "plugin.md", ROOT / "docs" / "host.md"
BOTH = PLUGIN.read_text(encoding="utf-8") + HOST.read_text(encoding="utf-8")
NOT_EXPLAINED = {
    "__version__",
    "Bind", "BindFunc", "Command", "Duplex", "FdStream", "FileOpener", "Launch", "Manifest", "Services", "Signature",
    "Stream", "URL",
}  # fmt: skip
"""Types that users meet as parameters and results, and that only annotations and own openers name."""


def names_in(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def rows(page: Path, header: str) -> list[list[str]]:
    """The cells of the table whose first header is this."""
    _, found, rest = page.read_text(encoding="utf-8").partition(f"\n| {header} |")
    assert found, header
    lines = rest.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@pytest.mark.parametrize("page", [PLUGIN, HOST], ids=lambda page: page.name)
def test_every_block_is_run_or_used(page: Path) -> None:
    for block in blocks(page):
        assert block.language == "text" or block.runs or block.option("file"), f"line {block.line}"
    assert sum(block.runs for block in blocks(page)) > 5


def test_every_public_name_is_explained() -> None:
    assert set(importlib.import_module("plugsvc").__all__) - NOT_EXPLAINED - names_in(BOTH) == set()


def test_every_name_for_coroutines_is_explained() -> None:
    assert set(aio.__all__) - names_in(BOTH) == set()


def test_every_helper_for_tests_is_explained() -> None:
    assert set(testing.__all__) - {"Call"} - names_in(BOTH) == set()


def test_the_tree_of_errors() -> None:
    (block,) = [block for block in blocks(PLUGIN) if block.language == "text"]
    parents: list[str] = []
    shown = set()
    for line in block.text.splitlines():
        indent, name = re.fullmatch(r"( *)(\w+)(?: .*)?", line).groups()  # type: ignore[union-attr]
        parents[len(indent) // 2 :] = [name]
        shown.add(name)
        assert [base.__name__ for base in getattr(errors, name).__mro__ if base.__name__ in errors.__all__] == parents[
            ::-1
        ]
        also = re.search(r"an? (\w+) as well", line)
        assert also is None or also[1] in [base.__name__ for base in getattr(errors, name).__bases__]
    assert {name for name in errors.__all__ if not issubclass(getattr(errors, name), errors.PluginError)} == shown


def test_every_bind_is_in_the_table() -> None:
    shown = {name for cells in rows(HOST, "name") for name in re.findall(r"`([^`]+)`", cells[0])}
    assert set(BINDS) <= shown


def test_every_scheme_is_named() -> None:
    assert set(schemes()) <= set(re.findall(r"`([^`\n]+)`", PLUGIN.read_text(encoding="utf-8")))


def test_the_limits_of_a_connection() -> None:
    parameters = inspect.signature(plugsvc.Server).parameters.values()
    limits = {each.name: each.default for each in parameters if each.kind == each.KEYWORD_ONLY}
    shown = {cells[0].strip("`"): cells[1] for cells in rows(HOST, "limit")}
    assert shown.keys() == limits.keys()
    for name, text in shown.items():
        number = int(re.match(r"\d+", text)[0])  # type: ignore[index]
        assert number * (1024**2 if "MiB" in text else 1) == limits[name], name


def test_every_execution_option_is_in_the_table() -> None:
    shown = [name for cells in rows(HOST, "option") for name in re.findall(r"`(\w+)`", cells[0])]
    assert sorted(shown) == sorted(set(inspect.signature(plugsvc.execute).parameters) - {"targets", "args"})


def test_every_option_of_the_command_is_named() -> None:
    section = HOST.read_text(encoding="utf-8").partition("\n## The command")[2]
    exec_ = commands._group().commands["exec"]
    options = {name for each in exec_.params if isinstance(each, click.Option) for name in each.opts}
    assert options <= set(re.findall(r"--[a-z]+", section))


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in (PLUGIN, HOST):
        for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", page.read_text(encoding="utf-8")):
            path = page.parent / target if target else page
            assert path.exists(), f"{page.name}: {target}"
            if anchor:
                headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
                anchors = {re.sub(r"[^a-z0-9 _-]", "", each.lower()).replace(" ", "-") for each in headings}
                assert anchor in anchors, f"{page.name}: {target}#{anchor}"
