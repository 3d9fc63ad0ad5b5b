"""Makes stand-ins for the plugins of a folder: executables that record the plugin which they stand for."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from ..host.discovery import discover_plugins
from .recording import RecordingError

__all__ = ["wrap"]


def wrap(
    folder: str, target: str, recording: str, transport: str | None, refused: Callable[[str, Exception], None]
) -> list[str]:
    """Make a stand-in in `target` for each plugin below `folder`, under the same relative path; return their paths.

    A stand-in runs `plugsvc record` with this interpreter. All of them append to the file `recording`. `refused` is
    told of executables that are not plugins.

    Raises `RecordingError` when a file cannot be made, and what `discover_plugins` raises.
    """
    made = []
    words = [sys.executable, "-P", "-m", "plugsvc.commands", "record", "-o", os.path.abspath(recording)]
    if transport is not None:
        words += ["--transport", transport]
    base = os.path.abspath(folder)
    for plugin in discover_plugins(folder, handler=refused):
        path = Path(target, os.path.relpath(plugin.path, base))
        text = f'#!/bin/sh\nexec {shlex.join([*words, "--", plugin.path])} "$@"\n'
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "x", encoding="utf-8") as file:
                file.write(text)
            path.chmod(0o755)
        except OSError as error:
            raise RecordingError(f"cannot make the stand-in {path}: {error.strerror or error}") from error
        made.append(str(path))
    return made
