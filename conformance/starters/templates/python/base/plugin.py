"""The plugin side of your implementation."""

from __future__ import annotations

from typing import Any

from contract.errors import Unsupported

# YOUR IMPLEMENTATION: declare what it can do, and call it in the methods below. Leave out what it does not have.
# Raise CallError for an ordinary error, Misuse where it refuses a mistake, Unsupported for what it cannot do.

SCHEMES: list[str] = []  # of URLs that it opens: "file", "unix", ...
TYPES: list[str] = []  # that stand in a signature: "any", "bool", "string", "int64", "bytes", "point", ...
FEATURES: list[str] = []  # "concurrent", "single-url", "fallback", "control-fd", "prototypes"


class Plugin:
    """A plugin that was started with these URLs; values are in their JSON form."""

    def __init__(self, urls: list[str]) -> None:
        self.urls = urls

    def call(self, namespace: str, name: str, params: list[Any], results: list[Any], args: list[Any]) -> list[Any]:
        """Make a typed consumer of a service and call it; returns the results."""
        raise Unsupported("call")

    def has_namespace(self, namespace: str) -> bool:
        """Whether the host has a namespace."""
        raise Unsupported("hasNamespace")

    def get_manifest(self, namespace: str) -> Any:
        """The manifest of a namespace."""
        raise Unsupported("getManifest")

    def list_services(self, namespace: str) -> list[str]:
        """The services of a namespace."""
        raise Unsupported("listServices")

    def hosted(self) -> bool:
        """Whether the plugin was started by a host."""
        raise Unsupported("hosted")

    def bind(self, namespace: str, name: str, params: list[Any], results: list[Any], misuse: str | None) -> Any:
        """Make a typed consumer without calling it, or commit a misuse of the consumer."""
        raise Unsupported("bind")

    def fallback(self, namespace: str, name: str, args: list[Any]) -> list[Any]:
        """Call a stub whose local function returns its arguments in reverse."""
        raise Unsupported("fallback")
