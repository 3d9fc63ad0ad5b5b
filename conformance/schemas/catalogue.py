"""The JSON Schemas by name, as `plugsvc-conformance schema NAME` prints them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from conformance.configuration import Configuration
from conformance.report.saved import ReportFile
from conformance.schemas import contract, wire

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def _of(of: Any) -> Callable[[], Schema]:
    def make() -> Schema:
        made: Schema = msgspec.json.schema(of)
        return made

    return make


def _manifest() -> Schema:
    made: Schema = msgspec.json.schema(contract.Manifest)
    commands = made["$defs"]["Manifest"]["properties"]["commands"]["items"]
    ours = list(commands["discriminator"]["mapping"])
    other = {"type": "object", "properties": {"type": {"type": "string", "not": {"enum": ours}}}, "required": ["type"]}
    made["$defs"]["Manifest"]["properties"]["commands"]["items"] = {"anyOf": [*commands["anyOf"], other]}
    return made


def _instruction() -> Schema:
    made: Schema = msgspec.json.schema(contract.Instruction)
    made["$defs"]["Type"] = contract.TYPE_SCHEMA
    return made


SCHEMAS: dict[str, tuple[str, Callable[[], Schema]]] = {
    "manifest": ("What `TESTEE info` prints.", _manifest),
    "instruction": ("A line that the suite writes to a plugin under test.", _instruction),
    "outcome": ("A line that a plugin under test writes.", lambda: dict(contract.OUTCOME_SCHEMA)),
    "request": ("A message from the plugin to the host.", _of(wire.Request)),
    "reply": ("A message from the host to the plugin.", _of(wire.Reply)),
    "configuration": ("conformance.toml, and [tool.plugsvc-conformance] in pyproject.toml.", _of(Configuration)),
    "report": ("The JSON report of a run.", _of(ReportFile)),
}
"""Name to what it describes and how it is made."""


def schema(name: str) -> Schema:
    """The JSON Schema of a name in `SCHEMAS`."""
    title, make = SCHEMAS[name]
    return {"$schema": DIALECT, "title": title, **make()}
