"""Services and namespaces that cannot work are refused where they are added or defined."""

from __future__ import annotations

from collections.abc import Callable

from conformance.case import case
from conformance.cases.test_misuse_consumer import CARRY, ERROR, FUNCTION, NOTHING
from conformance.drive.misuse import MisuseSession

NAMESPACE = r"namespace"
UNDEFINED = (
    r"undefined|unknown|undeclared|unregistered|no such|not (yet )?\w*defined|n't defined|does ?n[o']t exist|missing"
)
NOT_THERE = rf"{UNDEFINED}|not (found|known|registered|declared|there)|never|no namespace|first define|define\w* first"
PARENT = rf"{NOT_THERE}|parent|inherit"
TWICE = r"conflict|duplicate|already|twice|exists|redefin|again|second time|taken|in use|clash|collision"


@case("MIS-05")
def test_not_callable(misuse: Callable[[str], MisuseSession]) -> None:
    """A service that is not a function."""
    misuse("add-not-callable").refused("that the service is not a function", FUNCTION)


@case("MIS-06")
def test_error_argument(misuse: Callable[[str], MisuseSession]) -> None:
    """A service that takes an error as an argument."""
    misuse("add-error-argument").refused("that an error is no argument", ERROR)


@case("MIS-07")
def test_undefined_namespace(misuse: Callable[[str], MisuseSession]) -> None:
    """A service for a namespace that was never defined."""
    misuse("add-undefined-namespace").refused("that the namespace is not defined", NAMESPACE, NOT_THERE)


@case("MIS-08")
def test_parent_namespace(misuse: Callable[[str], MisuseSession]) -> None:
    """A service for a namespace that only the parent registry defines."""
    misuse("add-parent-namespace").refused("that the namespace is not defined in this registry", NAMESPACE, PARENT)


@case("MIS-09")
def test_duplicate_service(misuse: Callable[[str], MisuseSession]) -> None:
    """The same service twice in one namespace."""
    misuse("add-duplicate-service").refused("that the service is there already", TWICE)


@case("MIS-10")
def test_duplicate_namespace(misuse: Callable[[str], MisuseSession]) -> None:
    """The same namespace twice in one registry."""
    misuse("define-duplicate-namespace").refused("that the namespace is there already", TWICE)


@case("MIS-11")
def test_unmarshalable_manifest(misuse: Callable[[str], MisuseSession]) -> None:
    """A manifest that JSON cannot carry."""
    misuse("define-unmarshalable-manifest").refused("that JSON cannot carry the manifest", CARRY)


@case("MIS-12")
def test_nil_bind(misuse: Callable[[str], MisuseSession]) -> None:
    """A bind function that is nothing."""
    misuse("bind-nil").refused("that the bind function is nothing", NOTHING)
