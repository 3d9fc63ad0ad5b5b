"""Consumers that cannot work are refused where they are made, not at their first call."""

from __future__ import annotations

from collections.abc import Callable

from conformance.case import case
from conformance.drive.misuse import MisuseSession

FUNCTION = r"callable|function|\bfunc\b|prototype|method|closure|procedure|signature"
NOTHING = rf"\b(nil|null|none|undefined)\b|NoneType|nothing|missing|absent|required|{FUNCTION}"
ERROR = r"\berrors?\b|exception|throw|result type"
CARRY = r"json|marshal|serial|encod|convert|carr|unsupported|not supported|annotation|schema|\btypes?\b"


@case("MIS-01")
def test_not_callable(misuse: Callable[[str], MisuseSession]) -> None:
    """The target is not a function."""
    misuse("get-not-callable").refused("that the target is not a function", FUNCTION)


@case("MIS-02")
def test_nil(misuse: Callable[[str], MisuseSession]) -> None:
    """The target is nothing."""
    misuse("get-nil").refused("that the target is nothing", NOTHING)


@case("MIS-03")
def test_no_error(misuse: Callable[[str], MisuseSession]) -> None:
    """The consumer has no way to receive an error."""
    misuse("get-no-error").refused("that an error cannot be received", ERROR)


@case("MIS-04")
def test_unmarshalable(misuse: Callable[[str], MisuseSession]) -> None:
    """The consumer has a type that JSON cannot carry."""
    misuse("get-unmarshalable").refused("that JSON cannot carry a type", CARRY)
