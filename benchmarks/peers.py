"""Whom calls are measured with: a row for each, and how it is started."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.prepare import PROGRAMS, ROOT, go_program, launcher, python_with

__all__ = ["BINDS", "PEERS", "Peer"]

BINDS = ("devfd", "procfs", "fifo", "pty", "fd", "fd-pair", "unix", "unix-abstract", "tcp", "stdio", "shm")
"""Every way in which a plugsvc host offers a connection; the first is the default."""

Command = Sequence[str | Path]


@dataclass(frozen=True)
class Peer:
    """One peer.

    `prepare` returns the command, to which the path of the control socket is added; it raises `Unprepared`. `env` is
    added to the environment. `cpus`: those that its processes may use, all by default. `groups`: what it is part of.
    """

    name: str
    title: str
    prepare: Callable[[], Command]
    groups: frozenset[str]
    env: dict[str, str] = field(default_factory=dict)
    cpus: frozenset[int] | None = None


def _python(program: str) -> Callable[[], Command]:
    return lambda: [sys.executable, PROGRAMS / program]


def _package(name: str) -> Callable[[], Command]:
    return lambda: [python_with(PROGRAMS.parent / "requirements" / f"{name}.txt"), PROGRAMS / f"{name}_peer.py"]


def _go_host(plugin: Callable[[], Path]) -> Callable[[], Command]:
    return lambda: [go_program(), "host", plugin()]


def _plugsvc_plugin() -> Path:
    return launcher("plugsvc", sys.executable, PROGRAMS / "plugsvc_plugin.py")


def _veinmind_plugin() -> Path:
    python = python_with(ROOT / "fixtures" / "testees" / "veinmind" / "requirements.txt")
    return launcher("veinmind-plugin", python, PROGRAMS / "veinmind_plugin.py")


def _plugsvc_host(bind: str, plugin: Callable[[], Path] = _plugsvc_plugin) -> Callable[[], Command]:
    return lambda: [sys.executable, PROGRAMS / "plugsvc_host.py", plugin(), bind]


_MAIN = frozenset({"main"})
_BASIC = frozenset({"main", "basic"})
_ONE_CPU = frozenset({0})
_NEVER_LOOK = {"BENCHMARKS_NEVER_LOOK": "1"}

PEERS: tuple[Peer, ...] = (
    Peer("pipes", "bare blocking ping-pong over pipes", _python("pipes_peer.py"), _BASIC | {"sizes"}),
    Peer("multiprocessing", "multiprocessing.Connection", _python("multiprocessing_peer.py"), _BASIC),
    Peer("rpyc", "rpyc, Unix socket", _package("rpyc"), _MAIN),
    Peer("pyro", "Pyro5, Unix socket", _package("pyro"), _MAIN),
    Peer("grpc", "grpcio, Unix socket", _package("grpc"), _MAIN),
    Peer("jsonrpc", "python-lsp-jsonrpc, standard streams", _package("jsonrpc"), _MAIN),
    Peer("go", "Go package, both sides", _go_host(go_program), _MAIN | {"sizes", "slow"}),
    Peer("veinmind", "veinmind on the Go host", _go_host(_veinmind_plugin), _MAIN),
    Peer("plugsvc", "plugsvc, both sides", _plugsvc_host(BINDS[0]), _BASIC | {"openers", "sizes", "slow"}),
    Peer("plugsvc-go", "plugsvc on the Go host", _go_host(_plugsvc_plugin), frozenset({"mixed"})),
    Peer("go-plugsvc", "Go plugin on the plugsvc host", _plugsvc_host(BINDS[0], go_program), frozenset({"mixed"})),
    *(Peer(f"plugsvc-{bind}", f"plugsvc, {bind}", _plugsvc_host(bind), frozenset({"openers"})) for bind in BINDS[1:]),
    Peer("pieces", "plugsvc, in pieces of 64 KiB", _plugsvc_host("pieces"), frozenset({"sizes"})),
    Peer("one", "plugsvc, on one CPU", _plugsvc_host(BINDS[0]), frozenset({"one"}), cpus=_ONE_CPU),
    Peer(
        "one-never", "plugsvc, on one CPU, never looking before it sleeps", _plugsvc_host(BINDS[0]),
        frozenset({"one"}), _NEVER_LOOK, _ONE_CPU,
    ),
    Peer("go-one", "Go package, on one CPU", _go_host(go_program), frozenset({"one"}), cpus=_ONE_CPU),
    Peer("never", "plugsvc, never looking before it sleeps", _plugsvc_host(BINDS[0]), frozenset({"one"}), _NEVER_LOOK),
)  # fmt: skip
