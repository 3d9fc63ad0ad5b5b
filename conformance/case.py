"""How a case is declared, and the catalogue of all of them.

A case is a pytest function in a ``test_*.py`` module of `conformance.cases`, decorated with `case`. Its id is
``side/group/name`` from the names of module and function (``test_plugin_framing.py::test_split_at_every_byte`` is
``plugin/framing/split-at-every-byte``); a case with variants adds ``[variant]``. The side follows from the fixture that
it asks for: ``plugin``, ``start_plugin`` or ``fuzz_plugin``; ``host``, ``start_host`` or ``fuzz_host``; ``misuse``.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from conformance.drive.transports import BINDS, TRAITS
from conformance.oracle.values import Type, type_name
from conformance.requirements import Level, Side, all_requirements

F = TypeVar("F", bound=Callable[..., None])

_SIDE_OF_FIXTURE = {
    "plugin": Side.PLUGIN,
    "start_plugin": Side.PLUGIN,
    "fuzz_plugin": Side.PLUGIN,
    "host": Side.HOST,
    "start_host": Side.HOST,
    "fuzz_host": Side.HOST,
    "misuse": Side.MISUSE,
}
ATTRIBUTE = "__conformance_case__"


@dataclass(frozen=True)
class Case:
    """One check, with all its variants."""

    id: str
    side: Side
    requirements: tuple[str, ...]
    level: Level
    doc: str
    function: Callable[..., None]
    each: Mapping[str, Any] = field(default_factory=dict)
    types: tuple[Type, ...] = ()
    features: tuple[str, ...] = ()
    generated: bool = False
    on: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def ids(self) -> list[str]:
        """The id of every variant."""
        return [f"{self.id}[{name}]" for name in self.each] if self.each else [self.id]

    def reason_to_skip(self, types: Callable[[Type], bool], features: Iterable[str]) -> str | None:
        """Why a testee with these capabilities cannot run the case, or None."""
        for of in self.types:
            if not types(of):
                return f"the testee does not declare the type {type_name(of)}"
        for feature in self.features:
            if feature not in features:
                return f"the testee does not declare the feature {feature}"
        return None


def case(
    *requirements: str,
    each: Mapping[str, Any] | None = None,
    types: Iterable[Type] = (),
    features: Iterable[str] = (),
    generated: bool = False,
    on: Iterable[str] = (),
    needs: Iterable[str] = (),
) -> Callable[[F], F]:
    """Declare a case that checks ``requirements``, all of the same level.

    ``each`` gives variants: name to value, handed to the function as its argument ``each``. ``types`` and ``features``
    are what the testee must declare; without them the case is reported as unsupported. ``generated`` marks a case that
    draws its inputs. ``on`` names the kinds of connections that the case is about, ``needs`` the traits that a
    connection must have (`conformance.drive.transports`).
    """
    unknown = {*on} - BINDS.keys() | {*needs} - TRAITS.keys()
    if unknown:
        raise ValueError(f"no such kind or trait of a connection: {', '.join(sorted(unknown))}")

    def declare(function: F) -> F:
        known = all_requirements()
        levels = {known[id_].level for id_ in requirements}
        (level,) = levels  # one level a case: its failure has one weight
        names = inspect.signature(function).parameters
        sides = {_SIDE_OF_FIXTURE[name] for name in names if name in _SIDE_OF_FIXTURE}
        (side,) = sides
        if any(side not in known[id_].sides for id_ in requirements):
            raise ValueError(f"{function.__name__}: a requirement that does not concern the side {side}")
        group = function.__module__.rpartition(".")[2].removeprefix("test_").removeprefix(f"{side}_")
        name = function.__name__.removeprefix("test_").replace("_", "-")
        made = Case(
            id=f"{side}/{group.replace('_', '-')}/{name}",
            side=side,
            requirements=requirements,
            level=level,
            doc=inspect.getdoc(function) or "",
            function=function,
            each=dict(each or {}),
            types=tuple(types),
            features=tuple(features),
            generated=generated,
            on=tuple(on),
            needs=tuple(needs),
        )
        setattr(function, ATTRIBUTE, made)
        return function

    return declare


@functools.cache
def catalogue() -> dict[str, Case]:
    """Every case by id, without its variants, in the order of modules and definitions."""
    import conformance.cases

    found: dict[str, Case] = {}
    for module_info in pkgutil.iter_modules(conformance.cases.__path__, "conformance.cases."):
        module = importlib.import_module(module_info.name)
        for value in vars(module).values():
            made = getattr(value, ATTRIBUTE, None)
            if isinstance(made, Case) and made.function.__module__ == module.__name__:
                if made.id in found:
                    raise ValueError(f"two cases are called {made.id}")
                found[made.id] = made
    return found


def matches(pattern: str, case_id: str) -> bool:
    """Whether a pattern (``*`` and ``?`` are wild, all else is literal) names a case or one of its variants."""
    fits = _regex(pattern).fullmatch
    return fits(case_id) is not None or fits(case_id.partition("[")[0]) is not None


@functools.cache
def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern))
