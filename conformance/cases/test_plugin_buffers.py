"""Messages of a plugin's connection that end exactly where a buffer ends."""

from __future__ import annotations

from conformance.case import case
from conformance.cases.boundaries import BUFFERS, KIB, around, padded
from conformance.drive.control import Ticket
from conformance.drive.plugin import PluginSession
from conformance.drive.problems import Problems
from conformance.oracle import strict
from conformance.outcomes import Failure


def answer(plugin: PluginSession, ticket: Ticket, size: int) -> bytes:
    """A reply of exactly ``size`` bytes to the call, without anything behind it."""
    sequence = plugin.request(ticket)["sequence"]
    return padded(b'{"sequence":%d,"reply":["' % sequence, b'"]}', size)


def text_in(message: bytes) -> str:
    """The result that `answer` made."""
    return message.rpartition(b'["')[2].removesuffix(b'"]}').decode()


@case("FRM-05")
def test_reply_fills_buffer(plugin: PluginSession) -> None:
    """A reply as long as a buffer, or a byte shorter or longer, is acted on at its last byte."""
    problems = Problems()
    for buffer in BUFFERS:
        for size in around(buffer):
            with problems.of(f"a reply of {size} bytes"):
                ticket = plugin.call(results=(plugin.text,))
                message = answer(plugin, ticket, size)
                plugin.send(message)
                plugin.ok(ticket, text_in(message))
    problems.check()


@case("FRM-05")
def test_stream_fills_buffer(plugin: PluginSession) -> None:
    """A reply with whose last byte the stream is as long as a buffer, or several, is acted on at that byte."""
    problems, sent = Problems(), 0
    for buffer in BUFFERS[:4]:
        for _ in range(2):
            for part in range(1, 4):  # the third one ends where a buffer ends
                size = (buffer - sent % buffer) if part == 3 else 100 + buffer // 9
                with problems.of(f"a reply of {size} bytes, {sent} bytes behind the beginning of the stream"):
                    ticket = plugin.call(results=(plugin.text,))
                    message = answer(plugin, ticket, max(size, 100))
                    sent += len(message)
                    plugin.send(message)
                    plugin.ok(ticket, text_in(message))
    problems.check()


@case("FRM-05")
def test_error_fills_buffer(plugin: PluginSession) -> None:
    """The same for replies with an error."""
    problems = Problems()
    for size in BUFFERS:
        with problems.of(f"a reply of {size} bytes"):
            ticket = plugin.call()
            sequence = plugin.request(ticket)["sequence"]
            message = padded(b'{"sequence":%d,"error":"' % sequence, b'"}', size)
            plugin.send(message)
            text = plugin.failed(ticket, why="a reply with an error")
            if text != message.rpartition(b':"')[2].removesuffix(b'"}').decode():
                raise Failure("another error than was sent", seen=f"{len(text)} characters, {text[:40]!r}")
    problems.check()


@case("FRM-04", features=("concurrent",))
def test_buffer_ends_between_replies(plugin: PluginSession) -> None:
    """Two replies in one write, the first of which ends where a buffer ends: both are acted on."""
    problems = Problems()
    for buffer in BUFFERS:
        for size in around(buffer):
            with problems.of(f"a reply behind one of {size} bytes"):
                tickets = [plugin.call(name=name, results=(plugin.text,), background=True) for name in ("one", "two")]
                sequences = [request["sequence"] for request in plugin.requests(tickets)]
                long, short = (
                    padded(b'{"sequence":%d,"reply":["' % sequence, b'"]}', length)
                    for sequence, length in zip(sequences, (size, 100), strict=True)
                )
                plugin.send(long + short)
                plugin.ok(tickets[0], text_in(long))
                plugin.ok(tickets[1], text_in(short))
    problems.check()


@case("FRM-02")
def test_white_space_fills_buffer(plugin: PluginSession) -> None:
    """White space that fills a buffer, before, between and after replies, changes nothing."""
    problems = Problems()
    plugin.send(b"\n" * 64 * KIB)
    for buffer in BUFFERS[:4]:
        with problems.of(f"{buffer} bytes of white space alone, then a reply"):
            ticket = plugin.call()
            sequence = plugin.request(ticket)["sequence"]
            plugin.deliver(b" \t\r\n" * (buffer // 4))
            plugin.reply(sequence, reply=["right"], tail=b"")
            plugin.ok(ticket, "right")
        with problems.of(f"a reply behind {buffer} bytes of white space"):
            ticket = plugin.call()
            sequence = plugin.request(ticket)["sequence"]
            plugin.send(b" " * buffer + b'{"sequence":%d,"reply":["right"]}' % sequence)
            plugin.ok(ticket, "right")
        with problems.of(f"a reply that fills {buffer} bytes together with the white space behind it"):
            ticket = plugin.call()
            sequence = plugin.request(ticket)["sequence"]
            plugin.send((b'{"sequence":%d,"reply":["right"]}' % sequence).ljust(buffer))
            plugin.ok(ticket, "right")
    problems.check()


@case("REQ-06")
def test_request_fills_buffer(plugin: PluginSession) -> None:
    """A request as long as a buffer, or a few bytes shorter or longer, leaves at once, with nothing behind it."""
    ticket = plugin.call("", params=(plugin.text,), results=())
    frame = plugin.raw_request(ticket)
    more = len(frame)  # what there is besides the argument; the digits of the sequence may grow
    plugin.reply(_sequence(frame), reply=[])
    plugin.ok(ticket)
    problems = Problems()
    for buffer in BUFFERS:
        for size in around(buffer, 2):  # with and without a line feed
            with problems.of(f"a request of about {size} bytes"):
                ticket = plugin.call("x" * (size - more), params=(plugin.text,), results=())
                frame = plugin.raw_request(ticket)
                plugin.reply(_sequence(frame), reply=[])
                plugin.ok(ticket)
                more = len(frame) - (size - more)
    problems.check()


def _sequence(frame: bytes) -> int:
    sequence: int = strict.loads(frame)["sequence"]
    return sequence
