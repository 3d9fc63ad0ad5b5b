"""What a request asks for: the service to call, or the reply that the host gives by itself."""

from __future__ import annotations

from ..wire import (
    REQUEST_KINDS,
    Request,
    encode_reply,
    invalid_request_type,
    undefined_namespace,
    undefined_service,
)
from .calls import Service
from .namespaces import Namespaces

__all__ = ["look_up"]

_KINDS = dict(REQUEST_KINDS)  # quicker to look up in


def look_up(registry: Namespaces, request: Request) -> Service | bytes:
    """Return the service that has to be called, or the whole reply, as the table of request types says."""
    kind = _KINDS.get(request.type)
    namespace = registry.find(request.namespace)
    if namespace is None:
        if kind is None or kind.needs_namespace:
            return encode_reply(request.sequence, error=undefined_namespace(request.namespace))
        return encode_reply(request.sequence, ok=False)
    if kind is None:
        return encode_reply(request.sequence, error=invalid_request_type(request.type))
    if kind.addresses_service:
        service = namespace.services.get(request.name)
        if service is None:
            return encode_reply(request.sequence, error=undefined_service(request.name))
        return service
    if kind.answer == "ok":
        return encode_reply(request.sequence, ok=True)
    if kind.answer == "services":
        return encode_reply(request.sequence, services=namespace.services)
    return encode_reply(request.sequence, reply=namespace.manifest)
