"""What a host offers: namespaces with a manifest and services, in layers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from ..errors import ManifestError, RegistrationError, ResultError, SignatureError
from ..marshal import Signature
from .calls import Service

if TYPE_CHECKING:
    from .binds import Bind
    from .settings import Option

__all__ = ["Namespace", "Registry", "Services"]

F = TypeVar("F", bound=Callable[..., Any])

_MANIFEST = Signature.from_types([], [Any], side="provider", name="manifest")


@runtime_checkable
class Services(Protocol):
    """Services that belong together and add themselves, for `Registry.add_services`."""

    def add_to(self, registry: Registry) -> None:
        """Define namespaces and add services."""


class Namespace:
    """One namespace: `name`, `manifest` (JSON), and its services by name."""

    __slots__ = ("manifest", "name", "services")

    def __init__(self, name: str, manifest: bytes) -> None:
        self.name = name
        self.manifest = manifest
        self.services: dict[str, Service] = {}


class Registry:
    """Namespaces and services that plugins may use.

    A registry may be changed by any thread, also while plugins use it; they see the change at their next
    request. What `inherit` returns starts out with everything of this registry; a namespace defined there
    hides the one of the same name here as a whole, with all its services.
    """

    def __init__(self, parent: Registry | None = None) -> None:
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

    def add_services(self, *services: Services) -> None:
        """Let objects add themselves. Raises `RegistrationError` for one that has no `add_to`."""
        for each in services:
            if not isinstance(each, Services):
                raise RegistrationError(f"{each!r} has no method add_to(registry), so it cannot add its services")
            each.add_to(self)

    def service(self, namespace: str, name: str | None = None) -> Callable[[F], F]:
        """Return a decorator that adds a function as a service, under its own name if none is given.

        The function itself stays as it is. Raises what `add_service` raises.
        """

        def add(function: F) -> F:
            own_name = name if name is not None else getattr(function, "__name__", None)
            if own_name is None:
                raise SignatureError(f"a service of namespace {namespace!r}: {function!r} has no name of its own")
            self.add_service(namespace, own_name, function)
            return function

        return add

    def inherit(self) -> Registry:
        """Return a new registry on top of this one."""
        return Registry(self)

    def find(self, namespace: str) -> Namespace | None:
        """Return the namespace as plugins see it, or None."""
        layer: Registry | None = self
        while layer is not None:
            found = layer._namespaces.get(namespace)
            if found is not None:
                return found
            layer = layer._parent
        return None

    def bind(self, *how: Bind | str) -> Option:
        """Return an execution option: plugins executed with it can use this registry.

        `how` is one bind, as `with_bind_func` and others return it, or the name of a built-in one (the keys of
        `plugsvc.host.binds.BINDS`); without it, that of `with_default_bind`, inherited pipes on Linux.

        Raises `RegistrationError` for a bind that is None, unknown, or one of several.
        """
        from .binds import resolve_bind
        from .settings import with_registry

        return with_registry(self, resolve_bind(how))
