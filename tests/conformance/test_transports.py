"""The suite's two halves against each other: what it offers to plugins, and how its stub plugin opens it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from conformance.drive import endpoints, stub_plugin
from conformance.drive.endpoints.memory import cross
from conformance.drive.pump import Pump
from conformance.drive.rings import Bridge, Memory
from conformance.drive.transports import BINDS, HALVES, TRAITS, TRANSPORTS, bind_of, has
from conformance.drive.wire import WireEnd

LARGE = b'{"large":"%s"}' % (b"0123456789abcdef" * 200_000)
MORE = {"fd-twice": endpoints.fd_twice, "tcp-ipv6": endpoints.tcp_ipv6}
MAKERS = {**{name: transport.make for name, transport in TRANSPORTS.items() if transport.scheme != "stdio"}, **MORE}


@dataclass
class Pair:
    """Both ends of a connection: ``host`` is that of the endpoint, ``plugin`` that of the stub plugin."""

    pump: Pump
    host: WireEnd
    plugin: WireEnd

    def until(self, done: Callable[[], bool], what: str) -> None:
        assert self.pump.until(done, time.monotonic() + 20), what


@contextmanager
def connected(name: str, before: Callable[[WireEnd], None] = lambda host: None) -> Iterator[Pair]:
    """A connection of this name; ``before`` is done with the suite's end before the plugin comes."""
    pump = Pump()
    made = Pair(pump, WireEnd(pump), WireEnd(pump))
    endpoint = MAKERS[name]()
    bridge = None
    try:
        endpoint.begin(pump, made.host)
        before(made.host)
        fds = stub_plugin.open_streams(list(endpoint.urls), "writer-first")
        endpoint.started()
        if len(fds) == 5:
            memory = Memory(fds[0])
            os.close(fds[0])
            names = ("replies.filled", "requests.drained", "requests.filled", "replies.drained")
            bridge = Bridge(memory, dict(zip(names, fds[1:], strict=True)), takes="replies", gives="requests")
            cross(bridge, made.plugin)
        else:
            made.plugin.attach(fds[0], fds[-1])
        made.until(lambda: made.host.attached, "a connection")
        yield made
    finally:
        pump.close()
        if bridge is not None:
            bridge.close()
        endpoint.discard()


@pytest.fixture(params=list(MAKERS))
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with connected(request.param) as made:
        made.plugin.put(b'{"hello":1}')
        made.until(lambda: bool(made.host.frames), "the first message")
        assert made.host.take() == {"hello": 1}
        yield made


# Whoever finds shared memory without its host does not get as far as to a first byte: the doorbells are gone.
@pytest.mark.parametrize("name", [name for name in MAKERS if has(name, HALVES) and name != "shm"])
def test_an_end_before_the_first_bytes_reaches_the_plugin(name: str) -> None:
    with connected(name, lambda host: host.close()) as pair:
        pair.plugin.put(b'{"hello":1}')
        pair.until(lambda: pair.plugin.eof or pair.plugin.write_error is not None, "the end")
        assert not pair.host.frames


def test_closing_as_a_whole_takes_nothing_away(pair: Pair) -> None:
    if not pair.host.halves:
        pytest.skip("to hang up takes away what is not read within a second")
    pair.host.hold(True)
    pair.plugin.put(b'{"never":"read"}')
    pair.host.put(LARGE)
    pair.until(lambda: pair.host.written and pair.plugin.written, "everything to leave")
    pair.host.close()
    pair.until(lambda: bool(pair.plugin.frames), "the message that was sent before the end")


def test_both_directions_at_once(pair: Pair) -> None:
    pair.host.put(LARGE)
    pair.plugin.put(LARGE)
    pair.until(lambda: bool(pair.host.frames and pair.plugin.frames), "two large messages")
    assert pair.host.frames.popleft() == LARGE
    assert pair.plugin.frames.popleft() == LARGE


def test_end_of_the_plugin(pair: Pair, request: pytest.FixtureRequest) -> None:
    pair.plugin.put(b"{}")
    pair.until(lambda: pair.plugin.written, "writing")
    pair.plugin.close()
    pair.until(lambda: pair.host.eof, "end of file")
    assert pair.host.frames.popleft() == b"{}"
    if "file-pty" not in request.node.name:  # a terminal with nobody at it waits for the next one
        pair.host.put(LARGE)
        pair.until(lambda: pair.host.write_error is not None, "an error of writing")


def test_end_of_the_host(pair: Pair) -> None:
    pair.host.put(b"{}")
    pair.until(lambda: bool(pair.plugin.frames), "a message")
    pair.host.close()
    pair.until(lambda: pair.plugin.eof, "end of file")


def test_half_of_the_connection(pair: Pair, request: pytest.FixtureRequest) -> None:
    if "file-pty" in request.node.name:
        pytest.skip("a terminal has no halves")
    pair.plugin.close(read=False)
    pair.until(lambda: pair.host.eof, "end of file")
    pair.host.put(LARGE)
    pair.until(lambda: bool(pair.plugin.frames), "the large message")
    pair.host.close(read=False)
    pair.until(lambda: pair.plugin.eof, "end of file")


def test_what_is_unread_is_known_or_not(pair: Pair) -> None:
    pair.plugin.hold(True)
    pair.host.put(b'{"a":1}')
    pair.until(lambda: pair.host.written, "writing")
    assert pair.host.unread is None or pair.host.unread >= 0
    pair.plugin.hold(False)
    pair.until(lambda: bool(pair.plugin.frames), "a message")
    pair.until(lambda: not pair.host.unread, "everything to be read")


def test_what_is_done_before_there_is_a_connection_happens_then() -> None:
    pump = Pump()
    host, plugin = WireEnd(pump), WireEnd(pump)
    endpoint = endpoints.tcp()
    try:
        endpoint.begin(pump, host)
        host.put(b'{"early":true}')
        host.close(read=False)
        fds = stub_plugin.open_streams(list(endpoint.urls), "reader-first")
        plugin.attach(fds[0], fds[0])
        assert pump.until(lambda: plugin.eof, time.monotonic() + 20)
        assert plugin.take() == {"early": True}
        plugin.put(b"{}")
        assert pump.until(lambda: bool(host.frames), time.monotonic() + 20)
    finally:
        pump.close()
        endpoint.discard()


def test_a_wrong_nonce_is_told() -> None:
    pump = Pump()
    wire = WireEnd(pump)
    endpoint = endpoints.tcp(nonce=b"n" * 32)
    try:
        endpoint.begin(pump, wire)
        intruder = socket.socket()
        intruder.connect(stub_plugin.tcp_parts(endpoint.urls[0].partition(":")[2])[1])
        intruder.send(b"n" * 31 + b"m")
        assert pump.until(lambda: bool(wire.broken), time.monotonic() + 20)
        assert "is not the nonce" in wire.broken
        assert not wire.attached
        intruder.close()
    finally:
        pump.close()
        endpoint.discard()


def test_ways_and_kinds_hang_together() -> None:
    assert all(transport.bind in BINDS for transport in TRANSPORTS.values())
    assert {transport.scheme for transport in TRANSPORTS.values()} == set(stub_plugin.SCHEMES)
    assert all(traits <= TRAITS.keys() for traits in BINDS.values())
    assert [bind_of(name) for name in ("file", "file-pty", "pty", "home-made")] == ["procfs", "pty", "pty", "home-made"]
    assert has("tcp", HALVES)
    assert not has("home-made", HALVES)
