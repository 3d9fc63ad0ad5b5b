"""The types of requests: what each carries, where its answer is, and the error texts of a host.

The host looks requests up by this table (`host.lookup`); a new type of request begins with a row here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from .encode import json_string
from .messages import CALL, GET_MANIFEST, HAS_NAMESPACE, LIST_SERVICES

__all__ = [
    "REQUEST_KINDS",
    "RequestKind",
    "invalid_request_type",
    "service_panic",
    "undefined_namespace",
    "undefined_service",
]


class RequestKind(NamedTuple):
    """One type of request.

    `type`: its name on the wire.
    `answer`: the field of the reply that has the answer when there is no error.
    `addresses_service`: `name` and `args` count; otherwise they are ignored.
    `needs_namespace`: the namespace has to be defined, otherwise the reply is an error.

    Calls are answered concurrently. A host answers everything else by itself, before it looks at the next request.
    """

    type: str
    answer: Literal["ok", "services", "reply"]
    addresses_service: bool
    needs_namespace: bool


REQUEST_KINDS: Mapping[str, RequestKind] = MappingProxyType(
    {
        kind.type: kind
        for kind in (
            RequestKind(CALL, "reply", addresses_service=True, needs_namespace=True),
            RequestKind(HAS_NAMESPACE, "ok", addresses_service=False, needs_namespace=False),
            RequestKind(GET_MANIFEST, "reply", addresses_service=False, needs_namespace=True),
            RequestKind(LIST_SERVICES, "services", addresses_service=False, needs_namespace=True),
        )
    }
)
"""By type. A host checks in this order: does the type need a namespace, and is that defined; is the type known; and
then, is the service defined."""


def undefined_namespace(namespace: str) -> str:
    """Return the error text for a request to a namespace that is not defined."""
    return f"undefined namespace {_quoted(namespace)}"


def undefined_service(name: str) -> str:
    """Return the error text for a call of a service that its namespace does not have."""
    return f"undefined service {_quoted(name)}"


def invalid_request_type(type: str) -> str:
    """Return the error text for a request of a type that is not in the table."""
    return f"invalid request type {_quoted(type)}"


def service_panic(text: str) -> str:
    """Return the error text for a service that ended with an uncaught exception."""
    return f"panic in service: {text}"


def _quoted(text: str) -> str:
    """Return `text` in double quotes, with the escapes of JSON, so that an error stays on one line."""
    return json_string(text).decode()
