"""The registry that the contract demands of the host side, as plain data and functions.

Values are in their JSON form here: bytes are base64 text, a point is an object, an optional is None or its value.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Type = Any  # a name, or an object with one member: "int64", {"list": "int64"}
LISTS, MAPS, OPTIONALS = "list", "map", "optional"


class ServiceError(Exception):
    """A service fails with this text; `results` are what it returns beside the error."""

    def __init__(self, text: str, results: tuple[Any, ...] = ()) -> None:
        super().__init__(text)
        self.results = results


@dataclass(frozen=True)
class Service:
    """A function with its types; it returns a tuple of its results."""

    params: list[Type]
    results: list[Type]
    function: Callable[..., tuple[Any, ...]]


@dataclass(frozen=True)
class Namespace:
    """A manifest and services."""

    manifest: Any
    services: dict[str, Service]


def _echo(of: Type) -> Service:
    return Service([of], [of], lambda value: (value,))


def _says(text: str) -> Service:
    return Service([], ["string"], lambda: (text,))


def _fail(text: str) -> tuple[()]:
    raise ServiceError(text)


def _fail_after(first: str, text: str) -> tuple[str]:
    raise ServiceError(text, (first,))


def _panic(text: str) -> tuple[()]:
    raise RuntimeError(text)


def _sleep(milliseconds: int) -> tuple[int]:
    time.sleep(milliseconds / 1000)
    return (milliseconds,)


def type_name(of: Type) -> str:
    """A type as it is written in the name of a service: `list_int64`."""
    if isinstance(of, dict):
        ((kind, inner),) = of.items()
        return f"{kind}_{type_name(inner)}"
    return str(of)


def conformance(types: list[Type]) -> dict[str, Service]:
    """The services of the namespace `conformance`, for the types that the implementation declares."""
    services = {
        "echo": _echo("any"),
        "add": Service(["int64", "int64"], ["int64"], lambda a, b: (a + b,)),
        "swap": Service(["any", "any"], ["any", "any"], lambda a, b: (b, a)),
        "none": Service([], [], lambda: ()),
        "fail": Service(["string"], [], _fail),
        "fail_after": Service(["string", "string"], ["string"], _fail_after),
        "panic": Service(["string"], [], _panic),
        "sleep": Service(["int64"], ["int64"], _sleep),
        "blob": Service(["int64"], ["string"], lambda size: ("x" * size,)),
        "unserializable": Service([], ["any"], lambda: (object(),)),
    }
    kinds = (LISTS, MAPS, OPTIONALS) if any(name != "any" for name in types) else ()
    once: list[Type] = [{kind: name} for kind in kinds for name in types]
    twice: list[Type] = [{kind: inner} for kind in kinds for inner in once]
    return services | {f"echo_{type_name(of)}": _echo(of) for of in [*types, *once, *twice]}


def parent() -> dict[str, Namespace]:
    """What the parent registry defines."""
    return {
        "conformance/parent": Namespace({"layer": "parent"}, {"where": _says("parent")}),
        "conformance/shadow": Namespace({"layer": "parent"}, {"where": _says("parent"), "hidden": _says("hidden")}),
    }


def child(types: list[Type]) -> dict[str, Namespace]:
    """What the child registry defines, which inherits the parent."""
    return {
        "conformance": Namespace({"contract": 1}, conformance(types)),
        "conformance/empty": Namespace(None, {}),
        "conformance/shadow": Namespace({"layer": "child"}, {"where": _says("child")}),
    }
