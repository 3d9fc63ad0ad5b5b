"""What a host offers: namespaces and services, and the way to offer them to plugins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, runtime_checkable

from ..errors import RegistrationError, SignatureError
from .binds import resolve_bind
from .namespaces import Namespaces
from .settings import Bind, Binding

__all__ = ["Registry", "Services"]

F = TypeVar("F", bound=Callable[..., Any])


@runtime_checkable
class Services(Protocol):
    """Services that belong together and add themselves, for `Registry.add_services`."""

    def add_to(self, registry: Registry) -> None:
        """Define namespaces and add services."""


class Registry(Namespaces):
    """Namespaces and services that plugins may use.

    A registry may be changed by any thread, also while plugins use it; they see the change at their next
    request. What `inherit` returns starts out with everything of this registry; a namespace defined there
    hides the one of the same name here as a whole, with all its services.
    """

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

    def bind(self, *how: Bind | str) -> Binding:
        """Return what `execute` takes as its option `bind`, so that plugins can use this registry.

        `how` is one bind, as `with_bind_func` and others return it, or the name of a built-in one (the keys of
        `plugsvc.host.binds.BINDS`); without it, that of `with_default_bind`, inherited pipes on Linux.

        Raises `RegistrationError` for a bind that is None, unknown, or one of several.
        """
        return Binding(self, resolve_bind(how))
