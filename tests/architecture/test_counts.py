"""No object reaches into another one, and no class has many attributes."""

from __future__ import annotations

import ast
from collections.abc import Callable

import pytest

from .test_imports import ROOT, sources

MAX_ATTRIBUTES = 12
PUBLIC = {"_asdict", "_fields", "_make", "_replace"}
"""What named tuples offer to everybody: the underscore keeps it apart from the names of fields."""

STANDARD = {"os._exit", "sys._getframe"}
"""Private by name, but documented, or without a public name."""

TESTS_MAY = 9
"""How many accesses the tests may have: to what has no other way to be counted or replaced."""


def private_accesses(source: str, name: str) -> list[str]:
    """Return the accesses to attributes with a leading underscore of anything but the own object or class."""
    tree = ast.parse(source)
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_") or node.attr.startswith("__"):
            continue
        text = ast.unparse(node)
        if node.attr in PUBLIC or text in STANDARD:
            continue
        owner = node.value
        if isinstance(owner, ast.Name) and owner.id in ("self", "cls"):
            continue
        if isinstance(owner, ast.Call) and ast.unparse(owner.func) in ("super", "type"):
            continue  # `super()._x` and `type(self)._x`
        found.append(f"{name}:{node.lineno} {text}")
    return found


def large_classes(source: str, name: str) -> list[str]:
    """Return the classes that assign more attributes of `self` than a class may have.

    Fields of records (dataclasses, named tuples, structs) are declared in the body of the class, and not counted: they
    are data, which the class does not have to keep consistent.
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            assigned = {
                each.attr
                for each in ast.walk(node)
                if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store)
                if isinstance(each.value, ast.Name) and each.value.id == "self"
            }
            if len(assigned) > MAX_ATTRIBUTES:
                found.append(f"{name}:{node.lineno} {node.name} has {len(assigned)}")
    return found


def _in_all(package: str, count: Callable[[str, str], list[str]]) -> list[str]:
    return [
        each
        for path in sources(package)
        if not {"repositories", "node_modules"} & set(path.parts)
        for each in count(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))
    ]


@pytest.mark.parametrize("package", ["plugsvc", "conformance", "benchmarks"])
def test_nobody_reaches_into_another_object(package: str) -> None:
    assert _in_all(package, private_accesses) == []


def test_tests_hardly_do() -> None:
    found = _in_all("tests", private_accesses)
    assert len(found) <= TESTS_MAY, found


@pytest.mark.parametrize("package", ["plugsvc", "conformance", "benchmarks"])
def test_no_class_has_many_attributes(package: str) -> None:
    assert _in_all(package, large_classes) == []


def test_the_counts_find_what_they_look_for() -> None:
    source = """
class A:
    def f(self, other):
        other._x = self._x + other.y._z
        super()._f()
        os._exit(1)
        other._replace(a=1).__class__
""" + "".join(f"        self.a{number} = 1\n" for number in range(13))
    assert private_accesses(source, "m.py") == ["m.py:4 other._x", "m.py:4 other.y._z"]
    assert large_classes(source, "m.py") == ["m.py:2 A has 13"]
    assert large_classes(source.replace("        self.a12 = 1\n", ""), "m.py") == []
