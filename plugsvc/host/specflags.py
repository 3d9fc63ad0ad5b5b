"""Parse flags for particular plugins: `name[:commandPath].flag[=value]`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ..errors import RegistrationError
from .checks import check_args
from .plugin import Command, Plugin

__all__ = ["SpecFlag", "parse_spec_flag", "parse_spec_flags", "spec_args"]


class SpecFlag(NamedTuple):
    """One flag: for the plugin `name`, for its command `path` (None: for all), with a value or without
    (None).
    """

    name: str
    path: tuple[str, ...] | None
    flag: str
    value: str | None

    def matches(self, plugin: Plugin, command: Command) -> bool:
        """Whether this flag is for that command."""
        return self.name == plugin.name and (self.path is None or self.path == command.path)

    def args(self) -> list[str]:
        """Return the flag as it is put on the command line: `-f` for one letter, `--flag` for more."""
        written = ("-" if len(self.flag) == 1 else "--") + self.flag
        return [written] if self.value is None else [written, self.value]


def parse_spec_flag(text: str) -> SpecFlag:
    """Parse `name[:commandPath].flag[=value]`; the parts of a command path are separated by `/`.

    The last dot before the first `=` separates the flag, so a plugin's name may have dots. Raises
    `RegistrationError`.
    """
    key, equals, value = text.partition("=")
    target, dot, flag = key.rpartition(".")
    name, colon, path = target.partition(":")
    if not (dot and name and flag) or (colon and not path):
        raise RegistrationError(f"{text!r} is not a flag of the form name[:commandPath].flag[=value]")
    return SpecFlag(name, tuple(path.strip("/").split("/")) if colon else None, flag, value if equals else None)


def parse_spec_flags(name: str, texts: Any) -> tuple[SpecFlag, ...]:
    """Parse the flags of the option `name`. Raises `RegistrationError`."""
    return tuple(parse_spec_flag(text) for text in check_args(name, texts))


def spec_args(flags: Iterable[SpecFlag], plugin: Plugin, command: Command) -> list[str]:
    """Return the arguments that these flags make for one command of a plugin."""
    return [arg for flag in flags if flag.matches(plugin, command) for arg in flag.args()]
