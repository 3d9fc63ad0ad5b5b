"""A strict JSON scanner that can stop and continue at any byte.

It finds where a top-level object ends, and refuses the first byte that no JSON text (RFC 8259) could have there. It
keeps its place between pieces, so that the work is linear however the stream is cut, and it does not recurse, so that
nesting costs memory and not stack. It does not check UTF-8: bytes above 0x7f are accepted in strings and nowhere
else.

The reader (`wire.framing`) uses it where msgspec cannot say in one go what the bytes are: parts of messages, several
messages without line ends, and whatever msgspec refuses.
"""

from __future__ import annotations

import re
from functools import cache

__all__ = ["Malformed", "Scanner", "skip_space", "skip_value"]

# What may come next.
_START, _VALUE, _VALUE_OR_END, _KEY, _KEY_OR_END, _COLON, _NEXT, _STRING, _NUMBER, _DONE = range(10)

# Within a number: what was last seen.
_MINUS, _ZERO, _INT, _DOT, _FRACTION, _E, _SIGN, _EXPONENT = range(8)
_DIGITS = b"0123456789"


def _number_table() -> list[dict[int, int]]:
    table: list[dict[int, int]] = [{} for _ in range(8)]
    table[_MINUS] = dict.fromkeys(_DIGITS, _INT) | {ord("0"): _ZERO}
    table[_ZERO] = {ord("."): _DOT, ord("e"): _E, ord("E"): _E}
    table[_INT] = table[_ZERO] | dict.fromkeys(_DIGITS, _INT)
    table[_DOT] = dict.fromkeys(_DIGITS, _FRACTION)
    table[_FRACTION] = dict.fromkeys(_DIGITS, _FRACTION) | {ord("e"): _E, ord("E"): _E}
    table[_SIGN] = dict.fromkeys(_DIGITS, _EXPONENT)
    table[_E] = table[_SIGN] | {ord("+"): _SIGN, ord("-"): _SIGN}
    table[_EXPONENT] = dict.fromkeys(_DIGITS, _EXPONENT)
    return table


_NUMBER_NEXT = _number_table()
_NUMBER_RUN = frozenset((_INT, _FRACTION, _EXPONENT))  # more digits change nothing
_NUMBER_END = frozenset((_ZERO, _INT, _FRACTION, _EXPONENT))  # may end here

_space = re.compile(rb"[ \t\n\r]*").match
_openers = re.compile(rb"\[+").match
_closers = re.compile(rb"[\]}]+").match
_digits = re.compile(rb"[0-9]*").match
_TEXT = rb'[^"\\\x00-\x1f]*'
_ESCAPED = rb'(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})' + _TEXT + rb")*"
_text = re.compile(_TEXT).match
_escaped = re.compile(_ESCAPED).match
_ESCAPES = b'"\\/bfnrt'
_HEX = b"0123456789abcdefABCDEF"
_LITERALS = {ord("t"): b"true", ord("f"): b"false", ord("n"): b"null"}
_BULK = 256
"""From how many bytes on it pays to try many values at once."""
_WINDOW = 16 * 1024
"""How many bytes at most a repeated group matches at a time: `re` needs memory for each repetition until it is done."""


@cache
def _bulk(state: int, closer: int) -> re.Pattern[bytes]:
    """Return the pattern of as many complete values as may follow in this state, each flat or one level deep.

    A number only counts with the byte after it: at the end of a piece its last digit may be yet to come.

    Every text has at most one match of each part, so that a part that fails is given up in linear time. (Possessive
    quantifiers would say the same, but are wrong in CPython 3.11.0 to 3.11.4.)
    """
    space = rb"[ \t\n\r]*"
    string = rb'"' + _TEXT + _ESCAPED + rb'"'
    number = rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?=[ \t\n\r,\]}])"
    scalar = rb"(?:" + string + rb"|" + number + rb"|true|false|null)"

    def many(item: bytes) -> bytes:
        return item + rb"(?:" + space + rb"," + space + item + rb")*"

    def member(value: bytes) -> bytes:
        return string + space + rb":" + space + value

    array = rb"\[" + space + rb"(?:" + many(scalar) + space + rb")?\]"
    object_ = rb"\{" + space + rb"(?:" + many(member(scalar)) + space + rb")?\}"
    value = rb"(?:" + scalar + rb"|" + array + rb"|" + object_ + rb")"
    item = value if closer == ord("]") else member(value)
    if state == _NEXT:
        return re.compile(rb"(?:" + space + rb"," + space + item + rb")*")
    return re.compile(rb"(?:" + many(item) + rb")?")


