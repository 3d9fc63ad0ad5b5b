"""Every host with every plugin over every transport that both have: does it work, and whose fault is it if not?"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.drive.capabilities import Role, Testee
from conformance.interop.talk import Step, steps
from conformance.requirements import Level, Side
from conformance.traffic.conversation import Conversation, converse
from conformance.traffic.judge import judge
from conformance.traffic.recording import RecordingError, by_connection, read

SCHEMES = {
    "devfd": "file",
    "procfs": "file",
    "fifo": "file",
    "pty": "file",
    "fd": "fd",
    "fd-pair": "fd",
    "unix": "unix",
    "unix-abstract": "unix-abstract",
    "tcp": "tcp",
    "stdio": "stdio",
    "shm": "shm",
}
"""The binds of the contract, and the scheme that a plugin needs for each."""
WORKS, FAILS_HOST, FAILS_PLUGIN = "works", "fails (host)", "fails (plugin)"
LOOK_SECONDS = 0.02
END_SECONDS = 10.0
"""How long a plugin and its host may take to end when there is nothing more to do."""
NOT_OFFERED, NOT_RUN = "not offered", "not run"


@dataclass(frozen=True)
class Cell:
    """What came of one host, one plugin and one transport; ``why`` is empty where it works."""

    host: str
    plugin: str
    transport: str
    outcome: str
    why: str = ""
    steps: int = 0
    violations: Sequence[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The cell as the JSON report has it."""
        return self.__dict__ | {"violations": list(self.violations)}


def cells(
    testees: Sequence[Testee], recorder: Sequence[str], *, timeout: float, only: Sequence[str] = ()
) -> Iterator[Cell]:
    """Run every pair over every transport, or over these only, and yield each cell when it is there."""
    hosts = [(each, role) for each in testees if (role := each.role(Side.HOST)) is not None]
    plugins = [(each, role) for each in testees if (role := each.role(Side.PLUGIN)) is not None]
    transports = [name for name in SCHEMES if any(name in role.binds for _, role in hosts)]
    transports = [name for name in transports if not only or name in only]
    for host, offers in hosts:
        for plugin, opens in plugins:
            for transport in transports:
                why = _why_not_offered(transport, offers, opens)
                if why:
                    yield Cell(host.name, plugin.name, transport, NOT_OFFERED, why)
                else:
                    yield run_pair(host, plugin, transport, recorder, timeout=timeout)


def _why_not_offered(transport: str, host: Role, plugin: Role) -> str:
    if transport not in host.binds:
        return "the host does not offer it"
    if SCHEMES[transport] not in plugin.schemes:
        return f"the plugin does not open {SCHEMES[transport]}"
    if transport == "pty" and "single-url" not in plugin.features:
        return "the plugin takes no single URL"
    if transport == "stdio" and "control-fd" not in plugin.features:
        return "the plugin cannot be driven while its standard streams are the connection"
    return ""


def run_pair(host: Testee, plugin: Testee, transport: str, recorder: Sequence[str], *, timeout: float) -> Cell:
    """Let a host run a plugin over a transport, with the recorder in between where there is one."""
    offers, opens = host.roles[Side.HOST.value], plugin.roles[Side.PLUGIN.value]
    wanted = steps(offers, opens)
    with tempfile.TemporaryDirectory(prefix="interop-") as folder:
        stage = _Stage(Path(folder), plugin, transport, recorder)
        command = [*host.argv, *offers.path, "--bind", transport, str(stage.executable)]
        try:
            status, stderr, outcomes = stage.play(command, wanted, timeout)
        except OSError as error:
            return Cell(host.name, plugin.name, transport, NOT_RUN, error.strerror or str(error))
        talk, broken = _judge(stage.recording)
    problems = _problems(wanted, outcomes)
    side, why = "", ""
    if problems:
        step, why = problems[0]
        why = f"{step.name}: {why}"
        side = _who(step, talk, broken)
    elif status != 0:
        side, why = FAILS_HOST, f"the host ended with {_status(status)} though all went well: {stderr}"
    return Cell(host.name, plugin.name, transport, side or WORKS, why, steps=len(wanted), violations=broken)


def _status(status: int | None) -> str:
    return "no status in time" if status is None else f"status {status}"


def _problems(wanted: Sequence[Step], outcomes: dict[int, dict[str, Any]]) -> list[tuple[Step, str]]:
    found = []
    for step in wanted:
        outcome = outcomes.get(step.instruction["id"])
        problem = "expected an outcome, got none in time" if outcome is None else step.problem(outcome)
        if problem is not None:
            found.append((step, problem))
    return found


def _judge(recording: Path) -> tuple[Conversation | None, list[dict[str, Any]]]:
    try:
        connections = by_connection(read(recording))
    except RecordingError:
        return None, []
    if not connections:
        return None, []
    broken = [
        each.to_json() | {"message": each.message[:200].decode("utf-8", "backslashreplace")}
        for name, events in connections.items()
        for each in judge(name, events).violations
        if each.level is Level.MUST
    ]
    return converse(list(connections.values())[-1]), broken


