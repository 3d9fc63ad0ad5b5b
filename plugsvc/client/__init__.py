"""The plugin's side: the connection to the host, and the functions and stubs that use it."""

from .api import (
    close,
    default_session as default_session,
    get_manifest,
    get_service,
    has_namespace,
    hosted,
    init_service_client,
    list_services,
    namespace_stub,
    service,
    set_default_timeout,
)
from .connection import Connection as Connection
from .hosting import add_host_flags, host_option
from .session import Session as Session
from .stubs import limit

__all__ = [
    "add_host_flags",
    "close",
    "get_manifest",
    "get_service",
    "has_namespace",
    "host_option",
    "hosted",
    "init_service_client",
    "limit",
    "list_services",
    "namespace_stub",
    "service",
    "set_default_timeout",
]
