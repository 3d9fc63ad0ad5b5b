"""Messages of a host's connection that end exactly where a buffer ends."""

from __future__ import annotations

from conformance.case import case
from conformance.cases.boundaries import BUFFERS, KIB, around, padded
from conformance.drive.host import HostSession
from conformance.drive.problems import Problems
from conformance.outcomes import Failure

HEAD = b'{"sequence":%d,"type":"call","namespace":"conformance","name":"echo","args":["'
TAIL = b'"]}'


def request(host: HostSession, size: int) -> tuple[int, bytes, str]:
    """A call of ``echo`` of exactly ``size`` bytes: its sequence, its bytes, and the result that it has."""
    sequence = host.fresh()
    message = padded(HEAD % sequence, TAIL, size)
    return sequence, message, "x" * (size - len(HEAD % sequence) - len(TAIL))


@case("FRM-05")
def test_request_fills_buffer(host: HostSession) -> None:
    """A request as long as a buffer, or a byte shorter or longer, is answered at its last byte."""
    host.connect()
    problems = Problems()
    for buffer in BUFFERS:
        for size in around(buffer):
            with problems.of(f"a request of {size} bytes"):
                sequence, message, text = request(host, size)
                host.send(message)
                host.results(sequence, text)
    problems.check()


@case("FRM-05")
def test_stream_fills_buffer(host: HostSession) -> None:
    """A request with whose last byte the stream is as long as a buffer, or several, is answered at that byte."""
    host.connect()
    problems, sent = Problems(), 0
    for buffer in BUFFERS[:4]:
        for _ in range(2):
            for part in range(1, 4):  # the third one ends where a buffer ends
                size = (buffer - sent % buffer) if part == 3 else 200 + buffer // 9
                with problems.of(f"a request of {size} bytes, {sent} bytes behind the beginning of the stream"):
                    sequence, message, text = request(host, max(size, 200))
                    sent += len(message)
                    host.send(message)
                    host.results(sequence, text)
    problems.check()


@case("FRM-04")
def test_buffer_ends_between_requests(host: HostSession) -> None:
    """Two requests in one write, the first of which ends where a buffer ends: both are answered."""
    host.connect()
    problems = Problems()
    for buffer in BUFFERS:
        for size in around(buffer):
            with problems.of(f"a request behind one of {size} bytes"):
                long, short = request(host, size), request(host, 200)
                host.send(long[1] + short[1])
                host.results(long[0], long[2])
                host.results(short[0], short[2])
    problems.check()


@case("FRM-02")
def test_white_space_fills_buffer(host: HostSession) -> None:
    """White space that fills a buffer, before, between and after requests, changes nothing."""
    host.connect()
    host.send(b"\n" * 64 * KIB)
    problems = Problems()
    for buffer in BUFFERS[:4]:
        with problems.of(f"{buffer} bytes of white space alone, then a request"):
            host.deliver(b" \t\r\n" * (buffer // 4))
            host.assert_alive()
        with problems.of(f"a request behind {buffer} bytes of white space"):
            sequence, message, text = request(host, 200)
            host.send(b" " * buffer + message)
            host.results(sequence, text)
        with problems.of(f"a request that fills {buffer} bytes together with the white space behind it"):
            sequence, message, text = request(host, 200)
            host.send(message.ljust(buffer))
            host.results(sequence, text)
    problems.check()


@case("REP-06")
def test_reply_fills_buffer(host: HostSession) -> None:
    """A reply as long as a buffer, or a few bytes shorter or longer, leaves at once, with nothing behind it."""
    size = 100
    more = len(host.raw_reply(host.call("blob", size))) - size  # what there is besides the text
    problems = Problems()
    for buffer in BUFFERS:
        for wanted in around(buffer, 2):  # with and without a line feed; the digits of the sequence may grow
            with problems.of(f"a reply of about {wanted} bytes"):
                size = wanted - more
                reply = host.raw_reply(host.call("blob", size))
                if reply.count(b"x") != size:
                    raise Failure("the reply has another text", expected=f"{size} times x", seen=f"{len(reply)} bytes")
                more = len(reply) - size
    problems.check()
