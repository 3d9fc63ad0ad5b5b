"""One caller, or a few, on one connection: matching, ends, time-outs, big messages."""

from __future__ import annotations

import json
import threading

import pytest

from plugsvc.errors import CallTimeout, ConnectionLost, ProtocolError
from plugsvc.wire import MAX_SEQUENCE

from .hosts import DEADLINE, Caller, PipeHost, Request, call, lost, reply

# What goes over


def test_request_and_reply(host: PipeHost) -> None:
    host.echo()
    connection = host.connection()
    assert call(connection, 1, "ä", [None]) == [1, "ä", [None]]
    assert connection.closed is None
    connection.close()


def test_exact_bytes_of_requests(host: PipeHost) -> None:
    connection = host.connection()
    caller = Caller(connection, b"[1]")
    assert host.receive() == b'{"sequence":1,"type":"call","namespace":"n","name":"s","args":[1]}\n'
    host.send(reply(1))
    caller.join()
    thread = threading.Thread(target=connection.request, args=("hasNamespace", "n"), daemon=True)
    thread.start()
    assert host.receive() == b'{"sequence":2,"type":"hasNamespace","namespace":"n","name":"","args":null}\n'
    host.send(reply(2))
    thread.join(DEADLINE)
    connection.close()


def test_sequence_uses_the_whole_range_and_wraps(host: PipeHost) -> None:
    seen: list[int] = []

    def answer(request: Request) -> list[bytes]:
        seen.append(request["sequence"])
        return [reply(request["sequence"], request["sequence"])]

    host.serve(answer)
    connection = host.connection(first_sequence=MAX_SEQUENCE - 1)
    assert [call(connection) for _ in range(3)] == [[MAX_SEQUENCE - 1], [MAX_SEQUENCE], [0]]
    assert seen == [MAX_SEQUENCE - 1, MAX_SEQUENCE, 0]
    connection.close()


# Matching


def test_unknown_duplicate_and_late_replies_are_ignored(host: PipeHost) -> None:
    def answer(request: Request) -> list[bytes]:
        sequence = request["sequence"]
        right = reply(sequence, *request["args"])
        return [reply(99), reply(sequence - 1, "late"), right, right, reply(sequence, "other")]

    host.serve(answer)
    connection = host.connection()
    assert [call(connection, n) for n in range(20)] == [[n] for n in range(20)]
    connection.close()


def test_replies_out_of_order(host: PipeHost) -> None:
    connection = host.connection()
    callers = [Caller(connection, b"[%d]" % n) for n in range(5)]
    requests = [host.request() for _ in callers]
    for request in sorted(requests, key=lambda r: -r["args"][0] if r else 0):
        assert request is not None
        host.send(reply(request["sequence"], *request["args"]))
    assert [caller.result() for caller in callers] == [[n] for n in range(5)]
    connection.close()


def test_replies_split_at_every_byte_and_coalesced(host: PipeHost) -> None:
    connection = host.connection()
    callers = [Caller(connection) for _ in range(3)]
    sequences = [request["sequence"] for request in (host.request() for _ in callers) if request]
    data = b"".join(reply(sequence, sequence).strip() for sequence in sequences)
    for i in range(len(data)):
        host.send(data[i : i + 1])
    assert sorted(caller.result()[0] for caller in callers) == sorted(sequences)
    connection.close()


def test_a_slow_call_holds_up_nobody(host: PipeHost) -> None:
    connection = host.connection()
    slow = Caller(connection, b'["slow"]')
    request = host.request()
    assert request is not None
    assert request["args"] == ["slow"]
    host.echo()
    for n in range(10):
        assert call(connection, n) == [n]
    host.send(reply(request["sequence"], "at last"))
    assert slow.result() == ["at last"]
    connection.close()


# Ends


def test_end_of_file_fails_pending_and_later_calls(host: PipeHost) -> None:
    connection = host.connection()
    callers = [Caller(connection) for _ in range(4)]
    for _ in callers:
        host.request()
    host.stop_writing()
    for caller in callers:
        caller.join()
        assert str(caller.error) == "the host closed the connection"
    assert lost(connection) == "the host closed the connection"
    assert host.request() is None, "the plugin must close its ends, too"


