"""The languages that have a starting project: how it is built and started, and what it needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Language:
    """One language and its project.

    ``needs`` are programs on the PATH, ``build`` is a shell command (empty where nothing is built), ``command`` starts
    the testee from the project's folder, and ``kept`` is the subfolder that another build can begin with. Of the
    example, ``shared`` files are part of every project; ``base_only`` files are left out where the example is.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    build: str
    command: str
    kept: str = ""
    shared: tuple[str, ...] = ()
    base_only: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The templates: ``base`` is always written, ``example`` over it."""
        return TEMPLATES / self.name


_ALL = (
    Language("python", "Python", ("python3",), "", "python3 testee.py"),
    Language("rust", "Rust", ("cargo",), "cargo build --release", "target/release/testee", kept="target"),
    Language("java", "Java", ("java", "mvn"), "mvn -q -B process-classes", "./testee"),
    Language(
        "typescript",
        "TypeScript",
        ("node", "npm"),
        "npm install --no-audit --no-fund && npm run build",
        "node dist/testee.js",
        kept="node_modules",
    ),
    Language("go", "Go", ("go",), "go build -o testee .", "./testee"),
    Language(
        "c",
        "C",
        ("cc", "make"),
        "make",
        "./testee",
        shared=("buffer.c", "buffer.h", "json.c", "json.h"),
        base_only=("contract.h", "control.c", "services.c", "misuse.c"),
    ),
)
LANGUAGES = {language.name: language for language in _ALL}
