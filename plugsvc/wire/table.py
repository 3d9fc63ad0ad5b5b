"""What is legal when: the kinds of requests, what each carries, and where its answer is.

Both sides read the protocol off this table: it says in one place what a host must answer and what a client may take.
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
    `in_order`: answered by the reader itself, before the next request is looked at; otherwise concurrently.
    """

    type: str
    answer: Literal["ok", "services", "reply"]
    addresses_service: bool
    needs_namespace: bool
    in_order: bool


REQUEST_KINDS: Mapping[str, RequestKind] = MappingProxyType(
    {
        kind.type: kind
        for kind in (
            RequestKind(CALL, "reply", addresses_service=True, needs_namespace=True, in_order=False),
            RequestKind(HAS_NAMESPACE, "ok", addresses_service=False, needs_namespace=False, in_order=True),
            RequestKind(GET_MANIFEST, "reply", addresses_service=False, needs_namespace=True, in_order=True),
            RequestKind(LIST_SERVICES, "services", addresses_service=False, needs_namespace=True, in_order=True),
        )
    }
)
"""By type. A host checks in this order: is it `hasNamespace`; is the namespace defined; is the type known; and then, is
the service defined."""


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
    return json_string(text).decode()