def test_end_of_file_before_the_first_call(host: PipeHost) -> None:
    connection = host.connection()
    host.hang_up()
    assert lost(connection) in (
        "the host closed the connection",
        "the host does not read any more (broken pipe)",
    )
    assert lost(connection) == connection.closed


def test_end_of_file_in_the_middle_of_a_message(host: PipeHost) -> None:
    connection = host.connection()
    caller = Caller(connection)
    host.request()
    host.send(b'{"sequence":1,')
    host.stop_writing()
    caller.join()
    assert isinstance(caller.error, ConnectionLost)
    assert str(caller.error) == ("the host closed the connection in the middle of a message, after 14 bytes of it")
    assert isinstance(caller.error.__cause__, ProtocolError)


def test_the_host_does_not_read(host: PipeHost) -> None:
    connection = host.connection()
    host.stop_reading()
    assert lost(connection) == "the host does not read any more (broken pipe)"
    assert lost(connection) == "the host does not read any more (broken pipe)"
    with pytest.raises(BrokenPipeError):
        host.send(b"x")


@pytest.mark.parametrize("data", [b"}", b"[]", b"\0", b'{"sequence":-1}', b'{"sequence":1,}', b"nonsense"])
def test_malformed(host: PipeHost, data: bytes) -> None:
    connection = host.connection()
    callers = [Caller(connection) for _ in range(3)]
    for _ in callers:
        host.request()
    host.send(data)
    for caller in callers:
        caller.join()
        assert isinstance(caller.error, ConnectionLost)
        assert str(caller.error).startswith("the host sent what is not the protocol: ")
        assert isinstance(caller.error.__cause__, ProtocolError)
    assert lost(connection).startswith("the host sent what is not the protocol: ")
    assert host.request() is None
    with pytest.raises(BrokenPipeError):
        host.send(b"x")


def test_replies_before_what_is_malformed_count(host: PipeHost) -> None:
    connection = host.connection()
    callers = [Caller(connection, b"[%d]" % n) for n in range(2)]
    requests = [host.request() for _ in callers]
    first = next(request for request in requests if request and request["args"] == [0])
    host.send(reply(first["sequence"], "in time") + b"}")
    assert callers[0].result() == ["in time"]
    callers[1].join()
    assert isinstance(callers[1].error, ConnectionLost)


def test_close_from_another_thread(host: PipeHost) -> None:
    connection = host.connection()
    callers = [Caller(connection, timeout=None) for _ in range(3)]
    for _ in callers:
        host.request()
    connection.close()
    connection.close("again")
    for caller in callers:
        caller.join()
        assert str(caller.error) == "the connection was closed by this program"
    assert lost(connection) == "the connection was closed by this program"
    assert host.request() is None


def test_a_dropped_connection_closes(host: PipeHost) -> None:
    connection = host.connection()
    del connection
    assert host.request() is None


# Time-outs


def test_timeout_and_late_reply(host: PipeHost) -> None:
    connection = host.connection()
    with pytest.raises(CallTimeout, match=r"^no reply within 0.05 s$"):
        call(connection, 1, timeout=0.05)
    first = host.request()
    assert first is not None
    host.send(reply(first["sequence"], "late"))
    host.echo()
    assert call(connection, 2) == [2]
    connection.close()


def test_timeout_of_a_follower(host: PipeHost) -> None:
    connection = host.connection()
    leader = Caller(connection, b'["leader"]')
    request = host.request()
    assert request is not None
    with pytest.raises(CallTimeout):
        call(connection, timeout=0.05)
    host.request()
    host.send(reply(request["sequence"], "leader"))
    assert leader.result() == ["leader"]
    connection.close()


