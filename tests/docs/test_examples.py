"""The examples of the pages do what the pages say (`tests.docs.markdown` has the convention)."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.oracle import strict
from tests.docs.markdown import ROOT, Block, blocks, pages

DEADLINE = 60.0  # seconds for a single command
SHARED = ("conformance", "docs", "fixtures", "plugsvc")
PROGRAMS = {
    "python3": "",
    "python": "",
    "pytest": "-m pytest",
    "plugsvc": "-m plugsvc.commands",
    "plugsvc-conformance": "-m conformance.cli",
}
"""What examples call by name, as arguments for the interpreter of the tests: nothing has to be installed."""

CHOSEN = {page: [b for b in blocks(page) if b.runs or b.option("file")] for page in pages()}


def page_name(value: object) -> str:
    return str(value.relative_to(ROOT)) if isinstance(value, Path) else ""


@dataclass(frozen=True)
class Step:
    """A command, and the lines that it has to print."""

    command: str
    expected: tuple[str, ...]


def steps(block: Block) -> list[Step]:
    """The commands of a console block."""
    found: list[Step] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append(Step(line[2:], ()))
        else:
            assert found, f"line {block.line}: output before the first command"
            found[-1] = Step(found[-1].command, (*found[-1].expected, line.rstrip()))
    return found


def pattern(expected: tuple[str, ...]) -> re.Pattern[str]:
    """What a command has to print, as a pattern for the whole of it."""
    parts = [
        r"(?:[^\n]*\n)*?" if line == "..." else "[^\n]*?".join(map(re.escape, line.split("..."))) + "\n"
        for line in expected
    ]
    return re.compile("".join(parts))


class Place:
    """A working directory with what examples need."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        for name in SHARED:
            (self.folder / name).symlink_to(ROOT / name)
        programs = folder / "bin"
        programs.mkdir()
        for name, arguments in PROGRAMS.items():
            script = programs / name
            script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {arguments} "$@"\n', encoding="utf-8")
            script.chmod(0o755)
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        self.env |= {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUTF8": "1",
        }

    def run(self, argv: list[str]) -> tuple[int, str]:
        """Exit status and all output of a command; it is killed with its children when the time is up."""
        process = subprocess.Popen(
            argv,
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            pytest.fail(f"{argv} did not end within {DEADLINE:g} s; it printed\n{output}")
        return process.returncode, output

    def disconnect(self, block: Block, name: str) -> Path:
        """Write a block to a file, which may be in a folder of its own."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert path.resolve().is_relative_to(self.folder.resolve()), f"line {block.line}: {name} is elsewhere"
        path.write_text(block.text, encoding="utf-8")
        path.chmod(0o755)
        return path

    def do(self, block: Block) -> None:
        """Leave and run a block as its words say."""
        name = block.option("file")
        path = self.disconnect(block, name or "example.py") if name or block.language == "python" else None
        if not block.runs:
            return
        wanted = int(block.option("exit") or 0)
        if block.language == "python":
            assert path is not None
            status, output = self.run([sys.executable, str(path)])
            assert status == wanted, f"line {block.line}: exit {status}\n{output}"
            return
        assert block.language == "console", f"line {block.line}: nobody knows how to run {block.language!r}"
        todo = steps(block)
        for step in todo:
            status, output = self.run(["/bin/sh", "-c", step.command])
            printed = "".join(line.rstrip() + "\n" for line in output.splitlines())
            due = wanted if step is todo[-1] else 0
            assert status == due, f"line {block.line}: $ {step.command}\nexit {status}, expected {due}\n{printed}"
            assert pattern(step.expected).fullmatch(printed), (
                f"line {block.line}: $ {step.command}\nprinted\n{printed}\nexpected\n" + "\n".join(step.expected)
            )


@pytest.mark.timeout(600)  # a page has several commands, each with its own deadline
@pytest.mark.parametrize("page", [page for page, found in CHOSEN.items() if found], ids=page_name)
def test_examples_run(page: Path, tmp_path: Path) -> None:
    place = Place(tmp_path)
    for block in CHOSEN[page]:
        place.do(block)


@pytest.mark.parametrize("page", pages(), ids=page_name)
def test_words_after_the_language_are_known(page: Path) -> None:
    """A misspelt word would leave a block out in silence."""
    for block in blocks(page):
        for word in block.words:
            assert word == "run" or word.startswith(("file=", "exit=")), f"line {block.line}: {word}"


@pytest.mark.parametrize("page", pages(), ids=page_name)
def test_json_examples_are_json(page: Path) -> None:
    """A block is one value, or one value a line."""
    for block in blocks(page):
        if block.language == "json":
            try:
                strict.loads(block.text.encode())
            except strict.NotStrict:
                for line in block.text.splitlines():
                    strict.loads(line.encode())


def test_the_worked_testee_conforms(tmp_path: Path) -> None:
    """The testee of the page passes a whole group of cases, and is made of nothing but the standard library."""
    page = ROOT / "docs" / "testee.md"
    (block,) = [b for b in blocks(page) if b.option("file") == "tiny_testee.py"]
    imported = re.findall(r"^(?:import|from) (\w+)", block.text, re.MULTILINE)
    assert imported
    assert set(imported) <= sys.stdlib_module_names
    place = Place(tmp_path)
    path = place.disconnect(block, "tiny_testee.py")
    argv = ["plugsvc-conformance", "run", "--testee", str(path), "--side", "plugin", "--case", "plugin/requests/*"]
    status, output = place.run(["/bin/sh", "-c", shlex.join(argv)])
    assert status == 0, output
    assert re.search(r"^[0-9]+ cases: [0-9]+ passed(?:, [0-9]+ unsupported)?$", output, re.MULTILINE), output


@pytest.mark.parametrize(
    ("expected", "printed", "matches"),
    [
        (("a", "b"), "a\nb\n", True),
        (("a", "..."), "a\nb\nc\n", True),
        (("a", "..."), "a\n", True),
        (("...", "c"), "a\nb\nc\n", True),
        (("x ... z",), "x y z\n", True),
        (("a",), "a\nb\n", False),
        (("a...b",), "a\nb\n", False),
        ((), "noise\n", False),
        (("a.c",), "abc\n", False),
    ],
)
def test_expected_output_is_compared_as_a_whole(expected: tuple[str, ...], printed: str, matches: bool) -> None:
    assert bool(pattern(expected).fullmatch(printed)) is matches
