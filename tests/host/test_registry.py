"""What can be defined and added, and what is refused as misuse."""

from __future__ import annotations

from typing import Any

import pytest

from plugsvc.errors import ManifestError, MisuseError, RegistrationError, SignatureError
from plugsvc.host import Registry, with_bind_func


def two() -> int:
    return 2


def three() -> int:
    return 3


def services_of(registry: Registry, namespace: str) -> list[str]:
    found = registry.find(namespace)
    assert found is not None
    return list(found.services)


def test_a_manifest_is_encoded_when_it_is_defined() -> None:
    registry = Registry()
    manifest = {"list": [1]}
    registry.define("n", manifest)
    manifest["list"].append(2)
    found = registry.find("n")
    assert found is not None
    assert found.manifest == b'{"list":[1]}'


@pytest.mark.parametrize(
    ("manifest", "encoded"),
    [(None, b"null"), ({}, b"{}"), ([1, "ä"], '[1,"ä"]'.encode()), ("x", b'"x"'), (True, b"true")],
)
def test_any_json_is_a_manifest(manifest: Any, encoded: bytes) -> None:
    registry = Registry()
    registry.define("n", manifest)
    found = registry.find("n")
    assert found is not None
    assert found.manifest == encoded


@pytest.mark.parametrize("manifest", [object(), {"a": [object()]}, float("nan"), {"a": lambda: 1}])
def test_a_manifest_that_json_cannot_carry_is_refused(manifest: Any) -> None:
    registry = Registry()
    with pytest.raises(ManifestError, match="namespace 'n': JSON cannot carry its manifest"):
        registry.define("n", manifest)
    assert registry.find("n") is None


def test_a_namespace_is_defined_once() -> None:
    registry = Registry()
    registry.define("n", 1)
    with pytest.raises(RegistrationError, match="namespace 'n' is defined already"):
        registry.define("n", 2)


def test_a_namespace_is_a_string() -> None:
    with pytest.raises(RegistrationError, match="a namespace is a string, not 5"):
        Registry().define(5)  # type: ignore[arg-type]


def test_a_service_is_added_once() -> None:
    registry = Registry()
    registry.define("n")
    registry.add_service("n", "s", two)
    with pytest.raises(RegistrationError, match="service 'n/s' was added already"):
        registry.add_service("n", "s", three)


def test_a_service_needs_its_namespace() -> None:
    with pytest.raises(RegistrationError, match=r"service 'n/s': namespace 'n' is not defined$"):
        Registry().add_service("n", "s", two)


def test_a_namespace_of_the_parent_is_not_enough() -> None:
    parent = Registry()
    parent.define("n")
    with pytest.raises(RegistrationError, match="namespace 'n' is not defined in this registry, only in one that"):
        parent.inherit().add_service("n", "s", two)


@pytest.mark.parametrize("function", [None, 42, "text", object()])
def test_only_functions_are_services(function: Any) -> None:
    registry = Registry()
    registry.define("n")
    with pytest.raises(SignatureError, match="n/s"):
        registry.add_service("n", "s", function)


def test_every_refusal_is_misuse() -> None:
    for kind in (RegistrationError, SignatureError, ManifestError):
        assert issubclass(kind, MisuseError)


def test_layers_hide_whole_namespaces() -> None:
    parent = Registry()
    for name in ("shared", "parent"):
        parent.define(name, name)
        parent.add_service(name, "two", two)
    child = parent.inherit()
    child.define("shared", "child")
    child.add_service("shared", "three", three)

    assert services_of(child, "shared") == ["three"]
    assert services_of(child, "parent") == ["two"]
    assert services_of(parent, "shared") == ["two"]
    assert child.find("missing") is None


def test_what_a_parent_gets_later_is_there() -> None:
    parent = Registry()
    grandchild = parent.inherit().inherit()
    parent.define("late")
    assert grandchild.find("late") is not None


def test_the_decorator_leaves_the_function_alone() -> None:
    registry = Registry()
    registry.define("n")

    @registry.service("n")
    def four() -> int:
        return 4

    registry.service("n", "other")(two)
    assert four() == 4
    assert services_of(registry, "n") == ["four", "other"]


def test_services_add_themselves() -> None:
    class Numbers:
        def add_to(self, registry: Registry) -> None:
            registry.define("numbers")
            registry.add_service("numbers", "two", two)

    registry = Registry()
    registry.add_services(Numbers())
    assert services_of(registry, "numbers") == ["two"]


def test_what_cannot_add_itself_is_refused() -> None:
    with pytest.raises(RegistrationError, match="has no method add_to"):
        Registry().add_services(object())  # type: ignore[arg-type]


@pytest.mark.parametrize("how", [None, 5, lambda: None])
def test_a_bind_is_a_bind(how: Any) -> None:
    with pytest.raises(RegistrationError, match="which is not a bind; for a function use with_bind_func"):
        Registry().bind(how)


def test_an_unknown_bind_is_refused() -> None:
    with pytest.raises(RegistrationError, match="unknown bind 'zz'; there are devfd, procfs, fifo, pty"):
        Registry().bind("zz")


def test_one_bind_at_a_time() -> None:
    with pytest.raises(RegistrationError, match="bound in one way at a time, not in 2"):
        Registry().bind("fifo", "pty")


def test_a_bind_function_is_a_function() -> None:
    with pytest.raises(RegistrationError, match="the bind function is None, which cannot be called"):
        with_bind_func(None)  # type: ignore[arg-type]
