"""Mistakes of the programmer that the implementation in `protocol` refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protocol.client import Plugin, signature
from protocol.execution import Bound
from protocol.registry import Registry


def get(target: Any) -> None:
    """Make a consumer."""
    Plugin([]).consumer("n", "s", target)


def registry() -> Registry:
    """A registry with a namespace, and a parent with another."""
    parent = Registry()
    parent.define("parent", None)
    made = Registry(parent)
    made.define("n", None)
    return made


def service() -> tuple[()]:
    """A service that does nothing."""
    return ()


def prototype(*params: Any) -> Any:
    """A function with these parameters."""
    return signature(list(params), [])(lambda *args: ())


def add_twice() -> None:
    """Add a service of the same name twice."""
    made = registry()
    made.add("n", "s", prototype())
    made.add("n", "s", prototype())


KINDS: dict[str, Callable[[], object]] = {
    "get-not-callable": lambda: get(42),
    "get-nil": lambda: get(None),
    "get-unmarshalable": lambda: get(prototype(object)),
    "add-not-callable": lambda: registry().add("n", "s", 42),  # type: ignore[arg-type]
    "add-error-argument": lambda: registry().add("n", "s", prototype("error")),
    "add-undefined-namespace": lambda: registry().add("other", "s", prototype()),
    "add-parent-namespace": lambda: registry().add("parent", "s", prototype()),
    "add-duplicate-service": add_twice,
    "define-duplicate-namespace": lambda: registry().define("n", None),
    "define-unmarshalable-manifest": lambda: registry().define("other", {"a": object()}),
    "bind-nil": lambda: Bound(registry(), None),  # type: ignore[arg-type]
}
