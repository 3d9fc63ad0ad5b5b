"""The plugin side: the implementation in `protocol`, as the contract drives it."""

from __future__ import annotations

from typing import Any

from contract.errors import CallError, Misuse, Unsupported
from protocol import types
from protocol.client import ConnectionLost, MisuseError, Plugin as Implementation, Prototype, ServiceError, signature

SCHEMES = ["file", "unix"]
TYPES = types.NAMES
FEATURES = ["concurrent", "single-url", "fallback", "control-fd", "prototypes"]

ERRORS = (ConnectionLost, ServiceError, types.Mismatch)
TARGETS: dict[str, Any] = {"get-not-callable": 42, "get-nil": None}


def prototype(params: list[Any], results: list[Any]) -> Prototype:
    """A function that only says its types."""
    return signature(params, results)(lambda *args: None)


class Plugin:
    """A plugin that was started with these URLs; values are in their JSON form."""

    def __init__(self, urls: list[str]) -> None:
        self._plugin = Implementation(urls)

    def call(self, namespace: str, name: str, params: list[Any], results: list[Any], args: list[Any]) -> list[Any]:
        """Make a typed consumer of a service and call it; returns the results."""
        if not all(types.is_type(of) for of in [*params, *results]):
            raise Unsupported("one of the types")
        try:
            return self._plugin.consumer(namespace, name, prototype(params, results))(*args)
        except ERRORS as error:
            raise CallError(str(error)) from None

    def has_namespace(self, namespace: str) -> bool:
        """Whether the host has a namespace."""
        try:
            return self._plugin.has_namespace(namespace)
        except ERRORS as error:
            raise CallError(str(error)) from None

    def get_manifest(self, namespace: str) -> Any:
        """The manifest of a namespace."""
        try:
            return self._plugin.get_manifest(namespace)
        except ERRORS as error:
            raise CallError(str(error)) from None

    def list_services(self, namespace: str) -> list[str]:
        """The services of a namespace."""
        try:
            return self._plugin.list_services(namespace)
        except ERRORS as error:
            raise CallError(str(error)) from None

    def hosted(self) -> bool:
        """Whether the plugin was started by a host."""
        return self._plugin.hosted

    def bind(self, namespace: str, name: str, params: list[Any], results: list[Any], misuse: str | None) -> Any:
        """Make a typed consumer without calling it, or commit a misuse of the consumer."""
        if misuse not in (None, "get-unmarshalable", *TARGETS):
            raise Unsupported(f"the misuse {misuse!r}")
        types_ = (["unmarshalable"], results) if misuse == "get-unmarshalable" else (params, results)
        target = TARGETS[misuse] if misuse in TARGETS else prototype(*types_)
        try:
            self._plugin.consumer(namespace, name, target)
        except MisuseError as refusal:
            raise Misuse(str(refusal)) from None
        return "bound"

    def fallback(self, namespace: str, name: str, args: list[Any]) -> list[Any]:
        """Call a stub whose local function returns its arguments in reverse."""
        if not self._plugin.hosted:
            return args[::-1]
        kinds = ["any"] * len(args)
        return self.call(namespace, name, kinds, kinds, args)
