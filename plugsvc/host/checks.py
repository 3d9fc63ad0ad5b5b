"""Check the values of options when they are given; each error is one line that names the option."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from ..errors import RegistrationError

__all__ = [
    "MOST_SECONDS",
    "check_args",
    "check_count",
    "check_environment",
    "check_fds",
    "check_file",
    "check_flag",
    "check_folder",
    "check_function",
    "check_functions",
    "check_instance",
    "check_output",
    "check_path",
    "check_seconds",
    "not_an_argument",
    "optional",
]

T = TypeVar("T")
V = TypeVar("V")

MOST_SECONDS = 1e9
"""The longest time-out, about 30 years; more than that is what some system calls cannot count."""


def optional(check: Callable[[str, Any], V]) -> Callable[[str, Any], V | None]:
    """Return a check that accepts None as well."""
    return lambda name, value: None if value is None else check(name, value)


def check_seconds(name: str, value: Any) -> float:
    """Return a number of seconds. Raises `RegistrationError`."""
    # `not <=` is true for NaN.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_SECONDS:
        raise RegistrationError(f"{name} must be a number of seconds from 0 to {MOST_SECONDS:.0e}, not {value!r}")
    return float(value)


def check_count(name: str, value: Any) -> int:
    """Return a whole number of at least 1. Raises `RegistrationError`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise RegistrationError(f"{name} must be a whole number, not {value!r}")
    if value < 1:
        raise RegistrationError(f"{name} must be at least 1, not {value!r}")
    return value


def check_flag(name: str, value: Any) -> bool:
    """Return True or False. Raises `RegistrationError`."""
    if not isinstance(value, bool):
        raise RegistrationError(f"{name} must be True or False, not {value!r}")
    return value


def check_instance(*types: type) -> Callable[[str, Any], Any]:
    """Return a check that a value is of one of these types."""

    def check(name: str, value: Any) -> Any:
        if not isinstance(value, types):
            raise RegistrationError(f"{name} must be a {' or '.join(each.__name__ for each in types)}, not {value!r}")
        return value

    return check


def check_function(name: str, value: Any) -> Any:
    """Return what can be called. Raises `RegistrationError`."""
    if not callable(value):
        raise RegistrationError(f"{name} must be a function, not {value!r}")
    return value


def check_functions(name: str, value: Any) -> tuple[Any, ...]:
    """Return several functions. Raises `RegistrationError`."""
    return tuple(check_function(f"each of {name}", each) for each in _several(name, value, "functions"))


def check_args(name: str, value: Any) -> tuple[str, ...]:
    """Return arguments of a program. Raises `RegistrationError`."""
    return tuple(_argument(f"{name}[{i}]", each) for i, each in enumerate(_several(name, value, "strings")))


def check_fds(name: str, value: Any) -> tuple[int, ...]:
    """Return descriptors that are open. Raises `RegistrationError`."""
    return tuple(_fd(f"each of {name}", each) for each in _several(name, value, "descriptors"))


def check_environment(name: str, value: Any) -> dict[str, str]:
    """Return a copy of an environment. Raises `RegistrationError`."""
    if not isinstance(value, Mapping):
        raise RegistrationError(f"{name} must be a mapping of strings to strings, not {value!r}")
    for key, text in value.items():
        _argument(f"a key of {name}", key)
        if not key or "=" in key:
            raise RegistrationError(f"{name} has the key {key!r}, which cannot be the name of a variable")
        _argument(f"{name}[{key!r}]", text)
    return dict(value)


def check_path(name: str, value: Any) -> str:
    """Return a path as a string. Raises `RegistrationError`."""
    if isinstance(value, bytes) or not isinstance(value, str | os.PathLike):
        raise RegistrationError(f"{name} must be a path, not {value!r}")
    text = os.fspath(value)
    if isinstance(text, bytes):
        raise RegistrationError(f"{name} must be a path of str, not of bytes: {value!r}")
    if (reason := not_an_argument(text)) is not None:
        raise RegistrationError(f"{name} cannot be the path {text!r}: it {reason}")
    return text


def check_folder(name: str, value: Any) -> str:
    """Return the path of a folder that is there. Raises `RegistrationError`."""
    path = check_path(name, value)
    if not os.path.isdir(path):
        what = "is not a folder" if os.path.exists(path) else "does not exist"
        raise RegistrationError(f"{name} must be a folder, but {path!r} {what}")
    return path


def check_file(name: str, value: Any) -> Any:
    """Return an open file or descriptor. Raises `RegistrationError`."""
    if isinstance(value, int):
        return _fd(name, value)
    try:
        fd = value.fileno()
    except Exception as error:  # whatever a foreign object raises
        raise RegistrationError(f"{name} must be a descriptor or a file that has one, not {value!r}") from error
    _fd(name, fd)
    return value


def check_output(name: str, value: Any) -> Any:
    """Return a target of output. Raises `RegistrationError`."""
    if isinstance(value, str):
        if value not in ("capture", "inherit"):
            raise RegistrationError(f"{name} must be 'capture', 'inherit', a file or a descriptor, not {value!r}")
        return value
    return check_file(name, value)


def not_an_argument(text: str) -> str | None:
    """Return why a text cannot be passed to a program, None when it can."""
    if "\0" in text:
        return "has a null character"
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return "has a character that the file system's encoding cannot carry"
    return None


def _argument(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise RegistrationError(f"{name} must be a string, not {value!r}")
    if (reason := not_an_argument(value)) is not None:
        raise RegistrationError(f"{name} cannot be {value!r}: it {reason}")
    return value


def _fd(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise RegistrationError(f"{name} must be a descriptor, not {value!r}")
    try:
        os.fstat(value)
    except (OSError, OverflowError) as error:
        raise RegistrationError(f"{name} must be an open descriptor, not {value!r}") from error
    return value


def _several(name: str, value: Any, what: str) -> Iterable[Any]:
    # A string is iterable, too, and almost certainly not meant letter by letter.
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise RegistrationError(f"{name} must be an iterable of {what}, not {value!r}")
    return value
