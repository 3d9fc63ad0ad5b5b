"""The suite over schemes and a bind that a user of the library has defined."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 600

OF_THE_LIBRARY = ("plugin/openers/symbolic-link", "plugin/openers/foreign-listener")
"""What the library's own opener of Unix sockets sees to, and the user's does not."""


@pytest.mark.timeout(SECONDS)
def test_what_belongs_to_the_transport(tmp_path: Path) -> None:
    """Openers that return a number, a socket, two streams, and a stream of their own; a bind that is an object."""
    testee = shlex.join([sys.executable, str(Path(__file__).with_name("own_openers.py"))])
    words = [sys.executable, "-m", "conformance.cli", "run", "--testee", testee, "--strict", "-n", "2"]
    words += [word for group in ("openers", "ends", "concurrency") for word in ("--case", f"*/{group}/*")]
    words += [word for case in OF_THE_LIBRARY for word in ("--skip", case)]
    file = tmp_path / "report.json"
    done = subprocess.run(
        [*words, "--json", str(file)], capture_output=True, text=True, timeout=SECONDS, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(file.read_text(encoding="utf-8"))["results"]
    # What is unsupported is about other kinds of connections.
    assert {row["outcome"] for row in rows} == {"passed", "unsupported"}
    passed = {row["scheme"] for row in rows if row["outcome"] == "passed"}
    assert passed == {"fd", "fd-pair", "unix", "unix-abstract", "own"}
