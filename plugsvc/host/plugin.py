"""Ask an executable with `info` what it is and which commands it has."""

from __future__ import annotations

import os
import stat
from typing import Any, TypeVar

import msgspec

from ..errors import DiscoveryError, IncompatiblePlugin
from ..jsontext import Malformed, Scanner, provably_shallow
from .checks import check_count, check_path, check_seconds, not_an_argument
from .context import Context
from .printable import printable
from .process import Exit, Launch, run_process

__all__ = [
    "INFO_OUTPUT_LIMIT",
    "INFO_TIMEOUT",
    "MANIFEST_VERSION",
    "Command",
    "Manifest",
    "Plugin",
    "new_plugin",
    "not_an_argument",
]

MANIFEST_VERSION = 1
MAX_DEPTH = 100
"""How deep the values of a manifest may be nested."""
INFO_TIMEOUT = 10.0
INFO_OUTPUT_LIMIT = 4 * 1024 * 1024
INFO_LINGER_SECONDS = 1.0
INFO_GRACE_SECONDS = 0.5


M = TypeVar("M")


class Command(msgspec.Struct, frozen=True):
    """One command of a plugin: what to put on its command line, what kind it is, and what else it says about
    itself.
    """

    path: tuple[str, ...] = ()
    type: str = ""
    data: Any = None


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """What a plugin says about itself."""

    manifest_version: int = 0
    name: str = ""
    version: str = ""
    author: str = ""
    description: str = ""
    tags: tuple[str, ...] | None = ()
    commands: tuple[Command, ...] | None = ()


class Plugin(msgspec.Struct, frozen=True):
    """A plugin that was discovered. `path` is its executable, absolute."""

    path: str
    manifest: Manifest

    @property
    def name(self) -> str:
        """The plugin's name, from its manifest, or that of its file."""
        return self.manifest.name or os.path.basename(self.path)

    @property
    def commands(self) -> tuple[Command, ...]:
        """The commands that it has."""
        return self.manifest.commands or ()

    def find(self, type: str) -> Command | None:
        """Return its first command of that type, or None."""
        return next((each for each in self.commands if each.type == type), None)


def new_plugin(
    path: str | os.PathLike[str],
    *,
    timeout: float = INFO_TIMEOUT,
    output_limit: int = INFO_OUTPUT_LIMIT,
    context: Context | None = None,
) -> Plugin:
    """Ask the executable at `path` for its manifest.

    `info` may take `timeout` seconds and write `output_limit` bytes; its output is read to the end.

    Raises `DiscoveryError`, whose text names the file and the reason, and `IncompatiblePlugin` for a manifest
    of another version. Raises `RegistrationError` for arguments that make no sense.
    """
    timeout, output_limit = check_seconds("timeout", timeout), check_count("output_limit", output_limit)
    executable = absolute_path(check_path("path", path))
    _check_executable(executable)
    limits = Context(timeout, parent=context)
    launch = Launch((executable, "info"))
    try:
        exit = run_process(
            launch, limits, grace=INFO_GRACE_SECONDS, output_limit=output_limit, linger=INFO_LINGER_SECONDS
        )
    except OSError as error:
        raise DiscoveryError(f"{executable}: cannot be started: {error.strerror or error}") from error
    if exit.stopped is not None:
        raise DiscoveryError(f"{executable}: `info` was stopped: {exit.stopped}")
    if exit.status != 0:
        raise DiscoveryError(f"{executable}: `info` {exit.describe()}{last_line(exit)}")
    return Plugin(executable, _parse(executable, exit.stdout))


def absolute_path(path: str) -> str:
    """Return the absolute path. Raises `DiscoveryError` when there is no working folder any more."""
    try:
        return os.path.abspath(path)
    except OSError as error:
        raise DiscoveryError(f"{path}: the current working folder is gone: {error.strerror or error}") from error


def _check_executable(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise DiscoveryError(f"{path}: {error.strerror or error}") from error
    if not stat.S_ISREG(mode):
        raise DiscoveryError(f"{path}: not a file")
    if not os.access(path, os.X_OK):
        raise DiscoveryError(f"{path}: not executable")


def _parse(path: str, output: bytes) -> Manifest:
    try:
        output.decode()  # msgspec does not look into what it skips
    except UnicodeDecodeError as error:
        raise DiscoveryError(f"{path}: `info` wrote no manifest: {error}{_excerpt(output)}") from error
    if not provably_shallow(output, MAX_DEPTH):
        # Before it is decoded: msgspec recurses, and the stack of this thread may be small.
        try:
            Scanner(MAX_DEPTH, any_value=True).scan(output, 0)
        except Malformed as error:
            raise DiscoveryError(
                f"{path}: `info` wrote no manifest: {error.reason}, at byte {error.position}{_excerpt(output)}"
            ) from error
    version = _decode(path, output, _Versioned).manifest_version
    # The type as well: in Python, true and 1.0 equal 1.
    if type(version) is not int or version != MANIFEST_VERSION:
        raise IncompatiblePlugin(
            f"{path}: incompatible plugin: manifestVersion is {printable(repr(version), 60)},"
            f" expected {MANIFEST_VERSION}"
        )
    manifest = _decode(path, output, Manifest)
    for command in manifest.commands or ():
        for word in command.path:
            if (reason := not_an_argument(word)) is not None:
                raise DiscoveryError(f"{path}: `info` wrote a command that cannot be executed: {word!r} {reason}")
    return manifest


def _decode(path: str, output: bytes, type: type[M]) -> M:
    try:
        return msgspec.json.decode(output, type=type)
    except msgspec.MsgspecError as error:
        raise DiscoveryError(f"{path}: `info` wrote no manifest: {error}{_excerpt(output)}") from error


class _Versioned(msgspec.Struct, rename="camel"):
    """The one part of a manifest that can be read whatever its version is."""

    manifest_version: Any = None


def _excerpt(output: bytes) -> str:
    text = output[:60].decode("utf-8", "replace")
    return f" (it begins with {text!r})" if text else " (it wrote nothing)"


def last_line(exit: Exit) -> str:
    """Return `: ` and the last line of what a process wrote to its standard error, or nothing."""
    lines = exit.stderr.decode("utf-8", "replace").strip().splitlines()
    return f": {printable(lines[-1].strip())}" if lines else ""
