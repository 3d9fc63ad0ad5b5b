"""A plugin: an executable that says with `info` what it is and which commands it has."""

from __future__ import annotations

import os
import stat
from typing import Any

import msgspec

from ..errors import DiscoveryError, IncompatiblePlugin
from .context import Context
from .process import Exit, Launch, run_process

__all__ = ["INFO_OUTPUT_LIMIT", "INFO_TIMEOUT", "MANIFEST_VERSION", "Command", "Manifest", "Plugin", "new_plugin"]

MANIFEST_VERSION = 1
INFO_TIMEOUT = 10.0
INFO_OUTPUT_LIMIT = 4 * 1024 * 1024
INFO_LINGER_SECONDS = 1.0
INFO_GRACE_SECONDS = 0.5


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
    of another version.
    """
    executable = os.path.abspath(path)
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
        versioned = msgspec.json.decode(output, type=_Versioned)
    except msgspec.MsgspecError as error:
        raise DiscoveryError(f"{path}: `info` wrote no manifest: {error}{_excerpt(output)}") from error
    # The type as well: in Python, true and 1.0 equal 1.
    if type(versioned.manifest_version) is not int or versioned.manifest_version != MANIFEST_VERSION:
        raise IncompatiblePlugin(
            f"{path}: incompatible plugin: manifestVersion is {versioned.manifest_version!r}, "
            f"expected {MANIFEST_VERSION}"
        )
    try:
        return msgspec.json.decode(output, type=Manifest)
    except msgspec.MsgspecError as error:
        raise DiscoveryError(f"{path}: `info` wrote no manifest: {error}") from error


class _Versioned(msgspec.Struct, rename="camel"):
    """The one part of a manifest that can be read whatever its version is."""

    manifest_version: Any = None


def _excerpt(output: bytes) -> str:
    text = output[:60].decode("utf-8", "replace")
    return f" (it begins with {text!r})" if text else " (it wrote nothing)"


def last_line(exit: Exit) -> str:
    """Return `: ` and the last line of what a process wrote to its standard error, or nothing."""
    lines = exit.stderr.decode("utf-8", "replace").strip().splitlines()
    return f": {lines[-1].strip()}" if lines else ""
