"""Saved regressions: examples that failed once, a numbered file each, which run before anything is generated.

A file is JSON: ``{"regression": 1, "case": …, "message": …, "shown": …, "example": …}``; ``message`` is what the
failure said, ``shown`` the example for a person, ``example`` its data (`conformance.fuzz.record`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.fuzz.record import RecordError, decode, encode
from conformance.outcomes import CaseProblem

VERSION = 1


class RegressionError(Exception):
    """A folder or file of regressions that cannot be used; one line."""


@dataclass(frozen=True)
class Regression:
    """One saved example."""

    file: str
    case: str
    example: Any
    message: str = ""


def load(folders: Iterable[str]) -> list[Regression]:
    """The regressions of these folders, in the order of their numbers; a folder that is not there yet has none.

    Raises:
        RegressionError: a file cannot be read, or is not of the form.
    """
    return [_read(file) for folder in folders for file in sorted(Path(folder).glob("*.json"))]


def _read(file: Path) -> Regression:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(data, dict) or data.get("regression") != VERSION:
            raise RegressionError(f"{file}: no regression of version {VERSION}")
        if not isinstance(data.get("case"), str) or "example" not in data:
            raise RegressionError(f"{file}: expected the keys case and example")
        return Regression(str(file), data["case"], decode(data["example"]), str(data.get("message", "")))
    except OSError as error:
        raise RegressionError(f"{file}: {error.strerror}") from None
    except RecordError as error:
        raise RegressionError(f"{file}: {error}") from None
    except ValueError as error:
        raise RegressionError(f"{file}: not JSON: {error}") from None


def save(folder: str, case: str, example: Any, problem: CaseProblem, shown: str) -> str:
    """Write one more regression, unless the case has the same one already; returns its file.

    Raises:
        RegressionError: the file cannot be written.
    """
    data = {
        "regression": VERSION,
        "case": case,
        "message": problem.message,
        "shown": shown,
        "example": encode(example),
    }
    try:
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        for old in load([folder]):
            if old.case == case and encode(old.example) == data["example"]:
                return old.file
        number = 1 + max((int(file.stem) for file in place.glob("*.json") if file.stem.isdecimal()), default=0)
        while True:
            file = place / f"{number:04}.json"
            try:
                with file.open("x", encoding="utf-8") as opened:  # another process may be at it as well
                    opened.write(json.dumps(data, indent=1) + "\n")
                return str(file)
            except FileExistsError:
                number += 1
    except OSError as error:
        raise RegressionError(f"{folder}: {error.strerror}") from None
