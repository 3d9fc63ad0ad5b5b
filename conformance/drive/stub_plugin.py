"""The suite's stub plugin: a host under test discovers and starts it like any other.

It runs in a process of its own, isolated, on the standard library alone. It opens the URLs that the host gave, hands
the open descriptors to the suite through a socket, and from then on does what the suite tells it: the bytes on the
connection are the suite's. ``python stub_plugin.py CONFIG ARG...``; CONFIG is a JSON file, see `HostSession`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time

TYPE_CHECKING = False  # importing typing would double the time to start
if TYPE_CHECKING:
    from typing import Any

MANIFEST = {
    "manifestVersion": 1,
    "name": "conformance-probe",
    "version": "1.0.0",
    "author": "conformance",
    "description": "The conformance suite's own plugin.",
    "tags": [],
    "commands": [
        {
            "path": ["conformance", "run"],
            "type": "conformance-plugin",
            "data": {
                "contract": 1,
                "schemes": ["file", "fd", "unix", "unix-abstract", "tcp", "stdio", "shm"],
                "types": ["any"],
                "features": [],
            },
        }
    ],
}

LOOK = 1.0
"""Seconds between two looks whether the suite is still there, while the connection is being opened."""


def streams() -> list[list[int] | None]:
    """What the standard streams are: device and inode of each, or null for a closed one."""
    found: list[list[int] | None] = []
    for fd in (0, 1, 2):
        try:
            seen = os.fstat(fd)
            found.append([seen.st_dev, seen.st_ino])
        except OSError:
            found.append(None)
    return found


def hello(config: dict[str, Any], phase: str, found: list[list[int] | None], more: dict[int, str]) -> socket.socket:
    """Report to the suite; the socket stays open as long as the process lives."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.connect(config["control_socket"])
    report = {"phase": phase, "pid": os.getpid(), "argv": sys.argv[2:], "streams": found, "descriptors": more}
    sock.send(json.dumps(report).encode())
    return sock


def info(config: dict[str, Any], sock: socket.socket) -> None:
    """The discovery subcommand, in whatever way the case wants it."""
    behaviour = config.get("info", {})
    if behaviour.get("stderr"):
        write_all(2, behaviour["stderr"].encode() * behaviour.get("times", 1))
    manifest = {**MANIFEST, **behaviour.get("manifest", {})}
    chunks = behaviour.get("chunks") or [json.dumps(manifest) + "\n"]
    if behaviour.get("pieces"):
        text = json.dumps(manifest)
        chunks = [text[:10], text[10:60], text[60:], "\n"]
    for chunk in chunks:
        write_all(1, chunk.encode())
        if len(chunks) > 1:
            time.sleep(0.02)  # the host shall see separate writes
    if behaviour.get("signal"):
        die(behaviour["signal"])
    os._exit(behaviour.get("exit", 0))


def write_all(fd: int, data: bytes) -> None:
    """Write everything, however long it takes."""
    while data:
        data = data[os.write(fd, data) :]


def die(name: str) -> None:
    """Die by a signal, also by one that Python handles or ignores."""
    number = getattr(signal, name)
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    time.sleep(60)  # the signal is on its way


def decode(text: str) -> bytes:
    """The bytes of a percent-encoded text."""
    raw, out, at = text.encode(), bytearray(), 0
    while at < len(raw):
        if raw[at : at + 1] == b"%":
            out.append(int(raw[at + 1 : at + 3], 16))
            at += 3
        else:
            out.append(raw[at])
            at += 1
    return bytes(out)


def path_of(rest: str) -> bytes:
    """The path of a URL without its scheme."""
    if rest.startswith("//"):
        rest = "/" + rest[2:].partition("/")[2]
    return decode(rest)


def open_file(rest: str, flags: int) -> list[int]:
    """Open a path."""
    return [os.open(path_of(rest), flags | os.O_NOCTTY)]


def open_fd(rest: str, flags: int) -> list[int]:
    """Inherited descriptors, as they are."""
    return [os.dup(int(number)) for number in rest.split(",")]


def open_stdio(rest: str, flags: int) -> list[int]:
    """Standard input and output, which are then others."""
    fds = [os.dup(0), os.dup(1)]
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return fds


def open_unix(rest: str, flags: int) -> list[int]:
    """Connect to a socket at a path."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path_of(rest))
    return [sock.detach()]


def open_abstract(rest: str, flags: int) -> list[int]:
    """Connect to a socket with an abstract name."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(b"\0" + decode(rest))
    return [sock.detach()]


def tcp_parts(rest: str) -> tuple[int, tuple[str, int], bytes | None]:
    """Family and address of a port, and the path of the nonce's file."""
    place, _, query = rest[2:].partition("?")
    host, _, port = place.rstrip("/").rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    values = [value for name, _, value in (word.partition("=") for word in query.split("&")) if name == "noncefile"]
    return family, (host, int(port)), decode(values[0]) if values else None


