"""The URLs of `--host`: parsed strictly, and made from paths.

A URL is read by RFC 3986: `scheme:[//authority]path[?query][#fragment]`. The scheme is case-insensitive, the
path is percent-decoded, query and fragment are ignored. What cannot be a URL is refused with the reason
instead of being bent into something that opens another file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import OpenError

__all__ = [
    "HOST_FLAG",
    "MAX_URLS",
    "URL",
    "check_count",
    "parse_url",
    "with_file_path",
    "with_file_path_pair",
]

HOST_FLAG = "--host"

MAX_URLS = 2
"""One URL is a duplex stream; of two, the first is read and the second written."""

# RFC 3986, appendix B, with the scheme's alphabet of section 3.1. DOTALL: a newline is refused below, not
# skipped.
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?://(?P<authority>[^/?#]*))?(?P<path>[^?#]*)", re.DOTALL)
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# What RFC 3986 lets stand in a path unescaped (pchar and the slash), beyond the unreserved characters.
_SAFE_IN_PATH = "/!$&'()*+,;=:@"


class URL(NamedTuple):
    """A parsed URL.

    `text`: as it was given. `scheme`: in lower case. `authority`: percent-decoded, None where there is no
    `//`. `path`: percent-decoded, bytes that are not UTF-8 as `os.fsdecode` gives them.
    """

    text: str
    scheme: str
    authority: str | None
    path: str


def _unescape(text: str) -> bytes:
    return _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), text.encode(errors="surrogateescape"))


def parse_url(text: str) -> URL:
    """Return the parts of a URL. Raises `OpenError` that says what is wrong with it."""
    control = _CONTROL.search(text)
    if control:
        raise OpenError(f"{text!r} is not a URL: it contains the character {control[0]!r}", text)
    match = _URL.match(text)
    if not match:
        hint = f"; for a path, use {with_file_path(text)[1]!r}" if text and not text.startswith(":") else ""
        raise OpenError(f"{text!r} is not a URL: it has no scheme{hint}", text)
    escape = _BAD_ESCAPE.search(match[0])
    if escape:
        where = text[escape.start() : escape.start() + 3]
        raise OpenError(f"{text!r} is not a URL: {where!r} is not a percent-escape (a plain % is %25)", text)
    try:
        path = _unescape(match["path"])
    except UnicodeEncodeError:
        raise OpenError(f"{text!r} is not a URL: it contains a lone surrogate", text)
    if b"\0" in path:
        raise OpenError(f"{text!r}: a path cannot contain the character '\\x00'", text)
    authority = match["authority"]
    return URL(
        text,
        match["scheme"].lower(),
        None if authority is None else _unescape(authority).decode(errors="replace"),
        os.fsdecode(path),
    )


def check_count(urls: Sequence[str]) -> None:
    """Raise `OpenError` unless there are one or two URLs."""
    if not urls:
        raise OpenError("expected one or two URLs, got none")
    if len(urls) > MAX_URLS:
        raise OpenError(f"{HOST_FLAG} is given {len(urls)} times: give one duplex URL, or two, to read and to write")


def _file_url(path: str | os.PathLike[str]) -> str:
    from urllib.parse import quote  # costs as much to import as the rest of a plugin's start

    # Absolute, because the plugin may run elsewhere; not normalised, because `a/../b` through a symbolic
    # link is not `b`.
    absolute = os.path.join(os.getcwd(), os.fspath(path))
    return "file://" + quote(os.fsencode(absolute), safe=_SAFE_IN_PATH)


def with_file_path(path: str | os.PathLike[str]) -> list[str]:
    """Return the arguments that tell a plugin to use the file at `path` as its duplex stream.

    A relative path is taken from the current directory of the caller.
    """
    return [HOST_FLAG, _file_url(path)]


def with_file_path_pair(reader: str | os.PathLike[str], writer: str | os.PathLike[str]) -> list[str]:
    """Return the arguments that tell a plugin to read from the file `reader` and to write to the file
    `writer`.
    """
    return [HOST_FLAG, _file_url(reader), HOST_FLAG, _file_url(writer)]
