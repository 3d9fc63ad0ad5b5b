"""The URLs of a host on the command line of a recorded plugin: find them, name their transport, replace them."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import OpenError
from ..openers.url import HOST_FLAG, parse_url

__all__ = ["HostWords", "find_host_words", "transport_of"]

_DESCRIPTOR = re.compile(r"/+(dev|proc/+(?:self|thread-self|\d+))/+fd/+\d+")


class HostWords(NamedTuple):
    """The words of a command line before the first `--host`, the URLs, and the words behind it without the others."""

    before: tuple[str, ...]
    urls: tuple[str, ...]
    after: tuple[str, ...]

    def replaced(self, words: Sequence[str]) -> list[str]:
        """Return the command line with these words in place of the host's."""
        return [*self.before, *words, *self.after]


def find_host_words(words: Sequence[str]) -> HostWords:
    """Find `--host URL` and `--host=URL`, up to a lone `--`; without any, all words are before."""
    before: list[str] = []
    after: list[str] = []
    urls: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == HOST_FLAG and rest:
            urls.append(rest.pop(0))
        elif word.startswith(HOST_FLAG + "="):
            urls.append(word[len(HOST_FLAG) + 1 :])
        else:
            (after if urls else before).append(word)
            if word == "--":
                (after if urls else before).extend(rest)
                break
    return HostWords(tuple(before), tuple(urls), tuple(after))


def transport_of(urls: Sequence[str]) -> str:
    """Return the name of the transport that the URLs stand for: that of a bind where there is one, else the scheme.

    Raises `OpenError` for what is not a URL.
    """
    url = parse_url(urls[0])
    if url.scheme == "fd":
        return "fd-pair" if "," in url.path else "fd"
    if url.scheme != "file":
        return url.scheme
    found = _DESCRIPTOR.fullmatch(url.path)
    try:
        mode = os.stat(url.path).st_mode
    except (OSError, ValueError):
        raise OpenError(f"cannot open {url.text!r}: there is no such file", url.text)
    if len(urls) == 1:
        return "pty" if stat.S_ISCHR(mode) else "file"
    if found:
        return "devfd" if found[1] == "dev" or "self" in found[1] else "procfs"
    return "fifo" if stat.S_ISFIFO(mode) else "file"
