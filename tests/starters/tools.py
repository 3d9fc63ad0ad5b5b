"""Write, build and run starting projects in processes of their own, as a new user would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.starters.languages import Language

CLI = [sys.executable, "-P", "-m", "conformance.cli"]
BUILD_SECONDS = 240.0
RUN_SECONDS = 240.0


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit status."""

    status: int
    output: str


def run(words: list[str], folder: Path, seconds: float, **variables: str) -> Done:
    """Run a command in a folder; fails the test when it takes longer."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment.pop("PYTHONPATH", None)
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env=environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        pytest.fail(f"{words} did not end within {seconds:g} s; it printed\n{error.stdout!r}")
    return Done(done.returncode, done.stdout)


def init(language: Language, folder: Path, *options: str) -> Done:
    """Write the project of a language into a folder that does not exist yet."""
    return run([*CLI, "init", language.name, str(folder), *options], folder.parent, 60.0)


def suite(language: Language, folder: Path, *options: str) -> Done:
    """Run the suite on the testee of a project."""
    words = [*CLI, "run", "--testee", language.command, "--profile", "quick", "--seed", "1", *options]
    return run(words, folder, RUN_SECONDS)


def require(language: Language) -> None:
    """Skip the test where a program that the language needs is missing; under CI that is a failure."""
    missing = [program for program in language.needs if shutil.which(program) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"{language.title} needs {', '.join(missing)}, which CI has to have")
    if missing:
        pytest.skip(f"not run: {language.title} needs {', '.join(missing)}")


def build(language: Language, folder: Path, cache: Path) -> None:
    """Build a project; what can be used again by the next build goes to ``cache``."""
    if not language.build:
        return
    variables = {"CARGO_TARGET_DIR": str(folder / "target"), "CARGO_BUILD_JOBS": "1"}
    target = cache / f"{language.name}-target"
    if language.name == "rust" and target.exists():
        shutil.copytree(target, folder / "target")
    done = run(["/bin/sh", "-ec", language.build], folder, BUILD_SECONDS, **variables)
    assert done.status == 0, f"{language.build}: exit {done.status}\n{done.output}"
    if language.name == "rust" and not target.exists():
        shutil.copytree(folder / "target", target)
