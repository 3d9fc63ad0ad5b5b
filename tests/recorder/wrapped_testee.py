"""A testee with the recorder in it: `python -m tests.recorder.wrapped_testee RECORDING TESTEE…`, to run the suite on.

A plugin is run with the recorder in front of it. A host gets a stand-in, which records, in place of the plugin that
the suite gives it. Everything else the testee does itself.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
from pathlib import Path

RECORD = [sys.executable, "-P", "-m", "plugsvc.commands", "record"]


def stand_in(plugin: str, recording: str) -> str:
    """Return the path of the stand-in for a plugin, which is made when there is none."""
    path = Path(f"{recording}.{hashlib.sha256(plugin.encode()).hexdigest()[:16]}")
    if not path.exists():
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.write_text(f'#!/bin/sh\nexec {shlex.join([*RECORD, "-o", recording, "--", plugin])} "$@"\n')
        fresh.chmod(0o755)
        fresh.replace(path)
    return str(path)


def main(recording: str, words: list[str]) -> None:
    """Become the testee, with the recorder in it."""
    if "conformance-host" in words:
        at = words.index("conformance-host") + 1
        if words[at : at + 1] == ["--bind"]:
            at += 2
        words[at] = stand_in(words[at], recording)
    else:
        words = [*RECORD, "-o", recording, "--", *words]
    os.execvp(words[0], words)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
