"""The languages that have a starting project: how it is built and started, and what it needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Language:
    """One language: ``needs`` are programs on the PATH, ``build`` a shell command (empty where nothing is built)."""

    name: str
    title: str
    needs: tuple[str, ...]
    build: str
    command: str

    @property
    def folder(self) -> Path:
        """The templates: ``base`` is always written, ``example`` over it."""
        return TEMPLATES / self.name


_ALL = (
    Language("python", "Python", ("python3",), "", "python3 testee.py"),
    Language("rust", "Rust", ("cargo",), "cargo build --release", "target/release/testee"),
    Language("java", "Java", ("java", "mvn"), "mvn -q -B process-classes", "./testee"),
    Language("go", "Go", ("go",), "go build -o testee .", "./testee"),
)
LANGUAGES = {language.name: language for language in _ALL}
