"""Framing: bytes in, whole JSON objects out.

The grammar is checked while the bytes come in. So a malformed message is known at its first wrong byte, and nobody
waits for the rest of it. The scanner keeps its place between two pieces: no byte is looked at twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_DEPTH = 1_000  # levels of arrays and objects
MAX_NUMBER = 10_000  # characters

SPACE = re.compile(rb"[ \t\r\n]*")
TEXT = re.compile(rb'[^"\\\x00-\x1f]*')  # the inside of a string, up to an escape
ESCAPE = re.compile(rb'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})')
CUT_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{0,3})?")
WORD = re.compile(rb"[-+.0-9A-Za-z]*")
SCALAR = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null")
CUT_SCALAR = re.compile(
    rb"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*|(?:\.[0-9]+)?[eE][-+]?[0-9]*)?)?"
    rb"|t(?:r(?:ue?)?)?|f(?:a(?:l(?:se?)?)?)?|n(?:u(?:ll?)?)?"
)

# What may come next, one letter a token: brackets, comma and colon as they are, " a string, v a number or literal.
MESSAGE, FIRST_KEY, KEY, COLON, VALUE, FIRST_VALUE = "{", '"}', '"', ":", '{["v', '{["v]'
AFTER_MEMBER, AFTER_ITEM = ",}", ",]"
NAMES = {MESSAGE: "an object", FIRST_KEY: 'a key or "}"', KEY: "a key", COLON: '":"', VALUE: "a value"}
NAMES |= {FIRST_VALUE: 'a value or "]"', AFTER_MEMBER: '"," or "}"', AFTER_ITEM: '"," or "]"'}


class Malformed(Exception):
    """What came is no message."""


class Scanner:
    """Finds the messages in one direction of a connection."""

    def __init__(self) -> None:
        self._buffer = bytearray()  # the message that is under way
        self._at = 0  # how far it has been scanned
        self._open: list[str] = []  # its open brackets
        self._expected = MESSAGE
        self._in_string = False

    @property
    def within_message(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._open)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield each message that the next bytes complete; raises Malformed at the first wrong byte."""
        self._buffer += data
        while self._scan():
            yield bytes(self._buffer[: self._at])
            del self._buffer[: self._at]
            self._at = 0

    def _scan(self) -> bool:
        """Go on to the end of the message, or of the bytes; whether the message is whole."""
        while self._at < len(self._buffer):
            if self._in_string:
                if not self._string():
                    return False
                continue
            self._at = self._end(SPACE)
            if self._at == len(self._buffer):
                return False
            token = chr(self._buffer[self._at])
            if token not in '{}[]:,"':
                token = "v"
            if token not in self._expected:
                raise self._unexpected()
            if token == "v" and not self._scalar():
                return False
            if token != "v":
                self._at += 1
            if self._take(token):
                return True
        return False

    def _take(self, token: str) -> bool:
        """Change the state by a token; whether it ends the message."""
        if token in "{[":
            self._open.append(token)
            if len(self._open) > MAX_DEPTH:
                raise Malformed(f"a message nested deeper than {MAX_DEPTH} levels")
            self._expected = FIRST_KEY if token == "{" else FIRST_VALUE
        elif token == ":":
            self._expected = VALUE
        elif token == ",":
            self._expected = KEY if self._open[-1] == "{" else VALUE
        elif token == '"' and self._expected in (KEY, FIRST_KEY):
            self._in_string = True
            self._expected = COLON
        else:
            self._in_string = token == '"'
            if token in "}]":
                self._open.pop()
            if not self._open:
                self._expected = MESSAGE
                return True
            self._expected = AFTER_MEMBER if self._open[-1] == "{" else AFTER_ITEM
        return False

    def _string(self) -> bool:
        """Go on to the end of the string; whether it is there."""
        self._at = self._end(TEXT)
        while escape := ESCAPE.match(self._buffer, self._at):
            self._at = escape.end()
            self._at = self._end(TEXT)
        if self._at == len(self._buffer) or CUT_ESCAPE.fullmatch(self._buffer, self._at):
            return False
        if self._buffer[self._at : self._at + 1] != b'"':
            raise Malformed(f"a string with {self._shown()} in it")
        self._at += 1
        self._in_string = False
        return True

    def _scalar(self) -> bool:
        """Go behind the number or literal; whether it is whole."""
        end = self._end(WORD)
        if end - self._at > MAX_NUMBER:
            raise Malformed(f"a number of more than {MAX_NUMBER} characters")
        whole = end < len(self._buffer)
        if not (SCALAR if whole else CUT_SCALAR).fullmatch(self._buffer, self._at, end) or end == self._at:
            raise self._unexpected()
        if whole:
            self._at = end
        return whole

    def _end(self, pattern: re.Pattern[bytes]) -> int:
        found = pattern.match(self._buffer, self._at)
        return found.end() if found else self._at

    def _unexpected(self) -> Malformed:
        return Malformed(f"expected {NAMES[self._expected]}, got {self._shown()}")

    def _shown(self) -> str:
        return repr(bytes(self._buffer[self._at : self._at + 12]))[1:]