def _who(step: Step, talk: Conversation | None, broken: Sequence[dict[str, Any]]) -> str:
    """Whose fault it is: of who broke a requirement first; else what crossed the wire decides."""
    if broken:
        return FAILS_HOST if broken[0]["side"] == Side.HOST.value else FAILS_PLUGIN
    if talk is None:
        return FAILS_PLUGIN
    for exchange in talk.exchanges:
        fields = exchange.request.fields
        if fields.get("name") not in (step.instruction.get("name"), "") or fields.get("type") != step.instruction["op"]:
            continue
        if fields.get("namespace") != step.instruction["namespace"]:
            continue
        if not exchange.replies:
            return FAILS_HOST
        reply = exchange.replies[0].fields
        outcome = {"error": reply["error"]} if reply.get("error") is not None else {"ok": _answer(step, reply)}
        if step.instruction["op"] == "call" and fields.get("args") != step.instruction["args"]:
            continue
        return FAILS_PLUGIN if step.problem(outcome) is None else FAILS_HOST
    return FAILS_PLUGIN


def _answer(step: Step, reply: dict[str, Any]) -> Any:
    key = {"hasNamespace": "ok", "listServices": "services"}.get(step.instruction["op"], "reply")
    return reply.get(key, False if key == "ok" else None)


class _Stage:
    """The files of one pair: an executable plugin that is driven over two named pipes."""

    def __init__(self, folder: Path, plugin: Testee, transport: str, recorder: Sequence[str]) -> None:
        self.recording = folder / "recording.jsonl"
        self.executable = folder / "plugin"
        self._instructions, self._outcomes = folder / "instructions", folder / "outcomes"
        self._came = b""
        os.mkfifo(self._instructions)
        os.mkfifo(self._outcomes)
        recorded = [*recorder, "-o", str(self.recording), "--"] if recorder else []
        command = shlex.join([*recorded, *plugin.argv])
        # Some hosts start plugins with the standard streams closed, where a testee may not even start.
        errors = shlex.quote(str(folder / "errors"))
        if transport == "stdio":
            drive = f"exec 8<{shlex.quote(str(self._instructions))} 9>{shlex.quote(str(self._outcomes))} 2>{errors}\n"
            drive += f'CONFORMANCE_CONTROL=8,9 exec {command} "$@"\n'
        else:
            drive = f'exec {command} "$@" <{shlex.quote(str(self._instructions))}'
            drive += f" >{shlex.quote(str(self._outcomes))} 2>{errors}\n"
        self.executable.write_text(
            f'#!/bin/sh\nif [ "$1" = info ]; then exec {shlex.join(plugin.argv)} info; fi\n{drive}', encoding="utf-8"
        )
        self.executable.chmod(0o755)

    def play(
        self, command: Sequence[str], wanted: Sequence[Step], timeout: float
    ) -> tuple[int | None, str, dict[int, dict[str, Any]]]:
        """Run the host and give the plugin its instructions; return status, last line of stderr, and the outcomes.

        Raises:
            OSError: the host cannot be started.
        """
        deadline = time.monotonic() + timeout
        # Open both ways, so that nobody waits for the other end, and no end of file comes before it is time.
        pipe = os.open(self._instructions, os.O_RDWR | os.O_NONBLOCK)
        outcomes = os.open(self._outcomes, os.O_RDWR | os.O_NONBLOCK)
        rest = memoryview("".join(json.dumps(step.instruction) + "\n" for step in wanted).encode())
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        ) as host:
            errors: list[bytes] = []
            listener = threading.Thread(target=lambda: errors.append(host.stderr.read() if host.stderr else b""))
            listener.start()
            status: int | None = None
            while len(self._read(outcomes)) < len(wanted) and status is None and time.monotonic() < deadline:
                with suppress(BlockingIOError):
                    rest = rest[os.write(pipe, rest) :]
                with suppress(subprocess.TimeoutExpired):
                    status = host.wait(LOOK_SECONDS)
            os.close(pipe)  # the end of the instructions, at which the plugin exits
            with suppress(subprocess.TimeoutExpired):
                status = host.wait(END_SECONDS)
            with suppress(ProcessLookupError):
                os.killpg(host.pid, signal.SIGKILL)
            listener.join(END_SECONDS)
        lines = b"".join(errors).decode("utf-8", "replace").strip().splitlines()
        found = self._read(outcomes)
        os.close(outcomes)
        return status, lines[-1] if lines else "", found

    def _read(self, outcomes: int) -> dict[int, dict[str, Any]]:
        """The outcomes that have come so far, by the ids of their instructions."""
        with suppress(BlockingIOError):
            while data := os.read(outcomes, 1 << 20):
                self._came += data
        found = {}
        for line in self._came.splitlines(keepends=True):
            if line.endswith(b"\n"):
                with suppress(ValueError, KeyError, TypeError):
                    outcome = json.loads(line)
                    found[outcome["id"]] = outcome
        return found
