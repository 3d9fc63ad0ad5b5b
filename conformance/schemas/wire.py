"""The forms of the protocol's two messages (docs/protocol.md), as a strict writer writes them."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

Sequence = Annotated[int, Meta(ge=0, extra_json_schema={"maximum": 2**64 - 1})]


class Request(Struct, kw_only=True):
    """A message from the plugin to the host. `name` and `args` belong to a call."""

    sequence: Sequence
    type: str
    namespace: str
    name: str = ""
    args: Any | UnsetType = UNSET


class Reply(Struct, kw_only=True):
    """A message from the host to the plugin. An `error` that is absent or null is none; an empty one is an error."""

    sequence: Sequence
    ok: bool = False
    services: list[str] = []
    reply: Any | UnsetType = UNSET
    error: str | None = None
