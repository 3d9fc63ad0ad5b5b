"""Which scheme is opened by whom, and how the URLs of `--host` become a connection's two streams."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from ..errors import OpenError, RegistrationError
from .file import open_file
from .stream import Duplex, FdStream, Stream
from .url import URL, check_count, parse_url

__all__ = ["OPEN_TIMEOUT", "FileOpener", "HasFileno", "open_stream", "register_file_opener", "schemes"]

OPEN_TIMEOUT = 10.0
"""Seconds that opening all URLs may take; it matters where the other side has to come, as with FIFOs."""


class HasFileno(Protocol):
    """A file object or a socket."""

    def fileno(self) -> int: ...


FileOpener = Callable[[URL, str, float], "Stream | HasFileno | int"]
"""What opens the URLs of one scheme: `opener(url, mode, deadline)`.

`mode` is "r", "w" or "rw"; `deadline` is a time of the monotonic clock after which it must give up. It
returns a `Stream`, or a descriptor, or a file object or socket; the two latter are duplicated and made
non-blocking. It must not wait for the other side to open for writing what it opens for reading: that is what
`Stream.establish` is for, which is called when both URLs are open. It raises `OSError` (or `OpenError`) with
the reason.
"""

_openers: dict[str, FileOpener] = {"file": open_file}
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
        stream = _open(parsed[0], "rw", deadline)
        return _establish(Duplex(stream, stream, tuple(urls)), parsed, deadline)
    # The reader first, without waiting for its writer: whichever of two FIFOs the other side opens first,
    # its opening succeeds now or meets the writer that we open next.
    reader = _open(parsed[0], "r", deadline)
    try:
        writer = _open(parsed[1], "w", deadline)
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


def _open(url: URL, mode: str, deadline: float) -> Stream:
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


def _as_stream(opened: Stream | HasFileno | int) -> Stream:
    if isinstance(opened, int):
        return FdStream(opened)
    if all(hasattr(opened, name) for name in ("ready", "read", "write", "grow", "establish", "atomic")):
        return opened  # type: ignore[return-value]
    # The object may close its descriptor when it is collected, and may have a buffer that must not be used.
    return FdStream(os.dup(opened.fileno()))


def _refusal(url: URL, mode: str, error: Exception) -> OpenError:
    reason = str(error) or type(error).__name__
    if not isinstance(error, OSError):
        reason = f"its opener failed: {type(error).__name__}: {reason}"
    return OpenError(f"cannot open {url.text!r} {_MODES[mode]}: {reason}", url.text)
