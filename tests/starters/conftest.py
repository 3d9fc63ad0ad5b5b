"""The command under test, and projects that are written and built once a session."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.starters.languages import LANGUAGES, Language
from tests.starters.tools import Suite, build, installed, require

Make = Callable[[Language, bool], Path]


@pytest.fixture(params=LANGUAGES.values(), ids=lambda language: language.name)
def language(request: pytest.FixtureRequest) -> Language:
    """Each language."""
    found: Language = request.param
    return found


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """The command of this Python; with STARTERS_FROM_WHEEL that of the wheel in an empty environment."""
    if os.environ.get("STARTERS_FROM_WHEEL"):
        return installed(tmp_path_factory.mktemp("wheel"))
    return Suite(sys.executable)


@pytest.fixture(scope="session")
def project(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """The built project of a language, bare or with the example; skips where its tools are missing."""
    made: dict[tuple[str, bool], Path] = {}
    cache = Path(os.environ.get("STARTERS_CACHE") or tmp_path_factory.mktemp("cache"))

    def make(language: Language, example: bool) -> Path:
        require(language)
        key = language.name, example
        if key not in made:
            folder = tmp_path_factory.mktemp("starter") / f"{language.name}-{'example' if example else 'bare'}"
            done = suite.init(language, folder, *(["--example"] if example else []))
            assert done.status == 0, done.output
            build(language, folder, cache)
            made[key] = folder
        return made[key]

    return make
