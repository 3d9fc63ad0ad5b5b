"""Bytes to messages: every way to write them, cut at every byte."""

from __future__ import annotations

import json
import sys
import threading

import pytest

from plugsvc import wire
from plugsvc.errors import ProtocolError
from plugsvc.wire import ReplyReader, RequestReader

from .helpers import by_byte, every_cut, in_pieces, outcome, plain, replies, requests

CALL = (1, "call", "n", "s", b"[1,2]")
SPELLINGS = {
    "compact": b'{"sequence":1,"type":"call","namespace":"n","name":"s","args":[1,2]}\n',
    "no newline": b'{"sequence":1,"type":"call","namespace":"n","name":"s","args":[1,2]}',
    "space around": b'\r\n\t {"sequence":1,"type":"call","namespace":"n","name":"s","args":[1,2]} \t\r\n\n',
    "space inside": b'{ "sequence" : 1 , "type" : "call" , "namespace" : "n" , "name" : "s" , "args" : [1,2] }',
    "over lines": b'{\n"sequence":1,\n"type":"call",\n"namespace":"n",\n"name":"s",\n"args":[1,2]\n}\n',
    "other order": b'{"args":[1,2],"name":"s","namespace":"n","type":"call","sequence":1}\n',
    "unknown keys": b'{"x":[{"}":"{"}],"sequence":1,"type":"call","namespace":"n","name":"s","args":[1,2],"":0}\n',
    "escaped keys": rb'{"\u0073equence":1,"t\u0079pe":"call","namespace":"n","name":"s","\u0061rgs":[1,2]}',
    "escaped values": rb'{"sequence":1,"type":"\u0063all","namespace":"\u006e","name":"s","args":[1,2]}',
    "duplicate keys": b'{"sequence":9,"args":0,"sequence":1,"type":"call","namespace":"n","name":"s","args":[1,2]}',
    "last wins even over a wrong one": b'{"sequence":"x","sequence":1,"type":"call","namespace":"n","name":"s",'
    b'"args":[1,2]}',
}


@pytest.mark.parametrize("data", SPELLINGS.values(), ids=SPELLINGS)
def test_one_message_however_it_is_written_and_cut(data: bytes) -> None:
    for pieces in every_cut(data):
        assert requests(*pieces) == ([CALL], None), pieces


def test_a_message_is_there_with_its_last_byte() -> None:
    data = SPELLINGS["no newline"]
    for cut in range(len(data)):
        reader = RequestReader()
        assert reader.feed(data[:cut]) == []
        assert reader.buffered == cut
        assert len(reader.feed(data[cut:])) == 1
        assert (reader.buffered, reader.offset) == (0, len(data))


def test_the_first_of_two_is_there_before_the_second_is_whole() -> None:
    one, two = SPELLINGS["no newline"], SPELLINGS["compact"]
    for cut in range(len(two)):
        reader = RequestReader()
        assert len(reader.feed(one + two[:cut])) == (1 if cut < len(two) - 1 else 2)


CONVERSATION = b"".join(SPELLINGS.values()) + (
    rb'{"type": "call", "namespace": "n{\"}[", "name": "", "args": ["\\", "\"]}", {"a": [[], {}, 1.5e-3]}], '
    rb'"sequence": 2}'
    rb'{"sequence":18446744073709551615}{}{"sequence":null,"type":null,"namespace":null,"name":null,"args":null}'
    rb'{"sequence":-0,"args":"x"}'
    b"\n"
)
CONVERSED = [
    *[CALL] * len(SPELLINGS),
    (2, "call", 'n{"}[', "", rb'["\\", "\"]}", {"a": [[], {}, 1.5e-3]}]'),
    (2**64 - 1, "", "", "", None),
    (0, "", "", "", None),
    (0, "", "", "", b"null"),
    (0, "", "", "", b'"x"'),
]


def test_a_conversation_cut_at_each_byte() -> None:
    for pieces in every_cut(CONVERSATION):
        assert requests(*pieces) == (CONVERSED, None)


@pytest.mark.parametrize("size", [2, 3, 7, 16, 100, 333])
def test_a_conversation_in_pieces(size: int) -> None:
    assert requests(*in_pieces(CONVERSATION, size)) == (CONVERSED, None)


