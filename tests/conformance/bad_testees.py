"""Testees that break the contract, each in one way; small Python programs for the tests of the command line."""

from __future__ import annotations

import json
import shlex
import stat
import sys
from pathlib import Path
from typing import Any

MANIFEST: dict[str, Any] = {
    "manifestVersion": 1,
    "name": "bad",
    "version": "1",
    "commands": [
        {
            "path": ["conformance-plugin"],
            "type": "conformance-plugin",
            "data": {"contract": 1, "schemes": ["file"], "types": ["any"], "features": []},
        }
    ],
}

ANSWERS_EVERYTHING = """
    for line in sys.stdin:
        print(json.dumps({"id": json.loads(line)["id"], "ok": []}), flush=True)
"""


def manifest(**changes: Any) -> str:
    """The program text that prints a manifest with some keys changed."""
    return f"print({json.dumps(json.dumps({**MANIFEST, **changes}))})"


def with_data(**changes: Any) -> str:
    """A manifest whose command has other data."""
    command = MANIFEST["commands"][0]
    return manifest(commands=[{**command, "data": {**command["data"], **changes}}])


def write(folder: Path, info: str, rest: str = "    pass\n") -> str:
    """Write a testee and return its command."""
    path = folder / "testee.py"
    path.write_text(f"import json, sys, os, time\nif sys.argv[1:] == ['info']:\n    {info}\nelse:\n{rest}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return shlex.join([sys.executable, str(path)])
