"""What users do not have: plugsvc that never looks before it sleeps, and a connection that is read in pieces."""

from __future__ import annotations

import os
from typing import Any

import plugsvc
from plugsvc.host.binds import bind_of
from plugsvc.openers.spin import Spin
from plugsvc.openers.stream import FdStream

PIECE = 64 * 1024


class Pieces(FdStream):
    """A pipe whose buffer does not grow, and from which little is read at a time."""

    def grow(self, size: int) -> None:
        """Do nothing."""

    def read(self, size: int) -> bytes | None:
        """Return a piece at most."""
        return super().read(min(size, PIECE))


def open_pieces(url: plugsvc.URL, mode: str, deadline: float) -> plugsvc.Duplex:
    """Open `pieces:R,W`, two inherited descriptors."""
    reader, writer = map(int, url.path.split(","))
    return plugsvc.Duplex(Pieces(reader), Pieces(writer))


class PiecesBind:
    """Offers two pipes that are used in pieces."""

    name = "pieces"

    def run(self, context: Any, plugin: Any, command: Any, serve: Any, next: Any) -> Any:
        """Make both ends, and go on."""
        (their_read, write), (read, their_write) = os.pipe(), os.pipe()
        serve(plugsvc.Channel(plugsvc.Duplex(Pieces(read), Pieces(write))))

        def started() -> None:
            os.close(their_read)
            os.close(their_write)

        return next(
            prepend_args=["--host", f"pieces:{their_read},{their_write}"],
            pass_fds=[their_read, their_write],
            on_start=started,
        )


def bind(name: str) -> Any:
    """Return the bind of that name, one of the library's or `pieces`."""
    return PiecesBind() if name == PiecesBind.name else bind_of(name, trusted=True)


def apply() -> None:
    """Change the library as the environment says."""
    plugsvc.register_file_opener("pieces", open_pieces)
    if "BENCHMARKS_NEVER_LOOK" in os.environ:
        Spin.until = lambda self, ready: False  # type: ignore[method-assign]
