"""Every public name has a type that all type checkers see alike: `pyright --verifytypes`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(sys.executable).with_name("basedpyright")
"""It is pyright, in a package that needs no download when it runs."""


@pytest.mark.skipif(not TOOL.exists(), reason="not run: basedpyright is not installed")
@pytest.mark.timeout(300)
def test_every_public_name_has_a_known_type(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(TOOL), "--ignoreexternal", "--outputjson", "--verifytypes", "plugsvc"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        # It asks the first Python that it finds for the place of the package.
        env={**os.environ, "PATH": f"{TOOL.parent}{os.pathsep}{os.environ['PATH']}"},
        timeout=240,
    )
    report = json.loads(done.stdout)["typeCompleteness"]
    incomplete = [
        f"{symbol['name']}: {problem['message'].splitlines()[0]}"
        for symbol in report["symbols"]
        if symbol["isExported"] and not symbol["isTypeKnown"]
        for problem in symbol["diagnostics"] or [{"message": "not known"}]
    ]
    assert incomplete == []
    assert report["exportedSymbolCounts"]["withKnownType"] > 1000
    assert report["completenessScore"] == 1
