"""Reading the project's Markdown pages: their sentences, their code blocks, and which of those can be run.

A fenced code block is run by `test_examples` when the word ``run`` follows its language, and may be followed by more:

=====================  ================================================================================
``python run``         a program; it has to exit 0
``python run file=F``  a program that is also left in the working directory as F, executable
``python file=F``      a file that is only left there, for the blocks below
``console run``        lines with ``$ `` are commands, what follows each is what it prints
``console run exit=1`` the same, where the last command exits 1
=====================  ================================================================================

In what a command prints, a line ``...`` stands for any lines, and ``...`` within a line for any text. The blocks of a
page share a working directory, which has the folders of the repository that examples name; blocks without ``run`` or
``file=`` are only shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
_SENTENCE_END = re.compile(r"(?<=[.:!?])\s+(?=[\"(*]*[A-Z0-9`])")
_CODE_SPAN = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")


@dataclass(frozen=True)
class Block:
    """A fenced code block; ``line`` is that of its opening fence, counted from 1."""

    language: str
    words: tuple[str, ...]
    text: str
    line: int

    def option(self, name: str) -> str | None:
        """The value of ``name=value`` after the language."""
        return next((word.partition("=")[2] for word in self.words if word.startswith(f"{name}=")), None)

    @property
    def runs(self) -> bool:
        """Whether the block is to be run."""
        return "run" in self.words


@dataclass(frozen=True)
class Unit:
    """A sentence of a paragraph or list item, or a row of a table; code spans are replaced by ``CODE``."""

    text: str
    line: int


def _tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def pages() -> list[Path]:
    """The pages whose examples are run."""
    return [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]


def blocks(page: Path) -> list[Block]:
    """The fenced code blocks of a page, in order."""
    found: list[Block] = []
    for token in _tokens(page):
        if token.type == "fence":
            language, *words = token.info.split() or [""]
            assert token.map is not None
            found.append(Block(language, tuple(words), token.content, token.map[0] + 1))
    return found


def units(page: Path) -> Iterator[Unit]:
    """The sentences and table rows of a page, headings included."""
    row: list[str] | None = None
    row_line = line = 0
    for token in _tokens(page):
        line = token.map[0] + 1 if token.map else line
        if token.type == "tr_open":
            row, row_line = [], line
        elif token.type == "tr_close":
            assert row is not None
            yield Unit(" | ".join(row), row_line)
            row = None
        elif token.type == "inline":
            text = _CODE_SPAN.sub("CODE", token.content)
            if row is not None:
                row.append(text)
            else:
                for sentence in _SENTENCE_END.split(text):
                    yield Unit(" ".join(sentence.split()), line)
