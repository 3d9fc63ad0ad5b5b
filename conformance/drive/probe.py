"""The suite's plugin: a host under test discovers and starts it like any other.

It runs in a process of its own, isolated, on the standard library alone. It opens the URLs that the host gave, hands
the open descriptors to the suite through a socket, and from then on does what the suite tells it: the bytes on the
connection are the suite's. ``python probe.py CONFIG ARG...``; CONFIG is a JSON file, see `HostSession`.
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
            "data": {"contract": 1, "schemes": ["file"], "types": ["any"], "features": []},
        }
    ],
}


def streams() -> dict[int, str | None]:
    """What the standard streams are: a path as procfs gives it, or null for a closed one."""
    found: dict[int, str | None] = {}
    for fd in (0, 1, 2):
        try:
            found[fd] = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            found[fd] = None
    return found


def hello(config: dict[str, Any], phase: str, closed: dict[int, str | None]) -> socket.socket:
    """Report to the suite; the socket stays open as long as the process lives."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.connect(config["rendezvous"])
    report = {"phase": phase, "pid": os.getpid(), "argv": sys.argv[2:], "streams": closed}
    sock.send(json.dumps(report).encode())
    return sock


def info(config: dict[str, Any], sock: socket.socket) -> None:
    """The discovery subcommand, in whatever way the case wants it."""
    behaviour = config.get("info", {})
    manifest = {**MANIFEST, **behaviour.get("manifest", {})}
    chunks = behaviour.get("chunks") or [json.dumps(manifest) + "\n"]
    if behaviour.get("pieces"):
        text = json.dumps(manifest)
        chunks = [text[:10], text[10:60], text[60:], "\n"]
    for chunk in chunks:
        os.write(1, chunk.encode())
        if len(chunks) > 1:
            time.sleep(0.02)  # the host shall see separate writes
    if behaviour.get("stderr"):
        os.write(2, behaviour["stderr"].encode())
    if behaviour.get("hang"):
        sock.recv(1)  # until the suite goes away
    os._exit(behaviour.get("exit", 0))


def path_of(url: str) -> bytes:
    """The path of a file URL."""
    scheme, _, rest = url.partition(":")
    if scheme.lower() != "file":
        raise ValueError(f"not a file URL: {url}")
    if rest.startswith("//"):
        rest = "/" + rest[2:].partition("/")[2]
    raw, out, at = rest.encode(), bytearray(), 0
    while at < len(raw):
        if raw[at : at + 1] == b"%":
            out.append(int(raw[at + 1 : at + 3], 16))
            at += 3
        else:
            out.append(raw[at])
            at += 1
    return bytes(out)


def open_streams(urls: list[str]) -> list[int]:
    """The descriptors of one duplex stream or of two one-way streams."""
    if len(urls) == 1:
        return [os.open(path_of(urls[0]), os.O_RDWR | os.O_NOCTTY)]
    reader = os.open(path_of(urls[0]), os.O_RDONLY)
    return [reader, os.open(path_of(urls[1]), os.O_WRONLY)]


def main() -> None:
    """Do as told."""
    closed = streams()  # before anything is opened: the first free descriptors are those of closed streams
    for fd in (0, 1, 2):
        if closed[fd] is None:
            os.open(os.devnull, os.O_RDWR)
    with open(sys.argv[1], encoding="utf-8") as file:
        config = json.load(file)
    words = sys.argv[2:]
    if words == ["info"]:
        info(config, hello(config, "info", closed))
    sock = hello(config, "run", closed)
    urls = [words[i + 1] for i, word in enumerate(words[:-1]) if word == "--host"]
    if config.get("open", True):
        try:
            fds = open_streams(urls)
        except (OSError, ValueError) as error:
            sock.send(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
            os._exit(98)
        socket.send_fds(sock, [json.dumps({"opened": len(fds)}).encode()], fds)
        for name in os.listdir("/proc/self/fd"):  # also inherited ones: the suite alone holds the connection now
            if int(name) > 2 and int(name) != sock.fileno():
                try:
                    os.close(int(name))
                except OSError:
                    continue
    while True:
        order = sock.recv(1 << 16)
        if not order:
            os._exit(99)
        obey(json.loads(order), sock)


def obey(order: dict[str, Any], sock: socket.socket) -> None:
    """One order of the suite."""
    if "print" in order:
        data = order["print"].encode() * order.get("times", 1)
        while data:
            data = data[os.write(order.get("to", 1), data) :]
        sock.send(json.dumps({"printed": True}).encode())
    if "signal" in order:
        os.kill(os.getpid(), getattr(signal, order["signal"]))
        time.sleep(60)  # the signal is on its way
    if "exit" in order:
        os._exit(order["exit"])


if __name__ == "__main__":
    main()
