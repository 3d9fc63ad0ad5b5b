"""Where one message ends: a reader of concatenated JSON objects, written for judging.

It finds the end of each top-level object by its brackets and strings alone, in time linear in the bytes, and leaves
the judgement of the object's inside to `oracle.strict`.
"""

from __future__ import annotations

import re

_STRING = rb'[^"\\]*(?:\\.[^"\\]*)*'
_REST_OF_STRING = re.compile(_STRING, re.DOTALL)
_FLAT = re.compile(rb'(?:[^"{}\[\]]+|"' + _STRING + rb'")*', re.DOTALL)
"""Everything up to the next bracket, or to a string whose end has not come yet."""
_WINDOW = 16 * 1024
"""How many bytes a pattern sees at a time: ``re`` keeps something for each repetition until the match is over."""
_SPACE = b" \t\r\n"
_QUOTE = 0x22


class BadFrame(ValueError):
    """Bytes that cannot begin or go on with a message; the message says what and where."""


class FrameReader:
    """Cuts a stream into the bytes of its top-level objects.

    ``between`` collects the white space seen between objects, for the requirement on line feeds.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._seen = 0
        self.between: list[bytes] = []

    @property
    def in_message(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._depth > 0

    def feed(self, data: bytes) -> list[bytes]:
        """The messages completed by ``data``.

        Raises:
            BadFrame: something else than white space or an object stands at the top level.
        """
        frames: list[bytes] = []
        at, start = 0, 0
        while at < len(data):
            if self._depth == 0:
                at = start = self._skip_space(data, at)
                if at == len(data):
                    break
                self._depth, at = 1, at + 1
            at = self._inside(data, at)
            if self._depth == 0:
                self._parts.append(data[start:at])
                frames.append(b"".join(self._parts))
                self._parts, start = [], at
        if self._depth:
            self._parts.append(data[start:])
        self._seen += len(data)
        return frames

    def _skip_space(self, data: bytes, at: int) -> int:
        begin = at
        while at < len(data) and data[at] in _SPACE:
            at += 1
        self.between.append(data[begin:at])
        if at < len(data) and data[at] != 0x7B:
            excerpt = data[at : at + 40]
            raise BadFrame(f"expected '{{' or white space at byte {self._seen + at} of the stream, got {excerpt!r}")
        return at

    def _inside(self, data: bytes, at: int) -> int:
        """Go on inside a message; the place behind its end, or the end of the data."""
        while at < len(data):
            if self._escaped:
                self._escaped = False
                at += 1
            elif self._in_string:
                at = _end(_REST_OF_STRING, data, at)
                if at < len(data) and data[at] in b'"\\':
                    self._in_string = data[at] != _QUOTE
                    self._escaped = self._in_string  # a backslash, and nothing behind it that has been seen
                    at += 1
            else:
                at = _end(_FLAT, data, at)
                if at == len(data):
                    break
                token = data[at]
                if token == _QUOTE:
                    self._in_string = True
                elif token in b"{[":
                    self._depth += 1
                elif token in b"}]":
                    self._depth -= 1
                else:  # where the window ended
                    continue
                at += 1
                if self._depth == 0:
                    return at
        return at


def _end(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    found = pattern.match(data, at, at + _WINDOW)
    assert found is not None  # the patterns match nothing as well
    return found.end()
