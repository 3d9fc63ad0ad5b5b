"""Ways to offer a connection to a plugin, with the host's ends raw in the test, and plugins in processes of their own.

Nothing here is made with the library's binds: what the openers do is held against the schemes as they are described.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).parents[2]
DEADLINE = 20.0
NONCE = bytes(range(32))

PREAMBLE = """
import os, select, signal, socket, sys, time
sys.path.insert(0, {root!r})
from plugsvc.errors import OpenError
from plugsvc.openers import Duplex, FdStream, URL, open_stream, parse_url, register_file_opener
import plugsvc.openers.fd, plugsvc.openers.stdio, plugsvc.openers.tcp, plugsvc.openers.unix
urls = sys.argv[1:]

def say(*words):
    print(*words, file=sys.stderr, flush=True)

def wait(stream, what=select.POLLIN):
    poll = select.poll()
    poll.register(stream.fileno(), what)
    assert poll.poll(20000), "nothing happened in time"

def read(stream, size=65536):
    while True:
        if stream.ready():
            data = stream.read(size)
            if data is not None:
                return data
        wait(stream)

def read_all(stream):
    data = b""
    while chunk := read(stream):
        data += chunk
    return data

def write(stream, data):
    rest = memoryview(data)
    while rest:
        count = stream.write(rest)
        rest = rest[count:]
        if rest and not count:
            wait(stream, select.POLLOUT)
"""
"""What the programs of plugins begin with."""


@dataclass
class Offer:
    """One connection: what the plugin gets, and the host's ends.

    `connect` is called when the plugin runs, and returns the descriptors to read from and to write to.
    """

    urls: Sequence[str]
    connect: Callable[[], tuple[int, int]]
    pass_fds: Sequence[int] = ()
    stdin: int | None = None
    stdout: int | None = None
    cwd: Path | None = None
    preamble: str = ""
    gives: list[int | socket.socket] = field(default_factory=list)
    """What belongs to the plugin as soon as it runs, and to the offer, to be closed."""

    def settle(self) -> None:
        """Close the copies of the plugin's ends, and whoever listens."""
        for each in self.gives:
            os.close(each) if isinstance(each, int) else each.close()
        self.gives.clear()


def _accept(listener: socket.socket, nonce: bytes = b"") -> Callable[[], tuple[int, int]]:
    def connect() -> tuple[int, int]:
        listener.settimeout(DEADLINE)
        accepted, _ = listener.accept()
        with accepted:
            accepted.settimeout(DEADLINE)
            while nonce and (got := accepted.recv(len(nonce), socket.MSG_PEEK)) != nonce:
                assert got
                assert nonce.startswith(got)
            accepted.recv(len(nonce))
            fd = os.dup(accepted.fileno())
        os.set_blocking(fd, True)
        return fd, fd

    return connect


def fd(directory: Path) -> Offer:
    ours, theirs = socket.socketpair()
    both = ours.detach()
    return Offer([f"fd:{theirs.fileno()}"], lambda: (both, both), [theirs.fileno()], gives=[theirs])


def _pipes() -> tuple[int, int, int, int]:
    to_read, our_writer = os.pipe()
    our_reader, to_write = os.pipe()
    return to_read, to_write, our_reader, our_writer


def fd_pair(directory: Path) -> Offer:
    to_read, to_write, *ours = _pipes()
    theirs = [to_read, to_write]
    return Offer([f"fd:{to_read},{to_write}"], lambda: (ours[0], ours[1]), theirs, gives=[*theirs])


def fd_twice(directory: Path) -> Offer:
    offer = fd_pair(directory)
    offer.urls = [f"FD:{number}" for number in offer.pass_fds]
    return offer


def file_devfd(directory: Path) -> Offer:
    offer = fd_pair(directory)
    offer.urls = [f"file:///dev/fd/{number}" for number in offer.pass_fds]
    return offer


def unix(directory: Path) -> Offer:
    listener = socket.socket(socket.AF_UNIX)
    path = directory / "ä ?#%"
    listener.bind(os.fsencode(path))
    listener.listen()
    return Offer([f"unix://{quote(str(path))}"], _accept(listener), gives=[listener])


def unix_relative(directory: Path) -> Offer:
    offer = unix(directory)
    offer.urls, offer.cwd = ["unix:%C3%A4%20%3F%23%25"], directory
    return offer


def unix_abstract(directory: Path) -> Offer:
    listener = socket.socket(socket.AF_UNIX)
    name = f"plugsvc test {os.getpid()} {time.monotonic_ns()}"
    listener.bind(b"\0" + name.encode())
    listener.listen()
    return Offer([f"unix-abstract:{quote(name)}"], _accept(listener), gives=[listener])


def _tcp(directory: Path, family: int, host: str, nonce: bytes) -> Offer:
    listener = socket.socket(family)
    # Else the buffers of the loopback grow with what is sent, to several megabytes.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    listener.bind((host.strip("[]"), 0))
    listener.listen()
    url = f"tcp://{host}:{listener.getsockname()[1]}"
    if nonce:
        (directory / "n o&n=c+e").write_bytes(nonce)
        url += f"?noncefile={quote(str(directory / 'n o&n=c+e'))}"
    return Offer([url], _accept(listener, nonce), gives=[listener])


