"""Peers and plugins for the tests of the host's side; and whatever a test starts has to be gone after it."""

from __future__ import annotations

import asyncio
import json
import os
import select
import stat
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plugsvc.errors import ServiceError
from plugsvc.host import Binding, Command, Plugin, execute, iterate_typed, new_plugin
from plugsvc.host.channel import Channel
from plugsvc.host.jobs import prepare_jobs
from plugsvc.host.registry import Registry
from plugsvc.host.server import Server
from plugsvc.host.tasks import own_loop

ROOT = Path(__file__).parents[2]
TIMEOUT = 20.0
"""Seconds after which something that has to happen counts as never happening."""


class Peer:
    """A plugin's end of a connection, in the test: raw bytes, every wait with a deadline."""

    def __init__(self, registry: Registry, **limits: Any) -> None:
        self.reader, host_writer = os.pipe()
        host_reader, self.writer = os.pipe()
        self.server = Server(registry, Channel.of_descriptors(host_reader, host_writer), **limits)
        self._buffer = b""
        self._open = {self.reader, self.writer}
        self._sequence = 0
        self.server.start()

    def send(self, data: bytes) -> None:
        """Write bytes."""
        while data:
            data = data[os.write(self.writer, data) :]

    def request(self, type: str, namespace: str = "test", **keys: Any) -> int:
        """Send one request, return its sequence."""
        self._sequence += 1
        message = {"sequence": self._sequence, "type": type, "namespace": namespace, **keys}
        self.send(json.dumps(message).encode())
        return self._sequence

    def start(self, name: str, *args: Any) -> int:
        """Send a call, return its sequence."""
        return self.request("call", name=name, args=args)

    def call(self, name: str, *args: Any) -> dict[str, Any]:
        """Send a call and return its reply, which has to be the next."""
        sequence = self.start(name, *args)
        reply = self.reply()
        assert reply.pop("sequence") == sequence
        return reply

    def line(self) -> bytes:
        """Return the next line, `b""` at the end."""
        deadline = time.monotonic() + TIMEOUT
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self.reader], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"nothing came for {TIMEOUT} s, after {self._buffer!r}"
            data = os.read(self.reader, 1 << 20)
            if not data:
                assert not self._buffer, f"the stream ends in the middle of {self._buffer!r}"
                return b""
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def reply(self) -> dict[str, Any]:
        """Return the next reply."""
        line = self.line()
        assert line, "the host has closed the connection"
        reply = json.loads(line)
        assert isinstance(reply, dict)
        return reply

    def close(self, *fds: int) -> None:
        """Close these ends, or both."""
        for fd in fds or tuple(self._open):
            self._open.remove(fd)
            os.close(fd)

    def end(self) -> BaseException | None:
        """Wait for the end of the connection and return the server's error."""
        assert self.server.wait(TIMEOUT), "the server goes on"
        return self.server.error


@pytest.fixture
def connect() -> Iterator[Callable[..., Peer]]:
    """Return a function that connects to a registry."""
    peers: list[Peer] = []

    def make(registry: Registry, **limits: Any) -> Peer:
        peers.append(Peer(registry, **limits))
        return peers[-1]

    yield make
    for peer in peers:
        peer.server.close()
        assert peer.server.wait(TIMEOUT)
        peer.close()


@pytest.fixture
def registry() -> Registry:
    """A registry with the namespace `test`."""
    made = Registry()
    made.define("test", {"a": 1})
    return made


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., str]:
    """Return a function that writes an executable Python script and returns its path."""

    def write(body: str, name: str = "plugin", mode: int = 0o755) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!{sys.executable} -I\n" + textwrap.dedent(body), encoding="utf-8")
        path.chmod(mode)
        assert stat.S_IMODE(path.stat().st_mode) == mode
        return str(path)

    return write


