"""Projects that are written and built once a session."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.starters.languages import Language
from tests.starters.tools import build, init, require

Make = Callable[[Language, bool], Path]


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """The built project of a language, bare or with the example; skips where its tools are missing."""
    made: dict[tuple[str, bool], Path] = {}
    cache = Path(os.environ.get("STARTERS_CACHE") or tmp_path_factory.mktemp("cache"))

    def make(language: Language, example: bool) -> Path:
        require(language)
        key = language.name, example
        if key not in made:
            folder = tmp_path_factory.mktemp("starter") / f"{language.name}-{'example' if example else 'bare'}"
            done = init(language, folder, *(["--example"] if example else []))
            assert done.status == 0, done.output
            build(language, folder, cache)
            made[key] = folder
        return made[key]

    return make