def tcp(directory: Path) -> Offer:
    return _tcp(directory, socket.AF_INET, "127.0.0.1", NONCE)


def tcp_v6(directory: Path) -> Offer:
    return _tcp(directory, socket.AF_INET6, "[::1]", NONCE)


def tcp_without_nonce(directory: Path) -> Offer:
    return _tcp(directory, socket.AF_INET, "127.0.0.1", b"")


def stdio(directory: Path) -> Offer:
    to_read, to_write, *ours = _pipes()
    return Offer(["stdio:"], lambda: (ours[0], ours[1]), stdin=to_read, stdout=to_write, gives=[to_read, to_write])


def stdio_socket(directory: Path) -> Offer:
    ours, theirs = socket.socketpair()
    both, number = ours.detach(), theirs.fileno()
    return Offer(["stdio:"], lambda: (both, both), stdin=number, stdout=number, gives=[theirs])


def _own(offer: Offer, opener: str) -> Offer:
    offer.urls = [f"own:{quote(each)}" for each in offer.urls]
    offer.preamble = opener + '\nregister_file_opener("own", opener)'
    return offer


def own_descriptor(directory: Path) -> Offer:
    return _own(fd(directory), "def opener(url, mode, deadline): return int(url.path.removeprefix('fd:'))")


def own_socket(directory: Path) -> Offer:
    return _own(
        unix_abstract(directory),
        """
def opener(url, mode, deadline):
    with socket.socket(socket.AF_UNIX) as connecting:
        connecting.connect("\\0" + parse_url(url.path).path)
        return connecting.dup()
""",
    )


def own_stream(directory: Path) -> Offer:
    return _own(
        fd_twice(directory),
        "def opener(url, mode, deadline): return FdStream(int(url.path.lower().removeprefix('fd:')))",
    )


def own_duplex(directory: Path) -> Offer:
    return _own(
        fd_pair(directory),
        """
def opener(url, mode, deadline):
    return Duplex(*(FdStream(int(number)) for number in url.path.removeprefix("fd:").split(",")))
""",
    )


WAYS: dict[str, Callable[[Path], Offer]] = {
    "fd": fd,
    "fd-pair": fd_pair,
    "fd-twice": fd_twice,
    "file": file_devfd,
    "unix": unix,
    "unix-relative": unix_relative,
    "unix-abstract": unix_abstract,
    "tcp": tcp,
    "tcp-v6": tcp_v6,
    "tcp-without-nonce": tcp_without_nonce,
    "stdio": stdio,
    "stdio-socket": stdio_socket,
    "own-descriptor": own_descriptor,
    "own-socket": own_socket,
    "own-stream": own_stream,
    "own-duplex": own_duplex,
}


def receive(fd: int, size: int = 65536) -> bytes:
    """Return the next bytes, `b""` at the end."""
    ready, _, _ = select.select([fd], [], [], DEADLINE)
    assert ready, f"nothing came in {DEADLINE} s"
    try:
        return os.read(fd, size)
    except ConnectionResetError:
        return b""


def receive_all(fd: int) -> bytes:
    """Return everything up to the end."""
    data = b""
    while chunk := receive(fd):
        data += chunk
    return data


class Plugin:
    """A plugin's process, connected to the test. What it `say`s is in `said` when it has ended."""

    def __init__(self, offer: Offer, body: str, launcher: Sequence[str] = ()) -> None:
        preamble = PREAMBLE.format(root=str(ROOT)) + offer.preamble
        self.process = subprocess.Popen(
            [*launcher, sys.executable, "-c", preamble + "\n" + textwrap.dedent(body), *offer.urls],
            pass_fds=tuple(offer.pass_fds),
            stdin=subprocess.DEVNULL if offer.stdin is None else offer.stdin,
            stdout=subprocess.DEVNULL if offer.stdout is None else offer.stdout,
            stderr=subprocess.PIPE,
            cwd=offer.cwd,
            env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        )
        self._open: set[int] = set()
        self.reader = self.writer = -1
        self._offer = offer
        self.said = ""

    def connect(self) -> Plugin:
        """Take the host's ends."""
        self.reader, self.writer = self._offer.connect()
        self._open = {self.reader, self.writer}
        self._offer.settle()
        return self

    def close(self, *fds: int) -> None:
        """Close these ends of the host, or what is left of them."""
        for number in fds or tuple(self._open):
            self._open.remove(number)
            os.close(number)

    def end(self) -> str:
        """Wait for the end of the process, which has to be a good one, and return what it said."""
        _, said = self.process.communicate(timeout=DEADLINE)
        self.said = said.decode()
        assert self.process.returncode == 0, self.said
        return self.said


@contextmanager
def started(offer: Offer, body: str, launcher: Sequence[str] = ()) -> Iterator[Plugin]:
    """Run a plugin, whose ends are taken by the test with `connect`; kill it when it is there at the end."""
    try:
        plugin = Plugin(offer, body, launcher)
        try:
            yield plugin
        finally:
            if plugin.process.poll() is None:
                plugin.process.send_signal(signal.SIGKILL)
            if not plugin.said and plugin.process.stderr is not None and not plugin.process.stderr.closed:
                _, said = plugin.process.communicate(timeout=DEADLINE)
                sys.stderr.write(said.decode())
            plugin.close()
    finally:
        offer.settle()
