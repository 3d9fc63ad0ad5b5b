"""The URLs of `--host`: parsed strictly, and made from paths.

A URL is read by RFC 3986: `scheme:[//authority]path[?query][#fragment]`. The scheme is case-insensitive, the
path is percent-decoded; the query is for the few schemes that know one, and ignored by the others, as the
fragment is by all. What cannot be a URL is refused with the reason instead of being bent into something that
opens another file.
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
    "quote_path",
    "with_file_path",
    "with_file_path_pair",
]

HOST_FLAG = "--host"

MAX_URLS = 2
"""One URL is a duplex stream; of two, the first is read and the second written."""

# RFC 3986, appendix B, with the scheme's alphabet of section 3.1. DOTALL: a newline is refused below, not
# skipped.
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?://(?P<authority>[^/?#]*))?(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?",
    re.DOTALL,
)
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# What RFC 3986 lets stand in a path unescaped (pchar and the slash), beyond the unreserved characters.
_SAFE_IN_PATH = "/!$&'()*+,;=:@"


class URL(NamedTuple):
    """A parsed URL.

    `text`: as it was given. `scheme`: in lower case. `authority`: percent-decoded, None where there is no
    `//`. `path`: percent-decoded, bytes that are not UTF-8 as `os.fsdecode` gives them. `query`: as it was
    given, `""` where there is none; `parameter` reads it.
    """

    text: str
    scheme: str
    authority: str | None
    path: str
    query: str = ""

    def parameter(self, name: str) -> str | None:
        """Return the percent-decoded value of `name=value` in the query, None where it is not given.

        Raises `OpenError` when it is given more than once, or is not properly escaped.
        """
        values = [value for key, _, value in (each.partition("=") for each in self.query.split("&")) if key == name]
        if not values:
            return None
        if len(values) > 1:
            raise OpenError(f"{name!r} is given {len(values)} times")
        escape = _BAD_ESCAPE.search(values[0])
        if escape:
            where = values[0][escape.start() : escape.start() + 3]
            raise OpenError(f"{where!r} is not a percent-escape (a plain % is %25)")
        value = _unescape(values[0])
        if b"\0" in value:
            raise OpenError(f"{name!r} cannot contain the character '\\x00'")
        return os.fsdecode(value)


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
    escape = _BAD_ESCAPE.search(text[: match.end("path")])
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
        match["query"] or "",
    )


def check_count(urls: Sequence[str]) -> None:
    """Raise `OpenError` unless there are one or two URLs."""
    if not urls:
        raise OpenError("expected one or two URLs, got none")
    if len(urls) > MAX_URLS:
        raise OpenError(f"{HOST_FLAG} is given {len(urls)} times: give one duplex URL, or two, to read and to write")


def quote_path(path: str | os.PathLike[str]) -> str:
    """Return a path as it stands in a URL, percent-encoded."""
    from urllib.parse import quote  # costs as much to import as the rest of a plugin's start

    return quote(os.fsencode(path), safe=_SAFE_IN_PATH)


def _file_url(path: str | os.PathLike[str]) -> str:
    # Absolute, because the plugin may run elsewhere; not normalised, because `a/../b` through a symbolic
    # link is not `b`.
    return "file://" + quote_path(absolute(path))


def absolute(path: str | os.PathLike[str]) -> str:
    """Return the path from the root. Raises `OSError` for a relative one when the working folder is gone."""
    text = os.fspath(path)
    return text if text.startswith("/") else os.path.join(os.getcwd(), text)


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
