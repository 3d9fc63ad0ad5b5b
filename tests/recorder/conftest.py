"""Recorded plugins under this library's own host."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from plugsvc.host.registry import Registry

ROOT = Path(__file__).parents[2]
PLUGIN = [sys.executable, "-P", "-m", "tests.recorder.plugin"]
RECORD = [sys.executable, "-P", "-m", "plugsvc.commands", "record"]

Make = Callable[..., str]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """The file to record to."""
    return tmp_path / "recording.jsonl"


@pytest.fixture
def recorded(tmp_path: Path, recording: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes an executable: the recorder in front of a plugin."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def make(*options: str, plugin: list[str] = PLUGIN) -> str:
        path = tmp_path / "recorded"
        words = [*RECORD, "-o", str(recording), *options, "--", *plugin]
        path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def registry() -> Registry:
    """A registry with a service that returns its argument."""
    made = Registry()
    made.define("test")

    def echo(text: str) -> str:
        return text

    made.add_service("test", "echo", echo)
    return made