INFO = """
import json, os, signal, sys
if sys.argv[1:] == ["info"]:
    print(json.dumps({"manifestVersion": 1, "name": "small", "commands": [
        {"path": ["run"], "type": "one"}, {"path": ["run", "twice"], "type": "two", "data": {"n": 2}}]}))
    sys.exit()
urls = [sys.argv[i + 1] for i, word in enumerate(sys.argv) if word == "--host"]
paths = [url.removeprefix("file://") for url in urls]
if urls == ["stdio:"]:
    standard = os.dup(0), os.dup(1)
    os.dup2(2, 1)

def connect():
    if not paths[0].startswith("/"):
        return connect_otherwise(*urls)
    if len(paths) == 1:
        fd = os.open(paths[0], os.O_RDWR | os.O_NOCTTY)
        return fd, fd
    return os.open(paths[0], os.O_RDONLY), os.open(paths[1], os.O_WRONLY)

def connect_otherwise(url):
    scheme, _, rest = url.partition(":")
    if scheme == "stdio":
        return standard
    if scheme == "fd":
        numbers = [int(number) for number in rest.split(",")]
        return numbers[0], numbers[-1]
    import socket
    from urllib.parse import parse_qs, unquote, urlsplit
    if scheme == "tcp":
        parts = urlsplit(url)
        connected = socket.create_connection((parts.hostname, parts.port))
        with open(parse_qs(parts.query)["noncefile"][0], "rb") as nonce:
            connected.sendall(nonce.read())
    else:
        connected = socket.socket(socket.AF_UNIX)
        connected.connect({"unix": unquote(rest.removeprefix("//")), "unix-abstract": "\\0" + rest}[scheme])
    fd = connected.detach()
    return fd, fd

def call(pair, name, *args, namespace="test"):
    request = {"sequence": 1, "type": "call", "namespace": namespace, "name": name, "args": args}
    os.write(pair[1], json.dumps(request).encode())
    reply = b""
    while not reply.endswith(b"\\n"):
        more = os.read(pair[0], 65536)
        if not more:
            sys.exit("end of file")
        reply += more
    return json.loads(reply)
"""


@pytest.fixture
def plugin(script: Callable[..., str]) -> Callable[..., str]:
    """Return a function that writes a plugin, with commands `run` and `run twice`, from the body of its commands."""

    def write(body: str = "", name: str = "plugin") -> str:
        return script(INFO + textwrap.dedent(body), name)

    return write


def join_all_but(threads: set[threading.Thread]) -> None:
    """Wait until only these threads are left, whatever others start in the meantime."""
    deadline = time.monotonic() + TIMEOUT
    while others := set(threading.enumerate()) - threads:
        for thread in others:
            # One that is just being started is listed already, and cannot be joined yet. Whoever starts it is
            # among the others, too, and does not end before it runs; so with the next look it is joined.
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))
        assert time.monotonic() < deadline, f"left behind: {others}"


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail where a test leaves a descriptor, a child or, a moment later, a thread behind."""
    # These two threads stay, once for the process.
    loop = own_loop()
    prepare_jobs()
    fds = set(os.listdir("/proc/self/fd"))
    threads = set(threading.enumerate())
    yield
    join_all_but(threads)
    deadline = time.monotonic() + TIMEOUT
    while others := set(os.listdir("/proc/self/fd")) - fds:
        # The loop may be about to close some: the last reply of a connection may be its own.
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(TIMEOUT)
        assert time.monotonic() < deadline, f"left behind: {others}"
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.fixture
def calls(registry: Registry) -> list[Any]:
    """What the service `note` was called with."""
    seen: list[Any] = []

    @registry.service("test")
    def note(value: Any) -> Any:
        seen.append(value)
        return value

    @registry.service("test")
    def fail(text: str) -> None:
        raise ServiceError(text)

    return seen


def one(path: str) -> list[tuple[Plugin, Command]]:
    """The first command only."""
    return [*iterate_typed([new_plugin(path)], "one")]


def run(path: str, *bindings: Binding, args: tuple[str, ...] = (), **options: Any) -> str:
    """Execute the first command and return what it has printed."""
    for binding in bindings:
        options["bind"] = binding
    (completed,) = execute(one(path), args, **options)
    # Where standard output is the connection, prints go to standard error.
    return completed.stdout or completed.stderr
