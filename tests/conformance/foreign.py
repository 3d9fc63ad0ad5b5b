"""A foreign repository: pytest run in it as its people would, and what came of that."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SCRIPT = [str(Path(sys.executable).with_name("pytest"))]
MODULE = [sys.executable, "-m", "pytest"]
COMMAND = [str(Path(sys.executable).with_name("plugsvc-conformance")), "run"]
CASES = ["--pyargs", "conformance", "--conformance-side", "plugin"]
ONE_CASE = ["--pyargs", "conformance", "--conformance-case", "plugin/requests/call"]
OF_THIS_RUN = (
    "PYTEST_CURRENT_TEST",
    "PYTEST_VERSION",
    "PYTEST_XDIST_TESTRUNUID",
    "PYTEST_XDIST_WORKER",
    "PYTEST_XDIST_WORKER_COUNT",
)
"""Variables of the environment that pytest and pytest-xdist set for the tests that they run."""


@dataclass
class Done:
    """A program that has ended."""

    status: int
    output: str

    @property
    def counts(self) -> str:
        """The last line of pytest without the time."""
        return re.sub(r"=+ ?| ?=+| in [\d.]+s.*", "", self.output.strip().splitlines()[-1])


def write(folder: Path, files: dict[str, str]) -> None:
    """Write files, by their paths below the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def run(folder: Path, *words: str, env: dict[str, str] | None = None, timeout: float = 110) -> Done:
    """Run a program in a folder; standard output and error together.

    What pytest and its plugins tell programs of this run itself, such as ``PYTEST_XDIST_WORKER``, is taken away: a
    plugin in the other run would believe that it is in a worker.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in OF_THIS_RUN}
    done = subprocess.run(
        words,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        env={**inherited, **(env or {})},
        check=False,
    )
    return Done(done.returncode, done.stdout)
