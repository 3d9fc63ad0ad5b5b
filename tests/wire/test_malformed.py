"""What ends a connection: the reason, the offset and the excerpt, whatever the cut; and what came before is kept."""

from __future__ import annotations

import pytest

from .helpers import by_byte, every_cut, in_pieces, replies, requests

BEGIN = 'expected the "{" of a message, got '
RANGE = '"sequence" is not in the range from 0 to 18446744073709551615'

NOT_JSON = {
    b"[1]": (BEGIN + '"["', 0),
    b'"x"': (BEGIN + '"""', 0),
    b"7": (BEGIN + '"7"', 0),
    b"true": (BEGIN + '"t"', 0),
    b"null": (BEGIN + '"n"', 0),
    b"\x00": (BEGIN + "byte 0x00", 0),
    b"\xef\xbb\xbf{}": (BEGIN + "byte 0xef", 0),
    b"}": (BEGIN + '"}"', 0),
    b",": (BEGIN + '","', 0),
    b"\x0c{}": (BEGIN + "byte 0x0c", 0),
    b"{,}": ('expected a key in double quotes, got ","', 1),
    b"{1:2}": ('expected a key in double quotes, got "1"', 1),
    b"{'a':1}": ('expected a key in double quotes, got "\'"', 1),
    b"{]": ('expected a key in double quotes, got "]"', 1),
    b'{"a" 1}': ('expected ":" after a key, got "1"', 5),
    b'{"a"}': ('expected ":" after a key, got "}"', 4),
    b'{"a":}': ('expected a value, got "}"', 5),
    b'{"a":,': ('expected a value, got ","', 5),
    b'{"a":]': ('expected a value, got "]"', 5),
    b'{"a":1,}': ('trailing comma before "}"', 7),
    b'{"a":1,,': ('expected a key in double quotes, got ","', 7),
    b'{"a":[1,]}': ('trailing comma before "]"', 8),
    b'{"a":[,1]}': ('expected a value, got ","', 6),
    b'{"a":[1 2]}': ('expected "," or "]", got "2"', 8),
    b'{"a":[1}': ('expected "," or "]", got "}"', 7),
    b'{"a":1]': ('expected "," or "}", got "]"', 6),
    b'{"a":NaN}': ('expected a value, got "N"', 5),
    b'{"a":Infinity}': ('expected a value, got "I"', 5),
    b'{"a":-Infinity}': ('expected a digit, got "I"', 6),
    b'{"a":-}': ('expected a digit, got "}"', 6),
    b'{"a":+1}': ('expected a value, got "+"', 5),
    b'{"a":.5}': ('expected a value, got "."', 5),
    b'{"a":1.}': ('expected a digit, got "}"', 7),
    b'{"a":1.e5}': ('expected a digit, got "e"', 7),
    b'{"a":1e}': ('expected a digit, got "}"', 7),
    b'{"a":1e+}': ('expected a digit, got "}"', 8),
    b'{"a":01}': ("a number has a leading zero", 6),
    b'{"a":-01}': ("a number has a leading zero", 7),
    b'{"a":0x10}': ('expected "," or "}", got "x"', 6),
    b'{"a":1.5.5}': ('expected "," or "}", got "."', 8),
    b'{"a":tru}': ('expected "true", got "}"', 8),
    b'{"a":True}': ('expected a value, got "T"', 5),
    b'{"a":nul': None,
    b'{"a":nulL': ('expected "null", got "L"', 8),
    b'{"a":truex': ('expected "," or "}", got "x"', 9),
    b'{"a":"\n"}': ("control character 0x0a in a string", 6),
    b'{"a":"\x00"}': ("control character 0x00 in a string", 6),
    b'{"a":"\x1f': ("control character 0x1f in a string", 6),
    b'{"\t":1}': ("control character 0x09 in a string", 2),
    b'{"a":"\\x"}': ('a backslash before "x" in a string', 7),
    b'{"a":"\\\n': ("a backslash before byte 0x0a in a string", 7),
    b'{"a":"\\u12g4"}': ('expected a hexadecimal digit, got "g"', 10),
    b'{"a":"\\u 123"}': ('expected a hexadecimal digit, got " "', 8),
    b'{"a":"\\u12"}': ('expected a hexadecimal digit, got """', 10),
    b'{"a":\xff}': ("expected a value, got byte 0xff", 5),
    b'{"a":1}/*c*/': (BEGIN + '"/"', 7),
    b'{"a":1 //c\n}': ('expected "," or "}", got "/"', 7),
    b"{}}": (BEGIN + '"}"', 2),
    b'{"sequence":1},': (BEGIN + '","', 14),
    b'{"sequence":1}\x00': (BEGIN + "byte 0x00", 14),
}

