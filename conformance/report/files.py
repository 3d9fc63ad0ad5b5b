"""Writing reports: to a temporary name first, so that a file is always a whole report, the old one or the new one."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any


def why_unwritable(file: str | None) -> str:
    """Why a file cannot be written there, or nothing; for before the run."""
    if file is None:
        return ""
    try:
        with open(file, "a", encoding="utf-8"):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def write_file(file: str | Path, text: str) -> str:
    """Write a file, whole or not at all; return why that failed, or nothing.

    What is no regular file, such as a terminal or a pipe, is written as it is; of a symbolic link the target is.
    """
    path = Path(os.path.realpath(file))
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
            return ""
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        try:
            with open(descriptor, "w", encoding="utf-8") as temporary:
                temporary.write(text)
            os.chmod(name, path.stat().st_mode & 0o7777 if path.exists() else 0o666 & ~_umask())
            os.replace(name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _umask() -> int:
    """The mask for new files; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def write_json(file: str | Path, data: Any) -> str:
    """Write a JSON report; return why that failed, or nothing."""
    return write_file(file, json.dumps(data, indent=1) + "\n")
