"""The plugin's side: the connection to the host, and the functions and stubs that use it."""

from .api import (
    close,
    default_session,
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
from .connection import Connection
from .hosting import add_host_flags, host_option
from .session import Session
from .stubs import with_call_timeout

__all__ = [
    "Connection",
    "Session",
    "add_host_flags",
    "close",
    "default_session",
    "get_manifest",
    "get_service",
    "has_namespace",
    "host_option",
    "hosted",
    "init_service_client",
    "list_services",
    "namespace_stub",
    "service",
    "set_default_timeout",
    "with_call_timeout",
]
