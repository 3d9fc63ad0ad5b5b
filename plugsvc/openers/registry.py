"""Which scheme is opened by whom, and how the URLs of `--host` become a connection's two streams."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Protocol

from ..errors import OpenError, RegistrationError
from ..imports import importing
from .descriptors import duplicate
from .file import open_file
from .stream import Duplex, FdStream, Stream
from .url import URL, check_count, parse_url

__all__ = ["OPEN_TIMEOUT", "FileOpener", "HasFileno", "open_stream", "register_file_opener", "schemes"]

OPEN_TIMEOUT = 10.0
"""Seconds that opening all URLs may take; it matters where the other side has to come, as with FIFOs."""


class HasFileno(Protocol):
    """A file object or a socket."""

    def fileno(self) -> int: ...


FileOpener = Callable[[URL, str, float], "Stream | Duplex | HasFileno | int"]
"""What opens the URLs of one scheme: `opener(url, mode, deadline)`.

`mode` is "r", "w" or "rw"; `deadline` is a time of the monotonic clock after which it must give up. It
returns a `Stream`, or a descriptor, which belongs to the connection from then on, or a file object or socket,
which is duplicated; the two latter are made non-blocking. For "rw" it may return a `Duplex` of two streams,
too. It must not wait for the other side to open for writing what it opens for reading: that is what
`Stream.establish` is for, which is called when both URLs are open. It raises `OSError` (or `OpenError`) with
the reason.
"""


def _lazily(module: str, function: str) -> FileOpener:
    """Return the opener of a module here, which is imported when it is needed: most plugins need only `file`."""

    def opener(url: URL, mode: str, deadline: float) -> Stream | Duplex | HasFileno | int:
        with importing():
            found: FileOpener = getattr(import_module(f".{module}", __package__), function)
        return found(url, mode, deadline)

    return opener


_openers: dict[str, FileOpener] = {
    "file": open_file,
    "fd": _lazily("fd", "open_fd"),
    "shm": _lazily("shm", "open_shm"),
    "stdio": _lazily("stdio", "open_stdio"),
    "tcp": _lazily("tcp", "open_tcp"),
    "unix": _lazily("unix", "open_unix"),
    "unix-abstract": _lazily("unix", "open_unix_abstract"),
}
_registering = threading.Lock()

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_MODES = {"r": "for reading", "w": "for writing", "rw": "for reading and writing"}


def register_file_opener(scheme: str, opener: FileOpener) -> None:
    """Make URLs of `scheme` openable.

    Raises `RegistrationError` when the scheme has an opener already or is not a scheme, or `opener` is not
    callable.
    """
    if not isinstance(scheme, str) or not _SCHEME.fullmatch(scheme):
        raise RegistrationError(f"{scheme!r} is not a URL scheme: a letter, then letters, digits, '+', '.' or '-'")
    if not callable(opener):
        raise RegistrationError(f"the opener for scheme {scheme!r} is not callable: {opener!r}")
    with _registering:
        if scheme.lower() in _openers:
            raise RegistrationError(f"scheme {scheme.lower()!r} has an opener already")
        _openers[scheme.lower()] = opener


def schemes() -> list[str]:
    """Return the schemes that can be opened, sorted."""
    return sorted(_openers)


def open_stream(urls: Sequence[str], timeout: float = OPEN_TIMEOUT) -> Duplex:
    """Open one URL as a duplex stream, or two: the first to read, the second to write.

    Raises `OpenError`, which names the URL and the reason; also for another number of URLs.
    Nothing stays open after a failure.
    """
    check_count(urls)
    parsed = [parse_url(url) for url in urls]
    deadline = time.monotonic() + timeout
    if len(parsed) == 1:
        opened = _open(parsed[0], "rw", deadline)
        both = (opened.reader, opened.writer) if isinstance(opened, Duplex) else (opened, opened)
        return _establish(Duplex(*both, tuple(urls)), parsed, deadline)
    # The reader first, without waiting for its writer: whichever of two FIFOs the other side opens first,
    # its opening succeeds now or meets the writer that we open next.
    reader = _open_one(parsed[0], "r", deadline)
    try:
        writer = _open_one(parsed[1], "w", deadline)
    except BaseException:
        reader.close()
        raise
    return _establish(Duplex(reader, writer, tuple(urls)), parsed, deadline)


def _establish(duplex: Duplex, parsed: list[URL], deadline: float) -> Duplex:
    try:
        for stream, url, mode in ((duplex.reader, parsed[0], "r"), (duplex.writer, parsed[-1], "w")):
            try:
                stream.establish(deadline)
            except OSError as error:
                raise _refusal(url, "rw" if len(parsed) == 1 else mode, error)
    except BaseException:
        duplex.close()
        raise
    return duplex


def _open_one(url: URL, mode: str, deadline: float) -> Stream:
    opened = _open(url, mode, deadline)
    if isinstance(opened, Duplex):
        opened.close()
        raise _refusal(url, mode, OpenError("it stands for both directions; give this URL alone"))
    return opened


def _open(url: URL, mode: str, deadline: float) -> Stream | Duplex:
    opener = _openers.get(url.scheme)
    if opener is None:
        known = ", ".join(schemes())
        raise OpenError(f'unknown scheme "{url.scheme}" in {url.text!r} (known: {known})', url.text)
    try:
        return _as_stream(opener(url, mode, deadline))
    except Exception as error:
        # Whatever an opener raises ends up here, so that it becomes the error of a call and not a crash in
        # it.
        raise _refusal(url, mode, error) from error


def _as_stream(opened: Stream | Duplex | HasFileno | int) -> Stream | Duplex:
    if isinstance(opened, Duplex):
        return opened
    if isinstance(opened, int):
        return FdStream(opened)
    if all(hasattr(opened, name) for name in ("ready", "read", "write", "arm", "grow", "establish", "atomic", "room")):
        return opened  # type: ignore[return-value]
    # The object may close its descriptor when it is collected, and may have a buffer that must not be used.
    return FdStream(duplicate(opened.fileno()))


def _refusal(url: URL, mode: str, error: Exception) -> OpenError:
    reason = str(error) or type(error).__name__
    if not isinstance(error, OSError):
        reason = f"its opener failed: {type(error).__name__}: {reason}"
    return OpenError(f"cannot open {url.text!r} {_MODES[mode]}: {reason}", url.text)
