"""What every scheme has to do, those of users included: plugins in their own processes, raw bytes for their hosts."""

from __future__ import annotations

import hashlib
import os
import select
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from .ways import DEADLINE, WAYS, Offer, Plugin, receive, receive_all, started

SOCKETS = {"fd", "unix", "unix-relative", "unix-abstract", "tcp", "tcp-v6", "tcp-without-nonce", "stdio-socket"}


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def offer(way: str, tmp_path: Path) -> Iterator[Offer]:
    before = os.listdir("/proc/self/fd")
    yield WAYS[way](tmp_path)
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_bytes_go_both_ways_until_the_host_ends(offer: Offer) -> None:
    """Inherited descriptors are closed with the stream, and nothing else comes or goes."""
    with started(
        offer,
        """
        before = os.listdir("/proc/self/fd")
        duplex = open_stream(urls)
        assert duplex.urls == tuple(urls)
        write(duplex.writer, b"ping")
        say(read_all(duplex.reader))
        duplex.close()
        duplex.close()
        say(len(before) - len(os.listdir("/proc/self/fd")))
        """,
    ) as plugin:
        plugin.connect()
        assert receive(plugin.reader, 100) == b"ping"
        os.write(plugin.writer, b"pong")
        os.write(plugin.writer, b", bye")
        plugin.close()
        assert plugin.end() == f"b'pong, bye'\n{len(offer.pass_fds)}\n"


def test_no_descriptor_takes_the_number_of_a_closed_standard_stream(way: str, offer: Offer) -> None:
    if way.startswith("stdio"):
        with started(offer, "") as plugin:
            plugin.connect()
            plugin.end()
        pytest.skip("stdio uses the standard streams")
    with started(
        offer,
        """
        os.close(0)
        os.close(1)
        duplex = open_stream(urls)
        write(duplex.writer, b"ping")
        say(read_all(duplex.reader), os.dup(2), os.dup(2))
        """,
    ) as plugin:
        plugin.connect()
        assert receive(plugin.reader, 100) == b"ping"
        os.write(plugin.writer, b"pong")
        plugin.close()
        assert plugin.end() == "b'pong' 0 1\n"  # both numbers are still free


def test_the_host_sees_the_end_of_the_plugin(offer: Offer) -> None:
    """The descriptors are closed with the stream, not only with the process; what was written before is there."""
    with started(
        offer,
        """
        duplex = open_stream(urls)
        write(duplex.writer, b"bye" * 5000)
        duplex.close()
        signal.pause()
        """,
    ) as plugin:
        plugin.connect()
        assert receive_all(plugin.reader) == b"bye" * 5000


def test_a_plugin_that_dies_is_an_end(offer: Offer) -> None:
    with started(offer, "duplex = open_stream(urls)\nwrite(duplex.writer, b'x')\nsignal.pause()") as plugin:
        plugin.connect()
        os.write(plugin.writer, b"never read")
        assert receive(plugin.reader) == b"x"
        plugin.process.kill()
        assert receive(plugin.reader) == b""


def test_a_plugin_that_dies_before_the_first_byte_is_an_end(offer: Offer) -> None:
    with started(offer, "duplex = open_stream(urls)\nsay('open')\nsignal.pause()") as plugin:
        plugin.connect()
        assert plugin.process.stderr is not None
        assert plugin.process.stderr.readline() == b"open\n"
        plugin.process.kill()
        assert receive(plugin.reader) == b""


def test_a_host_that_dies_is_an_end_and_no_signal(offer: Offer, way: str) -> None:
    """Its unread bytes make a socket's connection reset; that is an end of file all the same."""
    quiet = "signal.signal(signal.SIGPIPE, signal.SIG_DFL)" if way in SOCKETS else ""
    with started(
        offer,
        f"""
        duplex = open_stream(urls)
        {quiet}
        write(duplex.writer, b"never read")
        say(read_all(duplex.reader))
        try:
            while True:
                write(duplex.writer, b"x" * 100000)
        except (BrokenPipeError, ConnectionResetError):
            say("nobody reads")
        """,
    ) as plugin:
        plugin.connect()
        os.write(plugin.writer, b"last words")
        select.select([plugin.reader], [], [], DEADLINE)
        plugin.close()
        assert plugin.end() == "b'last words'\nnobody reads\n"


