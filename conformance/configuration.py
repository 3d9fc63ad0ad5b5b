"""The configuration of the suite: testees by name, and defaults of options."""

from __future__ import annotations

import difflib
import shlex
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

FILE, PROJECT = "conformance.toml", "pyproject.toml"
SECTION = ("tool", "plugsvc-conformance")
"""Where the configuration stands in pyproject.toml."""

Seconds = Annotated[float, Meta(ge=0.1)]
Positive = Annotated[int, Meta(ge=1)]
Level = Literal["MUST", "SHOULD", "MAY"]


class ConfigurationError(Exception):
    """The configuration cannot be used; one line with the file and, where it is known, the line."""


class TesteeConfiguration(Struct, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A testee: its command, and how it is run. Paths are relative to the folder of the file.

    `transports` are run in place of the usual ones, `skip` are patterns of cases that are left out.
    """

    command: Annotated[str, Meta(min_length=1)]
    environment: dict[str, str] = {}
    folder: str = "."
    transports: list[str] = []
    timeout: Seconds | None = None
    known_failures: str | list[str] = []
    skip: list[str] = []


class Defaults(Struct, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Defaults of options of `run`, by their names."""

    side: Literal["plugin", "host", "misuse"] | None = None
    scheme: list[str] | None = None
    bind: list[str] | None = None
    case: list[str] | None = None
    skip: list[str] | None = None
    level: Level | None = None
    strict: bool | None = None
    timeout: Seconds | None = None
    scale: Annotated[float, Meta(ge=0.001, le=100)] | None = None
    profile: Literal["quick", "default", "campaign"] | None = None
    examples: Positive | None = None
    seed: int | None = None
    max_time: Annotated[float, Meta(gt=0)] | None = None
    shards: Positive | None = None
    database: str | None = None
    regressions: list[str] | None = None
    save_regressions: str | None = None
    known_failures: list[str] | None = None
    json: str | None = None
    junit: str | None = None

    def given(self) -> dict[str, Any]:
        """The options that are given, by their names without the dashes."""
        fields = msgspec.structs.fields(type(self))
        return {field.encode_name: value for field in fields if (value := getattr(self, field.name)) is not None}


class Configuration(Struct, kw_only=True, forbid_unknown_fields=True):
    """What a file says."""

    testees: dict[str, TesteeConfiguration] = {}
    defaults: Defaults = msgspec.field(default_factory=Defaults)


@dataclass(frozen=True)
class ConfiguredTestee:
    """A testee as the configuration has it: a command that works from every folder, and its options."""

    name: str
    command: str
    transports: tuple[str, ...] = ()
    timeout: float | None = None
    known_failures: tuple[str, ...] = ()
    skips: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConfigurationFile:
    """A file, and what it says."""

    file: Path
    configuration: Configuration

    @property
    def names(self) -> list[str]:
        """The names of the testees, in their order."""
        return list(self.configuration.testees)

    def testee(self, name: str) -> ConfiguredTestee:
        """The testee of a name.

        Raises:
            ConfigurationError: there is none, or its command cannot be split.
        """
        found = self.configuration.testees.get(name)
        if found is None:
            listed = f" (it has {', '.join(self.names)})" if self.names else ""
            raise ConfigurationError(f"{self.file}: no testee {name!r}{_nearest(name, self.names)}{listed}")
        known = [found.known_failures] if isinstance(found.known_failures, str) else found.known_failures
        return ConfiguredTestee(
            name=name,
            command=self._command(name, found),
            transports=tuple(found.transports),
            timeout=found.timeout,
            known_failures=tuple(str(self.file.parent / each) for each in known),
            skips=tuple(found.skip),
        )

    def _command(self, name: str, testee: TesteeConfiguration) -> str:
        """The command, by ``env`` where it has a folder or an environment of its own: so it can be typed as it is."""
        try:
            words = shlex.split(testee.command)
        except ValueError as error:
            raise ConfigurationError(f"{self.file}: the command of {name} is not a command line: {error}") from None
        folder = (self.file.parent / testee.folder).resolve()
        if not folder.is_dir():
            raise ConfigurationError(f"{self.file}: the folder of {name}, {folder}, does not exist")
        variables = [f"{key}={value}" for key, value in testee.environment.items()]
        if words and "/" in words[0]:
            words[0] = str(folder / words[0])
        if folder != Path.cwd():
            words = ["env", "-C", str(folder), *variables, *words]
        elif variables:
            words = ["env", *variables, *words]
        return shlex.join(words)


def find(folder: Path) -> ConfigurationFile | None:
    """The configuration of a folder: that of the folder itself, or of the nearest one above it.

    Raises:
        ConfigurationError: it cannot be read, or has a wrong key or value.
    """
    for each in (folder, *folder.parents):
        for name, section in ((FILE, ()), (PROJECT, SECTION)):
            found = _read(each / name, section)
            if found is not None:
                return found
    return None


def _read(file: Path, section: tuple[str, ...]) -> ConfigurationFile | None:
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: not UTF-8: {error.reason}") from None
    if section and section[-1] not in text:
        return None
    try:
        data: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file}: not TOML: {error}") from None
    for key in section:
        data = data.get(key) if isinstance(data, dict) else None
        if data is None:
            return None
    for path, problem in problems(data):
        line = line_of(text, (*section, *path))
        raise ConfigurationError(f"{file}:{line}: {problem}" if line else f"{file}: {problem}")
    return ConfigurationFile(file, msgspec.convert(data, Configuration))