def open_tcp(rest: str, flags: int) -> list[int]:
    """Connect to a port of this machine, and say the nonce."""
    family, address, path = tcp_parts(rest)
    nonce = b""
    if path is not None:
        with open(path, "rb") as file:
            nonce = file.read()
    sock = socket.socket(family)
    sock.connect(address)
    sock.sendall(nonce)
    return [sock.detach()]


def open_shm(rest: str, flags: int) -> list[int]:
    """Shared memory: the memory file, the doorbells to wait for and the doorbells to ring; their names are removed."""
    path = path_of(rest)
    fds = [os.open(path, os.O_RDWR | os.O_NOFOLLOW)]
    doorbells = [(b".replies.filled", os.O_RDONLY), (b".requests.drained", os.O_RDONLY)]
    doorbells += [(b".requests.filled", os.O_WRONLY), (b".replies.drained", os.O_WRONLY)]
    fds += [os.open(path + doorbell, how | os.O_NONBLOCK) for doorbell, how in doorbells]
    for name in (path, *(path + doorbell for doorbell, _ in doorbells)):
        os.unlink(name)
    return fds


SCHEMES = {
    "file": open_file,
    "fd": open_fd,
    "unix": open_unix,
    "unix-abstract": open_abstract,
    "tcp": open_tcp,
    "stdio": open_stdio,
    "shm": open_shm,
}


def open_one(url: str, flags: int) -> list[int]:
    """The descriptors of one URL."""
    scheme, _, rest = url.partition(":")
    if scheme.lower() not in SCHEMES:
        raise ValueError(f"no such scheme: {url}")
    return SCHEMES[scheme.lower()](rest.partition("#")[0], flags)


def open_streams(urls: list[str], order: str) -> list[int]:
    """The descriptors of one duplex stream, or of two one-way streams: the one to read, then the one to write."""
    if len(urls) == 1:
        return open_one(urls[0], os.O_RDWR)
    how = {0: os.O_RDONLY, 1: os.O_WRONLY}
    fds = {i: open_one(urls[i], how[i]) for i in ((1, 0) if order == "writer-first" else (0, 1))}
    return fds[0] + fds[1]


def end_if_alone(sock: socket.socket) -> None:
    """End where the suite has ended: a named pipe whose host was killed before it opened it is never open."""
    try:
        alone = not sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        alone = False
    if alone:
        os._exit(99)


def connect(urls: list[str], order: str, sock: socket.socket) -> None:
    """Open the connection and hand it to the suite."""
    signal.signal(signal.SIGALRM, lambda *_: end_if_alone(sock))
    signal.setitimer(signal.ITIMER_REAL, LOOK, LOOK)
    try:
        fds = open_streams(urls, order)
    except (OSError, ValueError, IndexError) as error:
        sock.send(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
        os._exit(98)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    socket.send_fds(sock, [json.dumps({"opened": len(fds)}).encode()], fds)
    for fd in inherited():  # the suite alone holds the connection now
        if fd != sock.fileno():
            os.close(fd)


def inherited() -> list[int]:
    """The open descriptors but the standard streams."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            os.fstat(int(name))
        except OSError:  # that of the listing itself
            continue
        if int(name) > 2:
            found.append(int(name))
    return sorted(found)


def main() -> None:
    """Do as told."""
    found = streams()  # before anything is opened: the first free descriptors are those of closed streams
    more = {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in inherited()}
    for fd in (0, 1, 2):
        if found[fd] is None:
            os.open(os.devnull, os.O_RDWR)
    with open(sys.argv[1], encoding="utf-8") as file:
        config = json.load(file)
    words = sys.argv[2:]
    if words == ["info"]:
        info(config, hello(config, "info", found, more))
    sock = hello(config, "run", found, more)
    urls = [words[i + 1] for i, word in enumerate(words[:-1]) if word == "--host"]
    if config.get("open", True):
        connect(urls, "reader-first", sock)
    while True:
        order = sock.recv(1 << 16)
        if not order:
            os._exit(99)
        obey(json.loads(order), urls, sock)


def leave_child(sock: socket.socket) -> None:
    """Leave a child in a session of its own that has the standard streams, and nothing else, for a minute."""
    if os.fork() == 0:
        os.setsid()
        for fd in inherited():
            os.close(fd)
        time.sleep(60)
        os._exit(0)
    sock.send(json.dumps({"left": True}).encode())


def obey(order: dict[str, Any], urls: list[str], sock: socket.socket) -> None:
    """One order of the suite."""
    if "open" in order:
        connect(urls, order["open"], sock)
    if "print" in order:
        write_all(order.get("to", 1), order["print"].encode() * order.get("times", 1))
        sock.send(json.dumps({"printed": True}).encode())
    if "leave" in order:
        leave_child(sock)
    if "signal" in order:
        die(order["signal"])
    if "exit" in order:
        os._exit(order["exit"])


if __name__ == "__main__":
    main()
