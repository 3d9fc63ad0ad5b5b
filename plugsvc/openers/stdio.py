"""The scheme `stdio`: standard input and output are the connection, `--host stdio:`.

It goes wherever standard streams go (through `ssh`, `docker exec -i`, `sudo`), and needs nothing else. The
connection takes both descriptors over. From then on standard input is the null device, and standard output
leads to standard error, for this process, for everything it starts, and for what Python still has in its
buffer. What was written to standard output before, and has left that buffer, is in the midst of the protocol: a
plugin that prints before its first call should call `init_service_client` first.

As with `fd`, the two descriptors become non-blocking, for everybody who has a copy of them.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading

from ..errors import OpenError
from .descriptors import duplicate, open_path
from .fd import adopt, check_descriptor
from .sockets import SocketStream
from .stream import Duplex, FdStream
from .url import URL

__all__ = ["open_stdio"]

_INPUT, _OUTPUT, _ERROR = 0, 1, 2
_NAMES = ((_INPUT, "r", "standard input"), (_OUTPUT, "w", "standard output"))

_lock = threading.Lock()
_taken = False


def open_stdio(url: URL, mode: str, deadline: float) -> Duplex:
    """Make standard input and output the connection, and lead prints to standard error.

    Raises `OpenError` with the reason alone, without the URL; then everything is as it was.
    """
    if url.authority or url.path:
        raise OpenError("nothing can follow the colon")
    if mode != "rw":
        raise OpenError("standard input and output are both directions; give this URL alone")
    global _taken
    with _lock:
        if _taken:
            raise OpenError("this process has used standard input and output for a connection already")
        for fd, way, name in _NAMES:
            check_descriptor(fd, way, name, "")
            if os.isatty(fd):
                raise OpenError(f"{name} is a terminal, where no host can be")
        duplex = _take()
        _taken = True
    _flush()
    return duplex


def _take() -> Duplex:
    null = open_path(os.devnull, os.O_RDWR)
    try:
        reader = adopt(duplicate(_INPUT))
        try:
            if isinstance(reader, SocketStream) and os.path.sameopenfile(_INPUT, _OUTPUT):
                writer: FdStream = reader
            else:
                writer = adopt(duplicate(_OUTPUT))
        except BaseException:
            reader.close()
            raise
        os.dup2(null, _INPUT)
        try:
            os.dup2(_ERROR, _OUTPUT)
        except OSError:
            os.dup2(null, _OUTPUT)  # there is no standard error
    finally:
        os.close(null)
    return Duplex(reader, writer)


def _flush() -> None:
    """Let what was printed go where standard output leads now, and what will be printed go there line by line."""
    # Closed, or its target is: not the connection's affair.
    with contextlib.suppress(OSError, ValueError):
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)  # flushes
        elif sys.stdout is not None:
            sys.stdout.flush()
