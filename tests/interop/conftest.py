"""The testees and programs of this folder, built once a session."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from tests.interop import tools


@pytest.fixture(scope="session")
def go_testee() -> str:
    """The command of the testee on the Go package."""
    return shlex.quote(str(tools.go_program(tools.TESTEES / "go", "go-testee")))


@pytest.fixture(scope="session")
def veinmind_testee() -> str:
    """The command of the testee on the PyPI package."""
    return shlex.join([str(tools.veinmind_python()), str(tools.TESTEES / "veinmind" / "testee.py")])


@pytest.fixture(scope="session")
def node_testee() -> str:
    """The command of the testee in JavaScript."""
    return shlex.join([tools.node(), str(tools.TESTEES / "node" / "testee.mjs")])


@pytest.fixture(scope="session")
def scratch_testee() -> str:
    """The command of the testee from scratch in Python."""
    return shlex.join([sys.executable, str(tools.TESTEES / "scratch_python" / "testee.py")])


@pytest.fixture(scope="session")
def c_testee() -> str:
    """The command of the testee in C."""
    return shlex.quote(str(tools.c_testee()))


@pytest.fixture(scope="session")
def launchers(tmp_path_factory: pytest.TempPathFactory) -> Launchers:
    """Executables of the programs."""
    return Launchers(tmp_path_factory.mktemp("programs"))


class Launchers:
    """Makes an executable of each program; a host is started by its command, a plugin must be one file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._go: Path | None = None

    def _go_program(self) -> str:
        if self._go is None:
            self._go = tools.go_program(tools.PROGRAMS / "go", "go-interop")
        return str(self._go)

    def plugin(self, name: str) -> str:
        """The path of an executable plugin."""
        words = {
            "plugsvc": lambda: [sys.executable, str(tools.PROGRAMS / "plugsvc_plugin.py")],
            "scratch": lambda: [sys.executable, str(tools.PROGRAMS / "scratch_plugin.py")],
            "veinmind": lambda: [str(tools.veinmind_python()), str(tools.PROGRAMS / "veinmind_plugin.py")],
            "node": lambda: [tools.node(), str(tools.PROGRAMS / "node_plugin.mjs")],
            "go": lambda: [self._go_program()],
        }[name]()
        path = self._folder / f"{name}-plugin"
        path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    def host(self, name: str) -> list[str]:
        """The command of a host."""
        return {
            "plugsvc": lambda: [sys.executable, str(tools.PROGRAMS / "plugsvc_host.py")],
            "scratch": lambda: [sys.executable, str(tools.PROGRAMS / "scratch_host.py")],
            "node": lambda: [tools.node(), str(tools.PROGRAMS / "node_host.mjs")],
            "go": lambda: [self._go_program(), "host"],
        }[name]()
