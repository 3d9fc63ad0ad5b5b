"""What the peers need: environments with pinned packages, a Go program. Built once, and kept in `build/benchmarks`."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["PROGRAMS", "ROOT", "Unprepared", "environment", "go_program", "launcher", "python_with"]

ROOT = Path(__file__).parents[1]
PROGRAMS = Path(__file__).parent / "programs"
BUILD = ROOT / "build" / "benchmarks"
BUILD_SECONDS = 900


class Unprepared(Exception):
    """What a peer needs cannot be had here; the text says why."""


def _run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, cwd=cwd, env=env, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unprepared(f"{shlex.join(words)}: {error}") from None
    if done.returncode != 0:
        printed = (done.stderr or done.stdout).strip().splitlines()
        raise Unprepared(f"{shlex.join(words)} failed: {printed[-1] if printed else done.returncode}")


def python_with(requirements: Path) -> Path:
    """Return the interpreter of an environment with these packages and nothing else.

    Raises:
        Unprepared: they cannot be installed.
    """
    name = requirements.stem if requirements.stem != "requirements" else requirements.parent.name
    home = BUILD / name
    python, mark = home / "bin" / "python", home / "made-for"
    wanted = f"{sys.version}\n{requirements.read_text(encoding='utf-8')}"
    if not mark.is_file() or mark.read_text(encoding="utf-8") != wanted:
        _run(sys.executable, "-m", "venv", "--clear", home)
        # Constraints for our own dependencies are not for this environment.
        env = {key: value for key, value in os.environ.items() if key != "PIP_CONSTRAINT"}
        _run(python, "-m", "pip", "install", "-q", "--no-input", "-r", requirements, env=env)
        mark.write_text(wanted, encoding="utf-8")
    return python


def go_program() -> Path:
    """Return the executable of the Go package's host and plugin.

    Raises:
        Unprepared: there is no Go, or the module cannot be had.
    """
    go = shutil.which("go")
    if go is None:
        raise Unprepared("go is not installed")
    BUILD.mkdir(parents=True, exist_ok=True)
    program = BUILD / "go"
    env = os.environ | {"CGO_ENABLED": "0", "GOWORK": "off"}
    command = [go, "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-o", str(program), "."]
    _run(*command, cwd=PROGRAMS / "go", env=env)
    return program


def environment() -> dict[str, str]:
    """Return the environment for what is measured: Python keeps what it compiles, as everywhere."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def launcher(name: str, *command: str | Path) -> Path:
    """Return an executable that is this command: a host starts its plugin by a path."""
    BUILD.mkdir(parents=True, exist_ok=True)
    path = BUILD / f"{name}.sh"
    path.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, command))} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path
