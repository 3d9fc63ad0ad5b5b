"""Writing the JSON report, and finding out before the run whether that is possible."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def why_unwritable(file: str | None) -> str:
    """Why a report cannot be written there, or nothing; for before the run."""
    if file is None:
        return ""
    try:
        with open(file, "a", encoding="utf-8"):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def write_json(file: str | Path, data: Any) -> str:
    """Write a report; return why that failed, or nothing."""
    try:
        Path(file).write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        return error.strerror or str(error)
    return ""
