"""What a host provides: namespaces with manifests and services, and registries that inherit others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import exactjson
from protocol.client import MisuseError, check_signature
from protocol.types import Type


class ServiceFailure(Exception):
    """A service raises it to fail with exactly this text."""


@dataclass(frozen=True)
class Service:
    """A function with its types; it returns a tuple of its results."""

    params: list[Type]
    results: list[Type]
    function: Callable[..., tuple[Any, ...]]


@dataclass
class Namespace:
    """A manifest and services."""

    manifest: Any
    services: dict[str, Service] = field(default_factory=dict)


class Registry:
    """Namespaces by name; what is not defined here is looked up in the parent."""

    def __init__(self, parent: Registry | None = None) -> None:
        self._parent = parent
        self._namespaces: dict[str, Namespace] = {}

    def define(self, namespace: str, manifest: Any) -> None:
        """Define a namespace; raises MisuseError."""
        if namespace in self._namespaces:
            raise MisuseError(f'the namespace "{namespace}" is defined already')
        try:
            exactjson.dumps(manifest)
        except (TypeError, ValueError) as error:
            raise MisuseError(f'JSON cannot carry the manifest of "{namespace}": {error}') from None
        self._namespaces[namespace] = Namespace(manifest)

    def add(self, namespace: str, name: str, function: Callable[..., tuple[Any, ...]]) -> None:
        """Add a service to a namespace of this registry; raises MisuseError."""
        params, results = check_signature(function, f'the service "{name}"')
        if namespace not in self._namespaces:
            where = " in this registry, only in its parent" if self.find(namespace) else ""
            raise MisuseError(f'undefined namespace "{namespace}"{where}')
        services = self._namespaces[namespace].services
        if name in services:
            raise MisuseError(f'the namespace "{namespace}" has a service "{name}" already')
        services[name] = Service(params, results, function)

    def find(self, namespace: str) -> Namespace | None:
        """The namespace, here or in a parent."""
        found = self._namespaces.get(namespace)
        return self._parent.find(namespace) if found is None and self._parent is not None else found
