"""The socket by which the suite controls its stub plugin: reports, descriptors and orders."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from conformance.drive import stub_plugin
from conformance.drive.pump import Pump


class ControlSocket:
    """A socket in a private folder, with the stub plugin's executable beside it.

    ``hellos`` are the reports of every start of the stub plugin (its ``info`` reports itself only where a case says
    how it behaves), ``answers`` what it says afterwards, ``fds`` the descriptors that it handed over and nobody has
    taken yet.
    """

    def __init__(self, pump: Pump, config: dict[str, Any]) -> None:
        self._pump = pump
        self.folder = tempfile.mkdtemp(prefix="conformance-")
        self.hellos: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        self.fds: list[int] = []
        self._socks: list[socket.socket] = []
        self._run: socket.socket | None = None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._listener.bind(f"{self.folder}/stub_plugin.sock")
            self._listener.listen(8)
            self._pump.watch(self._listener.fileno(), self._accept)
            self.executable = self._write_stub_plugin({"control_socket": f"{self.folder}/stub_plugin.sock", **config})
        except BaseException:
            self.close()
            raise

    def _write_stub_plugin(self, config: dict[str, Any]) -> str:
        Path(self.folder, "config.json").write_text(json.dumps(config), encoding="utf-8")
        words = [sys.executable, "-I", "-S", stub_plugin.__file__, f"{self.folder}/config.json"]
        lines = ["#!/bin/sh", f'exec {shlex.join(words)} "$@"']
        if not config.get("info"):
            # The usual manifest: nothing has to be watched, and a shell is there ten times sooner than Python.
            manifest = Path(self.folder, "manifest.json")
            manifest.write_text(json.dumps(stub_plugin.MANIFEST) + "\n", encoding="utf-8")
            lines.insert(1, f'[ "$*" = info ] && exec cat {shlex.quote(str(manifest))}')
        path = Path(self.folder, "stub-plugin")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        sock.setblocking(True)
        self._socks.append(sock)
        self._pump.watch(sock.fileno(), lambda: self._heard(sock))

    def _heard(self, sock: socket.socket) -> None:
        try:
            data, fds, _, _ = socket.recv_fds(sock, 1 << 16, 8)
        except ConnectionResetError:  # the stub plugin died with an order unread
            data, fds = b"", []
        self.fds.extend(fds)
        if not data:
            self._pump.unwatch(sock.fileno())
            self._socks.remove(sock)
            sock.close()
            return
        message = json.loads(data)
        if "phase" not in message:
            self.answers.append(message)
            return
        self.hellos.append(message)
        if message["phase"] == "run":
            self._run = sock

    def reports(self, phase: str) -> list[dict[str, Any]]:
        """The reports of one phase: ``info`` for discovery, ``run`` for execution."""
        return [message for message in self.hellos if message["phase"] == phase]

    @property
    def gone(self) -> bool:
        """Whether the plugin has run and its process is no more."""
        return self._run is not None and self._run not in self._socks

    def tell(self, order: dict[str, Any]) -> bool:
        """Give the running plugin an order; False when it is gone."""
        if self._run is None or self.gone:
            return False
        try:
            self._run.send(json.dumps(order).encode())
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def close(self) -> None:
        """Close every descriptor, at which the stub plugin ends by itself, and remove the folder."""
        for sock in self._socks:
            sock.close()
        self._listener.close()
        for fd in self.fds:
            os.close(fd)
        shutil.rmtree(self.folder, ignore_errors=True)
