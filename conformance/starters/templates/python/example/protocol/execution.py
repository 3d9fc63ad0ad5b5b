"""A host runs a plugin: discovery, start, services, end."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable
from typing import Any

import exactjson
from protocol.client import MisuseError
from protocol.offers import Offer
from protocol.registry import Registry
from protocol.server import Server

INFO_SECONDS = 20.0
DRAIN_SECONDS = 2.0  # to read what a plugin has left behind
END_SECONDS = 5.0  # for a plugin to end after its connection was ended


class PluginFailure(Exception):
    """The plugin could not be run, or did not end well; one line."""


def discover(plugin: str, kind: str) -> list[str]:
    """The path of the plugin's command of a type, by its `info`; raises PluginFailure."""
    with tempfile.TemporaryFile() as output:  # a file: a process that the plugin leaves behind cannot hold it open
        process = _start([plugin, "info"], stdout=output)
        try:
            status = process.wait(INFO_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise PluginFailure(f"{plugin} info: did not end within {INFO_SECONDS:g} seconds") from None
        if status != 0:
            raise PluginFailure(f"{plugin} info: {describe(status)}")
        output.seek(0)
        printed = output.read()
    try:
        manifest = exactjson.loads(printed.decode("utf-8", "replace"))
    except ValueError as error:
        raise PluginFailure(f"{plugin} info: no manifest was printed: {error}") from None
    return _path(plugin, manifest, kind)


def _path(plugin: str, manifest: Any, kind: str) -> list[str]:
    if not isinstance(manifest, dict):
        raise PluginFailure(f"{plugin} info: the manifest is no object")
    version, commands = manifest.get("manifestVersion"), manifest.get("commands")
    if version != 1 or isinstance(version, bool):
        raise PluginFailure(f"{plugin} info: manifestVersion is {version!r}, expected 1")
    if not isinstance(commands, list):
        raise PluginFailure(f"{plugin} info: the manifest has no commands")
    for command in commands:
        path = command.get("path") if isinstance(command, dict) else None
        if not isinstance(path, list) or not all(isinstance(word, str) for word in path):
            raise PluginFailure(f"{plugin} info: a command has no path")
        if command.get("type") == kind:
            return path
    raise PluginFailure(f"{plugin} info: there is no command of the type {kind}")


class Bound:
    """A registry, and the way in which it is offered."""

    def __init__(self, registry: Registry, bind: Callable[[], Offer]) -> None:
        if not callable(bind):
            raise MisuseError(f"the bind function is {bind!r}, expected a function")
        self._registry = registry
        self._bind = bind

    def execute(self, words: list[str], args: list[str]) -> None:
        """Run a plugin's command and wait for it; raises PluginFailure."""
        offer = self._bind()
        try:
            flags = [word for url in offer.urls for word in ("--host", url)]
            process = _start([*words, *flags, *args], pass_fds=offer.inherited)
            offer.started()
            try:
                self._attend(process, offer)
            finally:
                process.kill()
        finally:
            offer.plugin_gone()

    def _attend(self, process: subprocess.Popen[bytes], offer: Offer) -> None:
        servers: list[Server] = []
        connecting = threading.Thread(target=self._serve, args=(process, offer, servers), daemon=True)
        connecting.start()
        status = process.wait()
        offer.plugin_gone()
        connecting.join(DRAIN_SECONDS)
        report = [] if status == 0 else [f"the plugin {describe(status)}"]
        for server in servers:
            server.plugin_gone()
            server.read_all.wait(DRAIN_SECONDS)
            report += [server.problem] if server.problem is not None else []
        if report:
            raise PluginFailure("; ".join(report))

    def _serve(self, process: subprocess.Popen[bytes], offer: Offer, servers: list[Server]) -> None:
        connection = offer.connect()
        if connection is None:
            return
        server = Server(self._registry, connection)
        servers.append(server)
        threading.Thread(target=_end_after_problem, args=(process, server), daemon=True).start()


def _end_after_problem(process: subprocess.Popen[bytes], server: Server) -> None:
    """A plugin whose connection was ended for a malformed request should end; it is not waited for without limit."""
    server.read_all.wait()
    if server.problem is not None:
        timer = threading.Timer(END_SECONDS, process.kill)
        timer.daemon = True
        timer.start()


def _start(words: list[str], stdout: Any = subprocess.DEVNULL, pass_fds: tuple[int, ...] = ()) -> Any:
    try:
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=stdout, pass_fds=pass_fds)
    except (OSError, ValueError) as error:
        raise PluginFailure(f"{words[0]}: cannot be started: {error}") from None


def describe(status: int) -> str:
    """How a process ended."""
    if status >= 0:
        return f"exited with status {status}"
    return f"was killed by {signal.Signals(-status).name}"
