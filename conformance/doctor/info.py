"""The first step of the doctor: the testee starts, and its `info` is a manifest of the contract."""

from __future__ import annotations

import difflib
from typing import Any

import msgspec

from conformance.doctor.steps import OK, WRONG, Finding, Log, Step
from conformance.drive.capabilities import KINDS, Testee, TesteeError, load
from conformance.drive.programs import run_program
from conformance.oracle import strict
from conformance.schemas.contract import NAMES, Manifest

MISUSES = (
    "get-not-callable",
    "get-nil",
    "get-no-error",
    "get-unmarshalable",
    "add-not-callable",
    "add-error-argument",
    "add-undefined-namespace",
    "add-parent-namespace",
    "add-duplicate-service",
    "define-duplicate-namespace",
    "define-unmarshalable-manifest",
    "bind-nil",
)
"""The kinds of misuse of section 4."""

_LISTS = {"types": (NAMES, "type"), "kinds": (MISUSES, "misuse")}
INFO = Step(
    "info: starts, and prints its manifest",
    "one JSON object of the schema `manifest` (`plugsvc-conformance schema manifest`), and exit status 0",
    "#1-info",
    lambda _examination, _log: None,
)


def examine_info(command: str) -> tuple[Testee | None, Finding]:
    """Run ``COMMAND info``; the testee is None where it cannot be examined further."""
    log = Log()
    log.send(f"$ {command} info")
    try:
        testee = load(command)
    except TesteeError as error:
        return None, Finding(INFO, WRONG, log, str(error).removeprefix(f"{command}: "))
    printed = run_program([*testee.argv, "info"], timeout=30.0).stdout
    log.come(printed.decode("utf-8", "replace"))
    problem = manifest_problem(strict.loads(printed))
    return (None if problem else testee), Finding(INFO, WRONG if problem else OK, log, problem)


def manifest_problem(manifest: Any) -> str:
    """What is wrong with a manifest, as one sentence; nothing if it is good."""
    ours = [row for row in manifest["commands"] if isinstance(row, dict) and row.get("type") in KINDS]
    try:
        msgspec.convert({**manifest, "commands": ours}, Manifest)
    except msgspec.ValidationError as error:
        return f"the manifest does not fit its schema: {error}"
    types = [row["type"] for row in ours]
    for of in types:
        if types.count(of) > 1:
            return f"the manifest has two commands of the type {of}"
    for row in ours:
        for key, (known, what) in _LISTS.items():
            for name in row["data"].get(key, []):
                if name not in known:
                    near = difflib.get_close_matches(name, known, 1)
                    hint = f"; the nearest is {near[0]!r}" if near else ""
                    return f"{key} of {row['type']} names {name!r}, which is no {what} of the contract{hint}"
    return ""
