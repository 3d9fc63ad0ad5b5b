"""The host side: the implementation in `protocol`, as the contract drives it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from contract import services
from protocol import types
from protocol.client import signature
from protocol.execution import Bound, PluginFailure, discover
from protocol.offers import BINDS as OFFERS
from protocol.registry import Registry, ServiceFailure

BINDS = list(OFFERS)
TYPES = types.NAMES
FEATURES = ["concurrent"]


def run(bind: str | None, plugin: str, args: list[str]) -> str | None:
    """Run a plugin; returns what went wrong, if anything did."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    bind = bind or BINDS[0]
    if bind not in OFFERS:
        return f"unknown bind {bind}"
    parent = Registry()
    define(parent, services.parent())
    child = Registry(parent)
    define(child, services.child(TYPES))
    try:
        path = discover(plugin, "conformance-plugin")
        Bound(child, OFFERS[bind]).execute([plugin, *path], args)
    except PluginFailure as failure:
        return str(failure)
    return None


def _interrupted(number: int, frame: Any) -> None:
    raise PluginFailure(f"interrupted by {signal.Signals(number).name}")


def define(registry: Registry, namespaces: dict[str, services.Namespace]) -> None:
    """Put the contract's namespaces into a registry of the implementation."""
    for name, namespace in namespaces.items():
        registry.define(name, namespace.manifest)
        for service_name, service in namespace.services.items():
            registry.add(name, service_name, signature(service.params, service.results)(failing(service.function)))


def failing(function: Callable[..., tuple[Any, ...]]) -> Callable[..., tuple[Any, ...]]:
    """The function, with the contract's error made into one of the implementation."""

    def call(*args: Any) -> tuple[Any, ...]:
        try:
            return function(*args)
        except services.ServiceError as error:
            raise ServiceFailure(str(error)) from None

    return call