def exchange(plugin: Plugin, data: bytes) -> bytes:
    """Write all of `data`, read as much, neither before the other."""
    got = bytearray()
    rest = memoryview(data)
    deadline = time.monotonic() + DEADLINE
    os.set_blocking(plugin.writer, False)
    while rest or len(got) < len(data):
        readable, writable, _ = select.select(
            [plugin.reader], [plugin.writer] if rest else [], [], max(0.0, deadline - time.monotonic())
        )
        assert readable or writable, f"stuck after {len(got)} bytes, with {len(rest)} to go"
        if writable:
            with suppress(BlockingIOError):
                rest = rest[os.write(plugin.writer, rest) :]
        if readable:
            chunk = os.read(plugin.reader, 1 << 16)
            assert chunk
            got += chunk
    return bytes(got)


def test_both_write_more_than_the_buffers_hold_before_anybody_reads(offer: Offer) -> None:
    data = os.urandom(1 << 16) * 128  # 8 MiB, each way: a TCP sender alone may buffer 4
    with started(
        offer,
        """
        duplex = open_stream(urls)
        rest = memoryview(b"p" * (8 << 20))
        # Up to the brim, as the host does, before the first byte is read.
        while count := duplex.writer.write(rest):
            rest = rest[count:]
        say("full", len(rest) > 0)
        got = bytearray()
        poll = select.poll()
        while rest or len(got) < 8 << 20:
            poll.register(duplex.reader.fileno(), select.POLLIN)
            poll.register(duplex.writer.fileno(), select.POLLOUT if rest else 0)
            if duplex.reader is duplex.writer:
                poll.register(duplex.reader.fileno(), select.POLLIN | (select.POLLOUT if rest else 0))
            assert poll.poll(20000), "stuck"
            if rest:
                rest = rest[duplex.writer.write(rest[:100000]):]
            got += duplex.reader.read(1 << 20) or b""
        import hashlib
        say(hashlib.sha256(got).hexdigest())
        """,
    ) as plugin:
        plugin.connect()
        assert plugin.process.stderr is not None
        assert plugin.process.stderr.readline() == b"full True\n"
        assert exchange(plugin, data) == b"p" * len(data)
        assert plugin.end() == hashlib.sha256(data).hexdigest() + "\n"


def test_a_signal_in_the_middle_of_a_large_write_loses_nothing(offer: Offer) -> None:
    with started(
        offer,
        """
        ticks = []
        signal.signal(signal.SIGALRM, lambda *_: ticks.append(1))
        duplex = open_stream(urls)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        write(duplex.writer, b"".join(b"%08d" % n for n in range(200000)))
        signal.setitimer(signal.ITIMER_REAL, 0)
        say(len(ticks) > 0)
        """,
    ) as plugin:
        plugin.connect()
        data = bytearray()
        while len(data) < 1600000:
            chunk = receive(plugin.reader, 4096)
            assert chunk
            data += chunk
        assert bytes(data) == b"".join(b"%08d" % n for n in range(200000))
        assert plugin.end() == "True\n"


def test_children_do_not_inherit_the_connection(offer: Offer) -> None:
    """Else a child that outlives the plugin would keep the host from seeing its end."""
    with started(
        offer,
        """
        duplex = open_stream(urls)
        import subprocess
        child = subprocess.Popen(["/bin/sh", "-c", "ls -l /proc/self/fd | grep -c -e pipe: -e socket: ; read line"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, close_fds=False)
        say(child.stdout.readline())
        duplex.close()
        signal.pause()
        """,
    ) as plugin:
        plugin.connect()
        # Its own standard input and output; `ls` has the latter for the pipe to `grep`.
        assert plugin.process.stderr is not None
        assert plugin.process.stderr.readline() == b"b'2\\n'\n"
        assert receive(plugin.reader) == b""


def test_a_forked_child_that_closes_takes_nothing_away(offer: Offer) -> None:
    with started(
        offer,
        """
        duplex = open_stream(urls)
        write(duplex.writer, b"1")
        wait(duplex.reader)
        child = os.fork()
        if child == 0:
            duplex.close()
            os._exit(0)
        os.waitpid(child, 0)
        say(read(duplex.reader))
        write(duplex.writer, b"2")
        """,
    ) as plugin:
        plugin.connect()
        assert receive(plugin.reader) == b"1"
        os.write(plugin.writer, b"for the parent")
        assert receive(plugin.reader) == b"2"
        assert plugin.end() == "b'for the parent'\n"
