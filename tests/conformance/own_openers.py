"""The reference with openers and a bind of its own: what a user of the library may write, as a testee.

The suite knows no schemes but the usual ones. So each of its URLs becomes one of the scheme `own`, whose opener, and
not the library's, opens what the URL names: an inherited descriptor as a number, a pair of them as two streams, a
socket as an object, an abstract socket as a stream that has bytes which its descriptor does not show.
"""

from __future__ import annotations

import os
import select
import socket
import sys
from collections.abc import Callable
from urllib.parse import quote

import plugsvc
from conformance import reference
from plugsvc.host.settings import Binding, Next
from plugsvc.openers import URL, Duplex, FdStream, parse_url

HELD = 64 * 1024
AT_ONCE = 1000


class Sipping:
    """A stream over a socket that reads ahead, and gives and takes little at a time."""

    atomic = 0
    room = select.POLLOUT

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._socket.setblocking(False)
        self._held = b""
        self._over = False

    def arm(self) -> bool:
        return not self._held

    def fileno(self) -> int:
        number = self._socket.fileno()
        if number < 0:
            raise ValueError("the stream is closed")
        return number

    def ready(self) -> bool:
        self._fill()
        return bool(self._held) or self._over

    def read(self, size: int) -> bytes | None:
        self._fill()
        data, self._held = self._held[: min(size, AT_ONCE)], self._held[min(size, AT_ONCE) :]
        if data:
            return data
        return b"" if self._over else None

    def _fill(self) -> None:
        if self._held or self._over:
            return
        try:
            self._held = self._socket.recv(HELD)
        except BlockingIOError:
            return
        except ConnectionResetError:
            pass
        self._over = not self._held

    def write(self, data: bytes | memoryview) -> int:
        try:
            return self._socket.send(data[:AT_ONCE], socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return 0

    def grow(self, size: int) -> None:
        pass

    def establish(self, deadline: float) -> None:
        pass

    def close(self) -> None:
        self._socket.close()


def connected_to(address: str | bytes) -> socket.socket:
    """A socket that is connected."""
    made = socket.socket(socket.AF_UNIX)
    try:
        made.connect(address)
    except BaseException:
        made.close()
        raise
    return made


def open_own(url: URL, mode: str, deadline: float) -> Sipping | Duplex | socket.socket | int:
    """Open what the URL within a URL names."""
    meant = parse_url(url.path)
    if meant.scheme == "unix":
        return connected_to(meant.path)
    if meant.scheme == "unix-abstract":
        return Sipping(connected_to(b"\0" + os.fsencode(meant.path)))
    numbers = [int(number) for number in meant.path.split(",")]
    for number in numbers:
        os.fstat(number)
    return Duplex(FdStream(numbers[0]), FdStream(numbers[1])) if len(numbers) == 2 else numbers[0]


class OwnBind:
    """A pair of sockets, as `docs/openers.md` shows how to write a bind."""

    name = "own"

    def run(
        self,
        context: plugsvc.Context,
        plugin: plugsvc.Plugin,
        command: plugsvc.Command,
        serve: Callable[[plugsvc.Channel], object],
        next: Next,
    ) -> plugsvc.Exit:
        ours, theirs = socket.socketpair()
        with theirs:
            serve(plugsvc.Channel.of_descriptors(ours.detach()))
            return next(
                prepend_args=["--host", f"fd:{theirs.fileno()}"],
                pass_fds=[theirs.fileno()],
                on_start=theirs.close,
            )


class OwnRegistry:
    """The contract's registry, bound by `OwnBind`, whatever bind is named."""

    def __init__(self) -> None:
        self._registry = REGISTRY()

    def bind(self, *names: str) -> Binding:
        return self._registry.bind(OwnBind())


REGISTRY = reference.registry


def main(argv: list[str]) -> int:
    """As the reference."""
    plugsvc.register_file_opener("own", open_own)
    reference.SCHEMES = ("fd", "unix", "unix-abstract")  # type: ignore[assignment]
    reference.BINDS = ("own",)  # type: ignore[assignment]
    reference.registry = OwnRegistry  # type: ignore[assignment]
    urls = {i + 1 for i, word in enumerate(argv) if word == "--host" and argv[0] == "conformance-plugin"}
    return reference.main([f"own:{quote(word)}" if i in urls else word for i, word in enumerate(argv)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
