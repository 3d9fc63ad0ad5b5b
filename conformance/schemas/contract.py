"""The forms of the testee contract: manifest, instructions and outcomes (docs/testee.md)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from conformance.oracle.values import SCALARS

NAMES = [*SCALARS, "any", "raw", "point"]
TYPE_SCHEMA: dict[str, Any] = {
    "description": "A type of section 5 of the testee contract.",
    "anyOf": [
        {"enum": [*NAMES, "unmarshalable"]},
        {
            "type": "object",
            "properties": {key: {"$ref": "#/$defs/Type"} for key in ("list", "map", "optional")},
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        },
    ],
}
Type = Annotated[Any, Meta(extra_json_schema={"$ref": "#/$defs/Type"})]
"""A type of the contract; msgspec cannot express the recursion, so the schema is written by hand."""

Id = Annotated[int, Meta(ge=0)]


class PluginData(Struct, kw_only=True):
    """What the plugin side of a testee declares."""

    contract: Literal[1]
    schemes: list[str] = []
    types: list[str] = []
    features: list[str] = []


class HostData(Struct, kw_only=True):
    """What the host side of a testee declares; the first bind is its default."""

    contract: Literal[1]
    binds: list[str] = []
    types: list[str] = []
    features: list[str] = []


class PanicData(Struct, kw_only=True):
    """The misuses that a testee can commit."""

    contract: Literal[1]
    kinds: list[str] = []


class PluginCommand(Struct, kw_only=True, tag_field="type", tag="conformance-plugin"):
    """The command that drives the plugin side."""

    path: list[str]
    data: PluginData


class HostCommand(Struct, kw_only=True, tag_field="type", tag="conformance-host"):
    """The command that acts as a host."""

    path: list[str]
    data: HostData


class PanicCommand(Struct, kw_only=True, tag_field="type", tag="conformance-panic"):
    """The command that commits a misuse."""

    path: list[str]
    data: PanicData


class Manifest(Struct, kw_only=True):
    """What `TESTEE info` prints. Further members, and commands of other types, are ignored."""

    manifestVersion: Literal[1]  # the name on the wire
    name: Annotated[str, Meta(min_length=1)]
    commands: list[PluginCommand | HostCommand | PanicCommand]
    version: str = ""
    author: str = ""
    description: str = ""
    tags: list[str] = []


class _Instruction(Struct, kw_only=True, tag_field="op"):
    id: Id


class _Background(_Instruction, kw_only=True):
    run_async: bool = msgspec.field(default=False, name="async")


class Call(_Background, kw_only=True, tag="call"):
    """Call a service through the implementation's own typed consumer."""

    namespace: str
    name: str
    args: list[Any]
    params: list[Type]
    results: list[Type]


class HasNamespace(_Background, kw_only=True, tag="hasNamespace"):
    """Ask whether the host has a namespace."""

    namespace: str


class GetManifest(_Background, kw_only=True, tag="getManifest"):
    """Ask for the manifest of a namespace."""

    namespace: str


class ListServices(_Background, kw_only=True, tag="listServices"):
    """Ask for the services of a namespace."""

    namespace: str


class Hosted(_Background, kw_only=True, tag="hosted"):
    """Tell whether the process was started with `--host`."""


class BindConsumer(_Background, kw_only=True, tag="bind"):
    """Make a consumer and do not call it; `misuse` is a kind of section 4 that concerns the consumer."""

    namespace: str
    name: str
    params: list[Type] = []
    results: list[Type] = []
    misuse: str | UnsetType = UNSET


class Fallback(_Background, kw_only=True, tag="fallback"):
    """Call a stub whose local function returns its arguments in reverse."""

    namespace: str
    name: str
    args: list[Any]


class Exit(_Instruction, kw_only=True, tag="exit"):
    """Exit with a status at once; there is no outcome."""

    code: Annotated[int, Meta(ge=0, le=255)]


Instruction = Call | HasNamespace | GetManifest | ListServices | Hosted | BindConsumer | Fallback | Exit

OUTCOME_SCHEMA: dict[str, Any] = {
    "description": "The outcome of an instruction: its id and exactly one of ok, error, panic and unsupported.",
    "type": "object",
    "properties": {
        "id": {"type": "integer", "minimum": 0},
        "ok": {},
        "error": {"type": "string"},
        "panic": {"type": "string"},
        "unsupported": {"type": "string"},
    },
    "required": ["id"],
    "oneOf": [{"required": [kind]} for kind in ("ok", "error", "panic", "unsupported")],
}
