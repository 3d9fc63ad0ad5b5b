"""What the tests of this folder need from outside Python: Go, Node, and the PyPI package in an environment of its own.

Everything is built once and kept: in the environment of tox where tox runs the tests, in the folder ``build`` of the
checkout otherwise. A tool that is not there skips what needs it, except in CI, where it is an error.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTEES = ROOT / "fixtures" / "testees"
PROGRAMS = Path(__file__).parent / "programs"
BUILD_SECONDS = 600


class ToolError(Exception):
    """A tool failed; the text ends with what it printed."""


def tool(name: str, *alternatives: str) -> str:
    """The path of a program that must be there.

    Raises:
        ToolError: it is not, and this is CI; elsewhere the test is skipped.
    """
    for candidate in (name, *alternatives):
        found = shutil.which(candidate)
        if found is not None:
            return found
    if os.environ.get("CI"):
        raise ToolError(f"{name} is not installed; in CI it has to be")
    pytest.skip(f"{name} is not installed")


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
    """Run a build step.

    Raises:
        ToolError: it failed.
    """
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=env, capture_output=True, text=True, timeout=BUILD_SECONDS,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode != 0:
        printed = (done.stdout + done.stderr)[-2000:]
        raise ToolError(f"{shlex.join(map(str, command))} ended with status {done.returncode}:\n{printed}")


@contextmanager
def kept(name: str) -> Iterator[Path]:
    """The folder in which something built is kept, held by one process at a time: tests run side by side."""
    base = Path(os.environ.get("TOX_ENV_DIR") or ROOT / "build") / "interop"
    base.mkdir(parents=True, exist_ok=True)
    with open(base / f"{name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield base


def go_program(source: Path, name: str) -> Path:
    """Build a Go program, which costs little when nothing has changed, and return the path of the executable."""
    go = tool("go")
    with kept(name) as base:
        fresh = base / f"{name}.new"
        env = os.environ | {"CGO_ENABLED": "0", "GOWORK": "off"}
        run(go, "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-o", fresh, ".", cwd=source, env=env)
        return fresh.replace(base / name)


def c_testee() -> Path:
    """Build the testee in C, and return the path of the executable."""
    make = tool("make")
    tool("cc")
    with kept("c-testee") as base:
        folder = base / "c"
        folder.mkdir(exist_ok=True)
        run(make, "-s", f"BUILD={folder}", cwd=ROOT / "conformance" / "starters" / "templates" / "c" / "example")
        return folder / "testee"


def veinmind_python() -> Path:
    """The interpreter of an environment with the PyPI package, made when there is none for these requirements."""
    requirements = TESTEES / "veinmind" / "requirements.txt"
    wanted = f"{sys.version}\n{requirements.read_text(encoding='utf-8')}"
    with kept("veinmind") as base:
        home, mark = base / "veinmind", base / "veinmind" / "made-for"
        python = home / "bin" / "python"
        if not mark.is_file() or mark.read_text(encoding="utf-8") != wanted:
            run(sys.executable, "-m", "venv", "--clear", home)
            # Constraints for our own dependencies are not for this environment: it has an old click.
            env = {key: value for key, value in os.environ.items() if key != "PIP_CONSTRAINT"}
            run(python, "-m", "pip", "install", "-q", "--no-input", "-r", requirements, env=env)
            mark.write_text(wanted, encoding="utf-8")
        return python


def node() -> str:
    """The path of Node."""
    return tool("node", "nodejs")