def test_a_leader_that_times_out_passes_the_reading_on(host: PipeHost) -> None:
    connection = host.connection()
    leader = Caller(connection, timeout=0.1)
    host.request()
    follower = Caller(connection)
    request = host.request()
    assert request is not None
    leader.join()
    assert isinstance(leader.error, CallTimeout)
    host.send(reply(request["sequence"], "follower"))
    assert follower.result() == ["follower"]
    connection.close()


def test_timeout_while_replies_for_others_pour_in(host: PipeHost) -> None:
    connection = host.connection()

    host.from_host.on_read(lambda size: reply(10**6))
    host.send(b" ")  # so that there is something to read
    with pytest.raises(CallTimeout):
        call(connection, timeout=0.05)
    connection.close()


def test_timeout_in_the_middle_of_writing(host: PipeHost) -> None:
    connection = host.connection()
    big = "x" * 3_000_000
    with pytest.raises(CallTimeout):
        call(connection, big, timeout=0.05)
    # Half of the message is in the pipe. The next call finishes it, then goes on with its own.
    host.echo()
    assert call(connection, "small") == ["small"]
    connection.close()


def test_timeout_before_writing_sends_nothing(host: PipeHost) -> None:
    connection = host.connection()
    with pytest.raises(CallTimeout):
        call(connection, "x" * 3_000_000, timeout=0.05)
    for _ in range(3):
        with pytest.raises(CallTimeout):
            call(connection, "never begun", timeout=0.05)
    caller = Caller(connection, b'["last"]')
    texts = []
    for _ in range(2):
        request = host.request()
        assert request is not None
        texts.append(request["args"][0][:4])
        host.send(reply(request["sequence"], *request["args"]))
    assert texts == ["xxxx", "last"]
    assert caller.result() == ["last"]
    connection.close()


# Big messages


def test_big_messages_both_ways_at_once(host: PipeHost) -> None:
    """The host is stuck writing to us while we write to it."""
    size = 5_000_000
    connection = host.connection()
    first = Caller(connection, b"[]")
    request = host.request()
    assert request is not None

    def script() -> None:
        # Neither reads before it has written everything.
        host.send(reply(request["sequence"], "y" * size))
        second = host.request()
        assert second is not None
        host.send(reply(second["sequence"], len(second["args"][0])))

    host.run(script)
    assert call(connection, "x" * size) == [size]
    assert first.result() == ["y" * size]
    connection.close()


def test_the_host_writes_a_big_late_reply_before_it_reads(host: PipeHost) -> None:
    """Nobody waits for what the host is stuck with, and still it has to be read."""
    size = 5_000_000
    connection = host.connection()
    with pytest.raises(CallTimeout):
        call(connection, timeout=0.05)
    request = host.request()
    assert request is not None

    def script() -> None:
        host.send(reply(request["sequence"], "y" * size))
        for each in host.requests():
            host.send(reply(each["sequence"], len(each["args"][0])))

    host.run(script)
    assert call(connection, "x" * size) == [size]
    connection.close()


def test_a_followers_big_request_does_not_wait_for_the_leaders_reply(host: PipeHost) -> None:
    """What a follower cannot write, the leader writes, though nothing comes for it to read."""
    connection = host.connection()
    leader = Caller(connection, b'["leader"]')
    first = host.request()
    assert first is not None
    follower = Caller(connection, b'["%b"]' % (b"x" * 3_000_000))
    second = host.request()
    assert second is not None
    host.send(reply(second["sequence"], len(second["args"][0])), reply(first["sequence"]))
    assert follower.result() == [3_000_000]
    assert leader.result() == []
    connection.close()


def test_many_big_messages_do_not_interleave(host: PipeHost) -> None:
    host.serve(lambda request: [reply(request["sequence"], len(request["args"][0]), request["args"][0][:1])])
    connection = host.connection()
    callers = [Caller(connection, json.dumps([letter * 300_000]).encode()) for letter in "abcdefgh" for _ in range(2)]
    for caller, letter in zip(callers, [c for c in "abcdefgh" for _ in range(2)], strict=True):
        assert caller.result() == [300_000, letter]
    connection.close()
