"""The two messages of the protocol, frozen.

A request goes from the plugin to the host, a reply comes back with the same `sequence`. What calls and replies carry
(`args`, `reply`) stays raw JSON here: only a signature (`plugsvc.marshal`) knows its types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw, Struct

__all__ = [
    "CALL",
    "GET_MANIFEST",
    "HAS_NAMESPACE",
    "LIST_SERVICES",
    "MAX_SEQUENCE",
    "Reply",
    "Request",
]

CALL = "call"
HAS_NAMESPACE = "hasNamespace"
GET_MANIFEST = "getManifest"
LIST_SERVICES = "listServices"

MAX_SEQUENCE = 2**64 - 1
"""Sequence numbers are unsigned 64-bit integers."""

if TYPE_CHECKING:
    RawOrAbsent = Raw | None
else:
    # msgspec decodes a field into Raw only where Raw stands alone; the default stands for "absent".
    RawOrAbsent = Raw


class Request(Struct, frozen=True, gc=False):
    """What a plugin asks.

    `sequence`: 0 to `MAX_SEQUENCE`, chosen by the client, unique among its outstanding requests.
    `args`: the JSON of `args` as it came (`b"null"` when it was null), or None when it was absent.
    """

    sequence: int = 0
    type: str = ""
    namespace: str = ""
    name: str = ""
    args: RawOrAbsent = None


class Reply(Struct, frozen=True, gc=False):
    """What the host answers.

    `reply`: the JSON of `reply` as it came (`b"null"` when it was null), or None when it was absent.
    `error`: None for success; any string, also an empty one, is a failure.
    """

    sequence: int = 0
    services: tuple[str, ...] = ()
    ok: bool = False
    reply: RawOrAbsent = None
    error: str | None = None
