"""The reference in an event loop conforms as well: a quick selection, over streams of every kind.

The whole is `tox -e asyncio`.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

TESTEE = shlex.join([sys.executable, "-m", "conformance.reference_asyncio"])

SELECTION = ["plugin/requests/*", "plugin/concurrency/*", "host/concurrency/*", "host/errors/*", "misuse/*"]


@pytest.mark.parametrize(("scheme", "bind"), [("file", "devfd"), ("shm", "shm")])
def test_a_selection(scheme: str, bind: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    words = [sys.executable, "-m", "conformance.cli", "run", "--testee", TESTEE, "--profile", "quick", "-n", "2"]
    words += ["--scheme", scheme, "--bind", bind, "--json", str(report)]
    words += [word for case in SELECTION for word in ("--case", case)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=110, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes = [row["outcome"] for row in json.loads(report.read_text(encoding="utf-8"))["results"]]
    assert set(outcomes) <= {"passed", "unsupported"}
    assert outcomes.count("passed") > 55


def test_it_has_a_name_of_its_own() -> None:
    words = [*shlex.split(TESTEE), "info"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    manifest = json.loads(done.stdout)
    assert manifest["name"] == "plugsvc-reference-asyncio"
    assert [command["type"] for command in manifest["commands"]] == [
        "conformance-plugin", "conformance-host", "conformance-panic",
    ]  # fmt: skip
