"""Write the starting project of a language into a folder."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path

from conformance.starters.languages import Language

BASE, EXAMPLE = "base", "example"
NAME, EXAMPLE_TEXT = "@NAME@", "@EXAMPLE@\n"
EXAMPLE_FILE = "EXAMPLE.md"
"""What a language's example adds to the README."""

HIDDEN = "dot-"
"""What the name of a hidden file or folder begins with in the templates, in place of the dot."""

_SKIPPED = frozenset({"__pycache__"})


class StarterError(Exception):
    """The project cannot be written; one line."""


def write(language: Language, folder: Path, *, example: bool) -> list[Path]:
    """Write the project of ``language`` into ``folder``, which is made if need be; returns what was written.

    Nothing that exists is changed.

    Raises:
        StarterError: a file of the project exists already, or one cannot be written.
    """
    sources = _sources(language, example=example)
    name = project_name(folder)
    more = _text(language.folder / EXAMPLE / EXAMPLE_FILE) if example else ""
    try:
        for relative in sources:
            if (folder / relative).exists():
                raise StarterError(f"{folder / relative}: exists already; choose an empty folder")
        for relative, source in sources.items():
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            text = _text(source).replace(NAME, name).replace(EXAMPLE_TEXT, more)
            target.write_text(text, encoding="utf-8")
            if text.startswith("#!"):
                target.chmod(target.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    except OSError as error:
        raise StarterError(f"{error.filename}: {(error.strerror or str(error)).lower()}") from None
    return list(sources)


def project_name(folder: Path) -> str:
    """The name of the testee: that of the folder, in lower-case letters, digits and hyphens."""
    words = re.findall(r"[a-z0-9]+", folder.resolve().name.lower())
    return "-".join(words) or "testee"


def _sources(language: Language, *, example: bool) -> dict[Path, Path]:
    """Each file of the project, relative to its folder, with its template; the example's files replace others."""
    found: dict[Path, Path] = {}
    for part in (BASE, EXAMPLE) if example else (BASE,):
        root = language.folder / part
        found |= {_target(path.relative_to(root)): path for path in _files(root)}
    for name in (EXAMPLE_FILE, *(language.base_only if example else ())):
        found.pop(Path(name), None)
    found |= {Path(name): language.folder / EXAMPLE / name for name in language.shared}
    return found


def _files(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        if path.is_file() and not _SKIPPED & set(path.parts):
            yield path


def _target(relative: Path) -> Path:
    return Path(*(f".{part.removeprefix(HIDDEN)}" if part.startswith(HIDDEN) else part for part in relative.parts))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
