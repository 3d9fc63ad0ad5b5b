"""The suite on implementations that share no code with the reference: no false alarm, and no defect overlooked."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conformance.outcomes import ExitCode
from tests.interop.tools import ROOT

SECONDS = 900
TIMEOUT = 5
"""Seconds for each wait: much for an answer, and little enough where there are dozens that never come."""

Report = dict[str, Any]


def suite(tmp_path: Path, testee: str, *options: object, expect: int, workers: int = 2) -> Report:
    """Run the suite, check its exit status, and return its report."""
    file = tmp_path / "report.json"
    words = [sys.executable, "-m", "conformance.cli", "run", "--testee", testee, "--timeout", str(TIMEOUT)]
    words += ["-n", str(workers), "--json", str(file), *map(str, options)]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=ROOT, stdin=subprocess.DEVNULL
    )
    assert done.returncode == expect, f"{shlex.join(words)}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
    report: Report = json.loads(file.read_text(encoding="utf-8"))
    return report


@pytest.mark.timeout(SECONDS)
def test_node_conforms(tmp_path: Path, node_testee: str) -> None:
    """From scratch in JavaScript, all three sides: every requirement holds, those of level SHOULD, too."""
    suite(tmp_path, node_testee, "--strict", expect=ExitCode.CONFORMS)


@pytest.mark.timeout(SECONDS)
def test_scratch_conforms(tmp_path: Path, scratch_testee: str) -> None:
    """From scratch in Python, all three sides: every requirement holds, those of level SHOULD, too."""
    suite(tmp_path, scratch_testee, "--strict", expect=ExitCode.CONFORMS)


@pytest.mark.timeout(SECONDS)
def test_c_conforms(tmp_path: Path, c_testee: str) -> None:
    """From scratch in C, plugin and host, untyped: every requirement holds, those of level SHOULD, too."""
    suite(tmp_path, c_testee, "--strict", expect=ExitCode.CONFORMS)
