"""Namespaces with a manifest and services, in layers: what requests are looked up in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..errors import ManifestError, RegistrationError, ResultError, SignatureError
from ..marshal import Signature
from .calls import Service

__all__ = ["Namespace", "Namespaces"]

_MANIFEST = Signature.from_types([], [Any], side="provider", name="manifest")


class Namespace:
    """One namespace: `name`, `manifest` (JSON), and its services by name."""

    __slots__ = ("manifest", "name", "services")

    name: str
    manifest: bytes

    def __init__(self, name: str, manifest: bytes) -> None:
        self.name = name
        self.manifest = manifest
        self.services: dict[str, Service] = {}


class Namespaces:
    """Namespaces by name, in layers: one that is defined here hides the one of the same name in `parent`.

    Any thread may change them, also while requests are looked up; those see the change from then on.
    """

    def __init__(self, parent: Namespaces | None = None) -> None:
        self._parent = parent
        self._namespaces: dict[str, Namespace] = {}
        self._lock = threading.Lock()

    def define(self, namespace: str, manifest: Any = None) -> None:
        """Define a namespace, with a manifest that plugins can read (any value that JSON can carry).

        The manifest is encoded here and now; later changes to the object are not seen by plugins.

        Raises `RegistrationError` when this registry has that namespace already, `ManifestError` when JSON
        cannot carry the manifest.
        """
        if not isinstance(namespace, str):
            raise RegistrationError(f"a namespace is a string, not {namespace!r}")
        try:
            encoded = _MANIFEST.encode_results(manifest)[1:-1]
        except ResultError as error:
            raise ManifestError(f"namespace {namespace!r}: JSON cannot carry its manifest: {error}") from error
        with self._lock:
            if namespace in self._namespaces:
                raise RegistrationError(f"namespace {namespace!r} is defined already")
            self._namespaces[namespace] = Namespace(namespace, encoded)

    def add_service(self, namespace: str, name: str, function: Callable[..., Any]) -> None:
        """Add `function` as service `name` of a namespace that this registry itself defines.

        Its parameters and results become JSON as their annotations say. A plain function may be called by
        several threads at once; a coroutine function runs in an event loop, see `with_loop`.

        Raises `SignatureError` when the function cannot be a service, `RegistrationError` when the namespace
        is not defined in this registry (one that only a parent defines cannot be added to) or has that
        service.
        """
        label = f"{namespace}/{name}"
        if not isinstance(name, str):
            raise RegistrationError(f"namespace {namespace!r}: the name of a service is a string, not {name!r}")
        try:
            signature = Signature.of(function, side="provider", name=label)
        except SignatureError as error:
            text = str(error)
            if label in text:
                raise
            raise SignatureError(f"service {label!r}: {text}") from error
        service = Service(label, function, signature, is_async=signature.is_async)
        with self._lock:
            target = self._namespaces.get(namespace)
            if target is None:
                where = ""
                if self._parent is not None and self._parent.find(namespace) is not None:
                    where = " in this registry, only in one that it inherits from: define it here as well"
                raise RegistrationError(f"service {label!r}: namespace {namespace!r} is not defined{where}")
            if name in target.services:
                raise RegistrationError(f"service {label!r} was added already")
            # A new dictionary instead of a changed one, so that a reader never sees one change under it.
            target.services = {**target.services, name: service}

    def find(self, namespace: str) -> Namespace | None:
        """Return the namespace as plugins see it, or None."""
        found = self._namespaces.get(namespace)
        if found is None and self._parent is not None:
            return self._parent.find(namespace)
        return found