class Malformed(Exception):
    """The byte at `position` cannot stand there; `reason` says why. Never leaves the library."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(reason, position)
        self.reason = reason
        self.position = position


def _show(byte: int) -> str:
    return f'"{chr(byte)}"' if 0x20 <= byte < 0x7F else f"byte 0x{byte:02x}"


def skip_space(data: bytes | bytearray, position: int = 0) -> int:
    """Return the position of the first byte that is not white space, which may be the end."""
    return _end(_space(data, position), position)


def _end(match: re.Match[bytes] | None, position: int) -> int:
    """Return where a match that began at `position` ends; where there is none, it has not got on."""
    return match.end() if match else position


class Scanner:
    """Follows one JSON value through a growing buffer.

    `scan` is called with the buffer whenever it has grown, and with the position to which it got the last time.
    `done` is true when the value has ended.
    """

    __slots__ = ("_backoff", "_in_key", "_max_depth", "_number", "_resume", "_stack", "_state")

    def __init__(self, max_depth: int, *, any_value: bool = False) -> None:
        self._max_depth = max_depth
        self._stack = bytearray()  # the closing brackets that are due
        self._state = _VALUE if any_value else _START
        self._in_key = False
        self._number = 0
        self._resume = 0  # where the next attempt to take many values at once may begin
        self._backoff = 1

    @property
    def done(self) -> bool:
        return self._state == _DONE

    def reset(self) -> None:
        """Be ready for the next object."""
        self._stack.clear()
        self._state = _START
        self._resume = 0

    def scan(self, data: bytes | bytearray, position: int) -> int:
        """Go on from `position` and return how far it got: to the end of the value, or as far as there are bytes.

        The position returned is never inside a token that has to be read again from further back than six bytes.
        Raises `Malformed`.
        """
        end = len(data)
        while position < end:
            state = self._state
            if state == _STRING:
                position = self._string(data, position)
                if self._state == _STRING:
                    return position
                continue
            if state == _NUMBER:
                position = self._digits(data, position)
                if self._state == _NUMBER:
                    return position
                continue
            if state == _DONE:
                return position
            if end - position >= _BULK and position >= self._resume:
                position = self._many(data, position)
                state = self._state
            position = skip_space(data, position)
            if position == end:
                return position
            byte = data[position]
            if state == _NEXT:
                position = self._next(data, byte, position)
            elif state == _COLON:
                if byte != 0x3A:
                    raise Malformed(f'expected ":" after a key, got {_show(byte)}', position)
                self._state = _VALUE
                position += 1
            elif state in (_KEY, _KEY_OR_END):
                self._key(byte, position)
                position += 1
            else:
                after = self._value(data, byte, position)
                if after == position:  # a part of true, false or null
                    return position
                position = after
        return position

    def finish(self) -> bool:
        """Tell the scanner that no byte follows; return whether the value is complete. Only this ends a number."""
        if self._state == _NUMBER and self._number in _NUMBER_END and not self._stack:
            self._state = _DONE
        return self._state == _DONE

    def _many(self, data: bytes | bytearray, position: int) -> int:
        """Take as many complete values as follow at once, and return the position after them."""
        if not 0 < len(self._stack) < self._max_depth:  # one level deeper may follow
            return position
        if self._state == _COLON or (self._state == _VALUE and self._stack[-1] == 0x7D):
            return position
        start = position
        if self._state != _NEXT:
            position = skip_space(data, position)
        pattern = _bulk(_NEXT if self._state == _NEXT else _VALUE, self._stack[-1])
        match = pattern.match(data, position, position + _WINDOW)
        if match is None or match.end() == position:
            # What is nested deeply does not come many at a time: do not try at every bracket.
            self._backoff = min(2 * self._backoff, 4 * _BULK)
            self._resume = position + self._backoff
            return start
        self._backoff = 1
        self._state = _NEXT
        return match.end()

    def _next(self, data: bytes | bytearray, byte: int, position: int) -> int:
        closer = self._stack[-1]
        if byte == 0x2C:
            self._state = _VALUE if closer == 0x5D else _KEY
        elif byte == closer:
            # Where much ends at once, it is taken at once.
            match = _closers(data, position)
            run = match[0] if match else b""
            if len(run) > 1 and run == self._stack[: -len(run) - 1 : -1]:
                del self._stack[-len(run) :]
                self._ended()
                return position + len(run)
            self._close()
        else:
            raise Malformed(f'expected "," or {_show(closer)}, got {_show(byte)}', position)
        return position + 1

    def _key(self, byte: int, position: int) -> None:
        if byte == 0x22:
            self._state, self._in_key = _STRING, True
        elif byte == 0x7D and self._state == _KEY_OR_END:
            self._close()
        elif byte == 0x7D:
            raise Malformed('trailing comma before "}"', position)
        else:
            raise Malformed(f"expected a key in double quotes, got {_show(byte)}", position)

    def _value(self, data: bytes | bytearray, byte: int, position: int) -> int:
        """Take the beginning of a value and return the position after it, or the same position when more is needed."""
        if byte == 0x7B:
            self._open(0x7D, position)
            self._state = _KEY_OR_END
        elif self._state == _START:
            raise Malformed(f'expected the "{{" of a message, got {_show(byte)}', position)
        elif byte == 0x5B:
            self._state = _VALUE_OR_END
            run = _end(_openers(data, position), position) - position
            if 1 < run <= self._max_depth - len(self._stack):
                self._stack += b"]" * run
                return position + run
            self._open(0x5D, position)
        elif byte == 0x22:
            self._state, self._in_key = _STRING, False
        elif byte == 0x2D or 0x30 <= byte <= 0x39:
            self._number = _MINUS if byte == 0x2D else _ZERO if byte == 0x30 else _INT
            self._state = _NUMBER
        elif byte in _LITERALS:
            return self._literal(data, _LITERALS[byte], position)
        elif byte == 0x5D and self._state == _VALUE_OR_END:
            self._close()
        elif byte == 0x5D and self._stack and self._stack[-1] == 0x5D:
            raise Malformed('trailing comma before "]"', position)
        else:
            raise Malformed(f"expected a value, got {_show(byte)}", position)
        return position + 1

    def _literal(self, data: bytes | bytearray, word: bytes, position: int) -> int:
        seen = bytes(data[position : position + len(word)])
        if seen == word:
            self._ended()
            return position + len(word)
        if word.startswith(seen):
            return position
        wrong = next(i for i, (a, b) in enumerate(zip(seen, word, strict=False)) if a != b)
        raise Malformed(f'expected "{word.decode()}", got {_show(seen[wrong])}', position + wrong)

    def _string(self, data: bytes | bytearray, position: int) -> int:
        while True:
            position = _end(_text(data, position), position)
            if position == len(data):
                return position
            byte = data[position]
            after = _end(_escaped(data, position, position + _WINDOW), position) if byte == 0x5C else position
            if after == position:
                break
            position = after
        if byte == 0x22:
            if self._in_key:
                self._state = _COLON
            else:
                self._ended()
            return position + 1
        if byte != 0x5C:
            raise Malformed(f"control character 0x{byte:02x} in a string", position)
        escape = data[position + 1 : position + 6]
        if escape and escape[0] != 0x75:
            raise Malformed(f"a backslash before {_show(escape[0])} in a string", position + 1)
        for i, digit in enumerate(escape[1:], 2):
            if digit not in _HEX:
                raise Malformed(f"expected a hexadecimal digit, got {_show(digit)}", position + i)
        return position

    def _digits(self, data: bytes | bytearray, position: int) -> int:
        end = len(data)
        while position < end:
            if self._number in _NUMBER_RUN:
                position = _end(_digits(data, position), position)
                if position == end:
                    break
            following = _NUMBER_NEXT[self._number].get(data[position])
            if following is None:
                if self._number not in _NUMBER_END:
                    raise Malformed(f"expected a digit, got {_show(data[position])}", position)
                if 0x30 <= data[position] <= 0x39:
                    raise Malformed("a number has a leading zero", position)
                self._ended()
                break
            self._number = following
            position += 1
        return position

    def _open(self, closer: int, position: int) -> None:
        if len(self._stack) >= self._max_depth:
            raise Malformed(f"nested more than {self._max_depth} levels deep", position)
        self._stack.append(closer)

    def _close(self) -> None:
        self._stack.pop()
        self._ended()

    def _ended(self) -> None:
        self._state = _NEXT if self._stack else _DONE


def skip_value(data: bytes | bytearray, position: int, max_depth: int) -> int:
    """Return the position after the JSON value that begins at or after `position`.

    Raises `Malformed`, also when the value is incomplete.
    """
    scanner = Scanner(max_depth, any_value=True)
    position = scanner.scan(data, skip_space(data, position))
    if not scanner.finish():
        raise Malformed("the value ends too early", position)
    return position
