"""Write, build and run starting projects in processes of their own, as a new user would."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.starters.languages import Language

ROOT = Path(__file__).parents[2]
INSTALL_SECONDS = 300.0
BUILD_SECONDS = 300.0
RUN_SECONDS = 300.0


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


@dataclass(frozen=True)
class Suite:
    """The command ``plugsvc-conformance`` of some Python."""

    python: str

    def __call__(self, *words: str, folder: Path, seconds: float = 60.0) -> Done:
        """Run one of its commands in a folder."""
        return run([self.python, "-P", "-m", "conformance.cli", *words], folder, seconds)

    def init(self, language: Language, folder: Path, *options: str) -> Done:
        """Write the project of a language into a folder that does not exist yet."""
        return self("init", language.name, str(folder), *options, folder=folder.parent)

    def run(self, language: Language, folder: Path, *options: str) -> Done:
        """Run the suite on the testee of a project."""
        quick = ("--profile", "quick", "--seed", "1")
        return self("run", "--testee", language.command, *quick, *options, folder=folder, seconds=RUN_SECONDS)


def installed(folder: Path) -> Suite:
    """The command of the wheel of this checkout, which is installed into an empty environment in ``folder``."""
    wheels = folder / "wheels"
    build_wheel = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(wheels), str(ROOT)]
    done = run(build_wheel, folder, INSTALL_SECONDS)
    assert done.status == 0, done.output
    (wheel,) = wheels.glob("*.whl")
    venv.create(folder / "environment", with_pip=True)
    python = folder / "environment" / "bin" / "python"
    done = run([str(python), "-m", "pip", "install", "-q", f"{wheel}[conformance]"], folder, INSTALL_SECONDS)
    assert done.status == 0, done.output
    return Suite(str(python))


def require(language: Language) -> None:
    """Skip the test where a program that the language needs is missing; under CI that is a failure."""
    missing = [program for program in language.needs if shutil.which(program) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"{language.title} needs {', '.join(missing)}, which CI has to have")
    if missing:
        pytest.skip(f"not run: {language.title} needs {', '.join(missing)}")


def build(language: Language, folder: Path, cache: Path) -> None:
    """Build a project. What the next build can use again is kept in ``cache``."""
    if not language.build:
        return
    with reused(folder, cache / language.name, language.kept):
        done = run(["/bin/sh", "-ec", language.build], folder, BUILD_SECONDS, CARGO_BUILD_JOBS="1")
    assert done.status == 0, f"{language.build}: exit {done.status}\n{done.output}"


@contextmanager
def reused(folder: Path, cache: Path, kept: str) -> Iterator[None]:
    """Copy the subfolder ``kept`` from the cache before a build, and to the cache after the first one."""
    if not kept:
        yield
        return
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        saved = cache / kept
        if saved.exists():
            shutil.copytree(saved, folder / kept, symlinks=True)
        yield
        if not saved.exists() and (folder / kept).exists():
            shutil.copytree(folder / kept, saved, symlinks=True)