def asked(names: Sequence[str], commands: Sequence[str], found: ConfigurationFile | None) -> list[ConfiguredTestee]:
    """The testees that were asked for; a command that is the name of a configured testee means that one.

    Raises:
        ConfigurationError: a name that the configuration does not have.
    """
    if names and found is None:
        raise ConfigurationError(f"{names[0]}: there is no configuration; --testee takes a command")
    testees = [found.testee(name) for name in names] if found else []
    for command in commands:
        known = found is not None and command in found.names
        testees.append(found.testee(command) if found and known else ConfiguredTestee("", command))
    if not testees and found is not None:
        testees = [found.testee(name) for name in found.names]
    return testees


# --- what is wrong, and where ---------------------------------------------------------------------

Path_ = tuple[str, ...]


def problems(data: Any) -> Iterator[tuple[Path_, str]]:
    """What is wrong with the content of a file: the keys that lead to it, and a sentence."""
    yield from _problems_of(data, Configuration, ())


def _problems_of(data: Any, of: type[Struct], path: Path_) -> Iterator[tuple[Path_, str]]:
    where = f" of [{'.'.join(path)}]" if path else ""
    if not isinstance(data, dict):
        yield path, f"{'.'.join(path) or 'the configuration'} is not a table"
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(of)}
    for key, value in data.items():
        if key not in fields:
            yield (*path, key), f"unknown key {key!r}{where}{_nearest(key, fields)}"
        elif of is Configuration and key == "testees" and isinstance(value, dict):
            for name, testee in value.items():
                yield from _problems_of(testee, TesteeConfiguration, (*path, key, name))
        elif of is Configuration and key == "defaults":
            yield from _problems_of(value, Defaults, (*path, key))
        else:
            try:
                msgspec.convert(value, fields[key].type)
            except msgspec.ValidationError as error:
                yield (*path, key), f"{key}{where}: {error}"
    for key, field in fields.items():
        if field.required and key not in data:
            yield path, f"{key}{where} is missing"


def _nearest(key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, list(known), 1, 0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def line_of(text: str, path: Path_) -> int:
    """The line, from 1, where a key of a TOML document is written; 0 if it cannot be told.

    The parser of the standard library keeps no positions, so ever longer beginnings of the document are read, until
    one has the key.
    """
    lines = text.splitlines()
    begun = 0  # how many lines the longest beginning has that can be read
    for count in range(1, len(lines) + 1):
        try:
            data: Any = tomllib.loads("\n".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue  # in the middle of a value of several lines
        for key in path:
            data = data.get(key) if isinstance(data, dict) else None
            if data is None:
                break
        else:
            return begun + 1
        begun = count
    return 0