REQUEST_FIELDS = {
    b'"sequence":"1"': '"sequence" is a string, not an integer',
    b'"sequence":true': '"sequence" is true, not an integer',
    b'"sequence":[1]': '"sequence" is an array, not an integer',
    b'"sequence":{}': '"sequence" is an object, not an integer',
    b'"sequence":-1': RANGE,
    b'"sequence":18446744073709551616': RANGE,
    b'"sequence":' + b"9" * 5000: RANGE,
    b'"sequence":1.5': '"sequence" is not written as an integer',
    b'"sequence":1.0': '"sequence" is not written as an integer',
    b'"sequence":1e2': '"sequence" is not written as an integer',
    b'"sequence":1,"sequence":"1"': '"sequence" is a string, not an integer',
    rb'"\u0073equence":"1"': '"sequence" is a string, not an integer',
    b'"type":1': '"type" is a number, not a string',
    b'"type":false': '"type" is false, not a string',
    b'"namespace":[]': '"namespace" is an array, not a string',
    b'"name":{}': '"name" is an object, not a string',
}

REPLY_FIELDS = {
    b'"sequence":"1"': '"sequence" is a string, not an integer',
    b'"error":0': '"error" is a number, not a string',
    b'"error":{}': '"error" is an object, not a string',
    b'"error":false': '"error" is false, not a string',
    b'"ok":1': '"ok" is a number, not a boolean',
    b'"ok":"true"': '"ok" is a string, not a boolean',
    b'"services":"a"': '"services" is a string, not an array',
    b'"services":{}': '"services" is an object, not an array',
    b'"services":["a",1]': '"services" has a number in it, where only strings can be',
    b'"services":[null]': '"services" has null in it, where only strings can be',
}


@pytest.mark.parametrize(("data", "problem"), NOT_JSON.items(), ids=[repr(data) for data in NOT_JSON])
def test_the_first_byte_that_cannot_be_is_named(data: bytes, problem: tuple[str, int] | None) -> None:
    good = b'{"sequence":5}\n'
    for pieces in every_cut(good + data):
        messages, error = requests(*pieces)
        assert messages[0] == (5, "", "", "", None)
        if problem is None:
            assert error is None
            continue
        reason, position = problem
        assert error is not None
        assert error[:2] == (reason, len(good) + position), pieces
        # The excerpt ends with the byte that is meant, and begins in the same message.
        message = data[: position + 1]
        assert message.endswith(error[2])
        assert error[2]


@pytest.mark.parametrize(("field", "reason"), REQUEST_FIELDS.items(), ids=[repr(f[:40]) for f in REQUEST_FIELDS])
def test_request_fields_of_the_wrong_kind(field: bytes, reason: str) -> None:
    message = b"{" + field + b',"x":1}'
    for pieces in [[b"{}" + message], by_byte(b"{}" + message), [b"{}" + message + b"\n{}"]]:
        assert requests(*pieces) == ([(0, "", "", "", None)], (reason, 2, message[:64]))


@pytest.mark.parametrize(("field", "reason"), REPLY_FIELDS.items(), ids=[repr(f[:40]) for f in REPLY_FIELDS])
def test_reply_fields_of_the_wrong_kind(field: bytes, reason: str) -> None:
    message = b"{" + field + b"}"
    for pieces in every_cut(message):
        assert replies(*pieces) == ([], (reason, 0, message))


@pytest.mark.parametrize("size", [1, 10, 500, 4096, 100_000])
def test_an_error_in_the_middle_of_much_is_found_where_it_is(size: int) -> None:
    good = b'{"sequence":1,"args":[[1,2,{"a":"b"}],"x"]}'
    bad = b'{"sequence":2,"args":[' + b'{"a":[1,2]},' * 600 + b"nan" + b"]}"
    place = len(good) * 30 + bad.index(b"nan") + 1
    messages, error = requests(*in_pieces(good * 30 + bad + good, size))
    assert len(messages) == 30
    assert error is not None
    assert error[:2] == ('expected "null", got "a"', place)


@pytest.mark.parametrize("stray", [b",", b"]", b"}", b", ", b"},\n", b'"', b"x", b",x" * 2000])
def test_what_follows_a_large_message_is_told_at_once(stray: bytes) -> None:
    good = b'{"sequence":1,\n"reply":[' + b'{"a":"x"},' * 2000 + b"1]}"
    for pieces in ([good + stray], [good[:7000], good[7000:] + stray], [good, stray], [good[:-1], b"}" + stray]):
        messages, error = replies(*pieces)
        assert len(messages) == 1
        assert error is not None
        assert error[:2] == (f'expected the "{{" of a message, got "{chr(stray[0])}"', len(good))


def test_a_large_piece_without_an_end_does_not_hide_an_error_for_good() -> None:
    start = b'{"sequence":1,"reply":["' + b"x" * 5000 + b"\n" + b"x" * 5000
    messages, error = replies(start, b'"]}')
    assert messages == []
    assert error is not None
    assert error[:2] == ("control character 0x0a in a string", start.index(b"\n"))
