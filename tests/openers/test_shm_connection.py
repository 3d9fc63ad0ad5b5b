"""A client's connection and a host's channel over rings: waiting for room, ends, and nonsense in the memory."""

from __future__ import annotations

import json
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from plugsvc.client import Connection
from plugsvc.errors import CallTimeout, ConnectionLost, ProtocolError
from plugsvc.host import Registry
from plugsvc.host.channel import Channel
from plugsvc.host.server import Server
from plugsvc.openers.shm_memory import HEAD, TAIL
from plugsvc.wire import request_prefix

from .rings import DEADLINE, Sides, read_exactly, sides, words, write_all

PREFIX = request_prefix("call", "test", "echo")


def call(connection: Connection, *args: Any, timeout: float = DEADLINE) -> Any:
    raw = connection.call_raw(PREFIX, json.dumps(args).encode(), timeout).reply
    assert raw is not None
    return json.loads(bytes(raw))


def lost(connection: Connection) -> str:
    with pytest.raises(ConnectionLost) as caught:
        call(connection)
    return caught.value.reason


@pytest.fixture(params=[False, True], ids=["sleeping", "looking"])
def connect(request: pytest.FixtureRequest) -> Callable[[Sides], Connection]:
    """Return a function that makes a client's connection, which looks for replies before it sleeps, or does not."""
    return lambda both: Connection(both.plugin, spin=request.param)


@contextmanager
def served(both: Sides) -> Iterator[Server]:
    """Serve `echo` on the host's side."""
    registry = Registry()
    registry.define("test", None)

    @registry.service("test")
    def echo(value: Any) -> Any:
        return value

    server = Server(registry, Channel(both.host))
    server.start()
    try:
        yield server
    finally:
        server.close()
        assert server.wait(DEADLINE)


@pytest.mark.parametrize("capacity", [64, 4096])
def test_calls_of_any_size(capacity: int, connect: Callable[[Sides], Connection]) -> None:
    with sides(capacity) as both, served(both) as server:
        connection = connect(both)
        for size in (0, 1, 30, 64, 100, 5000):
            assert call(connection, "x" * size) == ["x" * size]
        connection.close()
        assert server.wait(DEADLINE)
        assert server.error is None


def test_many_threads_through_a_small_ring(connect: Callable[[Sides], Connection]) -> None:
    with sides(256) as both, served(both):
        connection = connect(both)
        wrong: list[Any] = []

        def work(number: int) -> None:
            for turn in range(20):
                value = f"{number}-{turn}-" + "y" * (37 * number % 900)
                if call(connection, value) != [value]:
                    wrong.append(value)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
            assert not thread.is_alive()
        assert wrong == []
        connection.close()


def test_a_request_that_nobody_reads_yet(connect: Callable[[Sides], Connection]) -> None:
    """It is begun, so it is finished before the next one, whoever has given up meanwhile."""
    with sides(64) as both:
        connection = connect(both)
        with pytest.raises(CallTimeout):
            call(connection, "a" * 200, timeout=0.01)
        replying = threading.Thread(target=write_all, args=(both.back_producer, b'{"sequence":2,"reply":["late"]}\n'))

        def host() -> None:
            heard = read_exactly(both.consumer, 200)
            while heard.count(b"\n") < 2:
                heard += read_exactly(both.consumer, 1)
            said.extend(json.loads(line)["args"] for line in heard.splitlines())
            replying.start()

        said: list[Any] = []
        reading = threading.Thread(target=host)
        reading.start()
        assert call(connection, "b") == ["late"]
        reading.join(DEADLINE)
        replying.join(DEADLINE)
        assert said == [["a" * 200], ["b"]]
        connection.close()


def test_a_host_that_goes_while_there_is_no_room(connect: Callable[[Sides], Connection]) -> None:
    with sides(64) as both:
        connection = connect(both)
        reasons: list[str] = []
        calling = threading.Thread(target=lambda: reasons.append(_reason(connection, "a" * 500)))
        calling.start()
        assert read_exactly(both.consumer, 100).startswith(b'{"sequence":1')
        both.host.close()
        calling.join(DEADLINE)
        assert reasons[0] in (
            "the host closed the connection",
            "the host does not read any more (broken pipe)",
        )
        assert lost(connection) == reasons[0]


def _reason(connection: Connection, *args: Any) -> str:
    try:
        call(connection, *args)
    except ConnectionLost as error:
        return error.reason
    return "a reply"


def test_a_reply_ring_that_makes_no_sense(connect: Callable[[Sides], Connection]) -> None:
    with sides(64) as both:
        connection = connect(both)
        words(both.back_producer)[TAIL] = 65
        assert lost(connection) == (
            "reading from the host failed (the ring of replies is corrupt: head 0, tail 65, capacity 64)"
        )


def test_a_request_ring_that_makes_no_sense(connect: Callable[[Sides], Connection]) -> None:
    with sides(64) as both:
        connection = connect(both)
        words(both.consumer)[HEAD] = 65
        assert lost(connection) == (
            "the host does not read any more (the ring of requests is corrupt: head 65, tail 0, capacity 64)"
        )


@pytest.mark.parametrize(
    ("ring", "reason"),
    [
        ("requests", "the ring of requests is corrupt: head 0, tail 65, capacity 64"),
        ("replies", "the ring of replies is corrupt: head 65, tail 0, capacity 64"),
    ],
)
def test_a_plugin_that_breaks_a_ring_has_broken_the_protocol(ring: str, reason: str) -> None:
    with sides(64) as both, served(both) as server:
        if ring == "requests":
            words(both.producer)[TAIL] = 65
            os.write(both.producer.doorbells.rung, b"x")
        else:
            words(both.back_consumer)[HEAD] = 65
            request = {"sequence": 1, "type": "call", "namespace": "test", "name": "echo", "args": ["x"]}
            write_all(both.producer, json.dumps(request).encode())
        assert read_exactly(both.back_consumer, 1000) == b"" if ring == "requests" else server.wait(DEADLINE)
        both.plugin.close()
        assert server.wait(DEADLINE)
        assert isinstance(server.error, ProtocolError)
        assert server.error.reason == reason


def test_a_forked_child_leaves_the_connection_alone(connect: Callable[[Sides], Connection]) -> None:
    with sides(256) as both, served(both):
        connection = connect(both)
        assert call(connection, 1) == [1]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            os._exit(0 if "forked" in (connection.closed or "") else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert call(connection, 2) == [2]
        connection.close()