def test_replies() -> None:
    data = (
        b'{"sequence":1,"reply":[3]}\n{"sequence":901}\n{"sequence":905,"services":["a","\xc3\xa9"],"ok":true}'
        b'{"sequence":57,"reply":[],"error":""}{"sequence":2,"services":null,"ok":null,"reply":null,"error":null}'
    )
    expected = [
        (1, (), False, b"[3]", None),
        (901, (), False, None, None),
        (905, ("a", "é"), True, None, None),
        (57, (), False, b"[]", ""),
        (2, (), False, b"null", None),
    ]
    for pieces in every_cut(data):
        assert replies(*pieces) == (expected, None)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb"\ud800", "\ufffd"),
        (rb"\udc00x", "\ufffdx"),
        (rb"\ud800\u0041", "\ufffdA"),
        (rb"\ud83d\ude00", "\U0001f600"),
        (rb"\\ud800", r"\ud800"),
        (b"a\xffb", "a\ufffdb"),
        (b"\xc3\xa9", "é"),
        (rb"\u0000\b\f\n\r\t\"\\\/", '\0\b\f\n\r\t"\\/'),
        (b"\x7f\xc2\x80", "\x7f\x80"),
    ],
)
def test_what_utf8_cannot_carry_is_replaced(written: bytes, read: str) -> None:
    data = b'{"sequence":3,"error":"' + written + b'","services":["' + written + b'"]}\n'
    for pieces in every_cut(data):
        assert replies(*pieces) == ([(3, (read,), False, None, read)], None)


def test_what_calls_carry_is_not_looked_into() -> None:
    for value in (rb'["\ud800"]', b'["\xff"]', b"[1e999]", b"12345678901234567890123", b'{"a":1,"a":2}'):
        assert requests(b'{"args":' + value + b"}\n") == ([(0, "", "", "", value)], None)


def test_raw_parts_stay_as_they_are_when_more_is_read() -> None:
    reader = ReplyReader()
    line = wire.encode_reply(1, reply=b'["' + b"a" * 100 + b'"]')
    kept = [message for piece in in_pieces(line * 50, 37) for message in reader.feed(piece)]
    assert [plain(message) for message in kept] == [(1, (), False, b'["' + b"a" * 100 + b'"]', None)] * 50


def test_white_space_alone_is_nothing() -> None:
    reader = RequestReader()
    for piece in (b"", b"\n", b" \t", b"\r\n\r\n"):
        assert reader.feed(piece) == []
    assert (reader.buffered, reader.offset) == (0, 7)
    reader.eof()


def test_the_end_between_messages_is_a_good_one() -> None:
    reader = RequestReader()
    reader.feed(SPELLINGS["space around"])
    reader.eof()
    assert reader.error is None


def test_the_end_in_the_middle_of_a_message_is_not() -> None:
    data = SPELLINGS["no newline"]
    for cut in range(1, len(data)):
        reader = RequestReader()
        reader.feed(data + data[:cut])
        with pytest.raises(ProtocolError) as caught:
            reader.eof()
        assert caught.value.reason == "the stream ends in the middle of a message"
        assert caught.value.offset == len(data) + cut
        assert caught.value.excerpt == data[max(0, cut - 31) : cut]


def test_after_an_error_everything_raises_the_same() -> None:
    reader = RequestReader()
    assert len(reader.feed(b"{}{}]{}")) == 2
    assert reader.error is not None
    for call in (lambda: reader.feed(b"{}"), reader.check, reader.eof):
        with pytest.raises(ProtocolError) as caught:
            call()
        assert str(caught.value) == str(reader.error)
    assert reader.buffered == 0


def test_check_is_quiet_while_all_is_well() -> None:
    reader = RequestReader()
    reader.feed(b'{"sequence"')
    reader.check()


@pytest.mark.parametrize("size", [1000, 4096, 5000, 65536])
@pytest.mark.parametrize("end", [b"\n", b"", b" \n"])
def test_large_messages_in_pieces(size: int, end: bytes) -> None:
    records = [{"id": i, "name": f"n{i}", "tags": ["}", "{", '"'], "sub": {"f": 1.5, "n": None}} for i in range(2000)]
    values = [
        b'["' + b"x" * 150_000 + b'"]',
        b'["' + rb"if (x) { y[0] = \"a\\\"; }\n" * 5000 + b'"]',
        json.dumps([records]).encode(),
        json.dumps([records], separators=(",", ":")).encode(),
        json.dumps([records], indent=1).encode(),
        b"[" + b",".join(b"%d" % i for i in range(30_000)) + b"]",
        json.dumps([["\U0001f600}", "{"] * 5000]).encode(),
        b'["' + rb"\ud800}" * 10_000 + b'"]',
        b'[{"' + rb"\ud800" * 10_000 + b'":1}]',
    ]
    stream = b"".join(b'{"sequence":%d,"reply":%b}%b' % (i, value, end) for i, value in enumerate(values))
    messages, error = replies(*in_pieces(stream, size))
    assert error is None
    assert messages == [(i, (), False, value, None) for i, value in enumerate(values)]


def test_deep_in_the_callers_stack_messages_are_still_read() -> None:
    data = b'{"sequence":4,"args":' + b"[" * 400 + b"]" * 400 + b"}\n"

    def at_depth(levels: int) -> object:
        if levels:
            return at_depth(levels - 1)
        return outcome(RequestReader(), [data]), outcome(RequestReader(), by_byte(data))

    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(at_depth(sys.getrecursionlimit() - 150)))
    thread.start()
    thread.join(30)
    expected = [(4, "", "", "", b"[" * 400 + b"]" * 400)], None
    assert results == [(expected, expected)]
