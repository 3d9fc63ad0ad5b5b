"""What a testee says of itself: ``TESTEE info``, read and checked."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from dataclasses import asdict, dataclass, field
from typing import Any

from conformance.drive.process import describe_status
from conformance.drive.programs import LIMIT, run_program, why_not_started, wrong_first_line
from conformance.oracle import strict
from conformance.oracle.values import Type
from conformance.requirements import Side

CONTRACT = 1
KINDS = {
    "conformance-plugin": Side.PLUGIN,
    "conformance-host": Side.HOST,
    "conformance-panic": Side.MISUSE,
}


class TesteeError(Exception):
    """The testee cannot be run, or does not keep the contract; one line."""


@dataclass(frozen=True)
class Role:
    """One command of the contract that a testee implements."""

    path: tuple[str, ...]
    schemes: tuple[str, ...] = ()
    binds: tuple[str, ...] = ()
    types: tuple[Any, ...] = ()
    features: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def takes(self, of: Type) -> bool:
        """Whether the type can be put into a signature of this testee."""
        if isinstance(of, dict):
            ((_, inner),) = of.items()
            return self.typed and self.takes(inner)
        return of in self.types

    @property
    def typed(self) -> bool:
        """Whether signatures have types at all; an untyped testee knows only ``any``."""
        return any(name != "any" for name in self.types)


@dataclass(frozen=True)
class Testee:
    """An implementation under test: how it is started, and what it says that it can do."""

    __test__ = False  # not a test class, whatever its name begins with

    name: str
    argv: tuple[str, ...]
    manifest: dict[str, Any] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)

    def role(self, side: Side) -> Role | None:
        """The command for a side, or None."""
        return self.roles.get(side.value)

    @property
    def command(self) -> str:
        """The command line as one would type it."""
        return shlex.join(self.argv)

    def to_json(self) -> dict[str, Any]:
        """As it stands in the JSON report, and as it travels to the workers of a parallel run."""
        return {
            "name": self.name,
            "command": self.command,
            "manifest": self.manifest,
            "capabilities": {side: asdict(role) for side, role in self.roles.items()},
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Testee:
        """The inverse of `to_json`."""
        roles = {
            side: Role(**{key: tuple(value) for key, value in role.items()})
            for side, role in data["capabilities"].items()
        }
        return cls(data["name"], tuple(shlex.split(data["command"])), data["manifest"], roles)


def load(command: str, *, timeout: float = 30.0) -> Testee:
    """Run ``COMMAND info`` and read what the testee says of itself.

    Raises:
        TesteeError: it cannot be started, does not end within ``timeout`` seconds, fails, or its manifest is not one
            of the contract's version 1.
    """
    argv = _split(command)
    output = _run_info(argv, timeout)
    try:
        manifest = strict.loads(output)
    except strict.NotStrict as error:
        raise TesteeError(f"{command}: `info` printed no JSON object: {error}: {output[:80]!r}") from None
    if not isinstance(manifest, dict):
        raise TesteeError(f"{command}: `info` printed {type(manifest).__name__}, not an object")
    if manifest.get("manifestVersion") != 1:
        raise TesteeError(f"{command}: manifestVersion is {manifest.get('manifestVersion')!r}, expected 1")
    roles = _roles(command, manifest.get("commands"))
    name = manifest.get("name")
    if not isinstance(name, str) or not name:
        raise TesteeError(f"{command}: the manifest has no name")
    kept = {key: manifest.get(key) for key in ("name", "version", "author", "description")}
    return Testee(name, argv, kept, roles)


def _split(command: str) -> tuple[str, ...]:
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise TesteeError(f"{command}: not a command line: {error}") from None
    if not argv:
        raise TesteeError("the testee's command is empty")
    if os.sep not in argv[0]:
        found = shutil.which(argv[0])
        if found is None:
            raise TesteeError(f"{argv[0]}: no such program on PATH")
        return (found, *argv[1:])
    if not os.path.exists(argv[0]):
        raise TesteeError(f"{argv[0]}: no such file")
    if not os.path.isfile(argv[0]) or not os.access(argv[0], os.X_OK):
        raise TesteeError(f"{argv[0]}: not an executable file")
    return (os.path.abspath(argv[0]), *argv[1:])


def _run_info(argv: tuple[str, ...], timeout: float) -> bytes:
    command = shlex.join(argv)
    try:
        done = run_program([*argv, "info"], timeout=timeout)
    except OSError as error:
        raise TesteeError(f"{command}: cannot be started: {why_not_started(argv[0], error)}") from None
    if done.too_much:
        raise TesteeError(f"{command}: `info` printed more than {LIMIT >> 20} MiB")
    if done.status is None:
        raise TesteeError(f"{command}: `info` did not end within {timeout:g} s")
    if done.status != 0:
        lines = done.stderr.strip().splitlines() or ["nothing on standard error"]
        why = wrong_first_line(argv[0]) or lines[-1][:300]
        raise TesteeError(f"{command}: `info` ended with {describe_status(done.status)}: {why}")
    return done.stdout


def _roles(command: str, commands: Any) -> dict[str, Role]:
    if not isinstance(commands, list):
        raise TesteeError(f"{command}: the manifest's commands are not a list")
    roles: dict[str, Role] = {}
    for row in commands:
        if not isinstance(row, dict) or row.get("type") not in KINDS:
            continue  # a plugin may have further commands; they are none of ours
        side, path, data = KINDS[row["type"]], row.get("path"), row.get("data")
        if not isinstance(path, list) or not all(isinstance(word, str) for word in path):
            raise TesteeError(f"{command}: the path of {row['type']} is {json.dumps(path)}, expected a list of strings")
        if not isinstance(data, dict) or data.get("contract") != CONTRACT:
            contract = data.get("contract") if isinstance(data, dict) else None
            raise TesteeError(f"{command}: {row['type']} keeps contract {contract!r}, expected {CONTRACT}")
        lists = {key: data.get(key, []) for key in ("schemes", "binds", "types", "features", "kinds")}
        for key, value in lists.items():
            if not isinstance(value, list):
                raise TesteeError(f"{command}: {key} of {row['type']} is not a list")
        roles[side.value] = Role(tuple(path), **{key: tuple(value) for key, value in lists.items()})
    if not roles:
        raise TesteeError(f"{command}: the manifest has no command of the contract ({', '.join(KINDS)})")
    return roles
