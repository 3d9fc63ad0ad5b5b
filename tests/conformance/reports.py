"""Reports for tests: rows of cases that exist, with outcomes of choice."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from conformance.case import catalogue
from conformance.drive.capabilities import Testee
from conformance.results import Row, report


def row(case: str, outcome: str = "passed", message: str = "", **more: Any) -> Row:
    """A row of a case, over pipes."""
    found = catalogue()[case.partition("[")[0]]
    fields: dict[str, Any] = {"testee": "mine", "scheme": "file", "reproduce": f"plugsvc-conformance run --case {case}"}
    return Row(
        case=case,
        side=found.side.value,
        requirements=list(found.requirements),
        level=found.level.value,
        outcome=outcome,
        message=message,
        **{**fields, **more},
    )


def failed(case: str, message: str = "something else came\n  expected: 1\n  seen:     2", **more: Any) -> Row:
    """A row that failed, with its wire."""
    crossings = [
        {"milliseconds": 1.5, "direction": "<", "data": base64.b64encode(b'{"sequence":1}\n').decode(), "size": 15},
        {"milliseconds": 2.0, "direction": ">", "data": base64.b64encode(b"\x00\xff<b>").decode(), "size": 5000},
    ]
    return row(case, "failed", message, wire=["1.5 ms < {}"], crossings=crossings, **more)


def write(path: Path, rows: list[Row], *, exit_code: int = 0, complete: bool = True) -> str:
    """Write a report of these rows; returns its path."""
    testees = [Testee(name, (f"./{name}",), {"name": name}, {}) for name in dict.fromkeys(row.testee for row in rows)]
    data = {**report(rows, testees, exit_code=exit_code, seed=7), "complete": complete}
    path.write_text(json.dumps(data), encoding="utf-8")
    return str(path)
