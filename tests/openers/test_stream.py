"""Streams over descriptors."""

from __future__ import annotations

import os
import select
import socket

import pytest

from plugsvc.openers import FdStream


def test_read_and_write_never_block() -> None:
    r, w = os.pipe()
    reader, writer = FdStream(r), FdStream(w)
    assert not reader.ready()
    assert reader.read(10) is None
    total = 0
    while written := writer.write(bytes(100_000)):
        total += written
    assert total > 0
    assert reader.ready()
    assert len(reader.read(10) or b"") == 10
    writer.close()
    rest = 0
    while chunk := reader.read(100_000):
        rest += len(chunk)
    assert rest == total - 10
    assert reader.read(10) == b""
    reader.close()


def test_nobody_reads() -> None:
    r, w = os.pipe()
    os.close(r)
    writer = FdStream(w)
    with pytest.raises(BrokenPipeError):
        writer.write(b"x")
    writer.close()


def test_atomic_is_for_pipes() -> None:
    r, w = os.pipe()
    reader, writer = FdStream(r), FdStream(w)
    assert reader.atomic == writer.atomic == select.PIPE_BUF
    reader.close()
    writer.close()
    a, b = socket.socketpair()
    with b:
        stream = FdStream(a.detach())
        assert stream.atomic == 0
        stream.close()


def test_close_again_and_use_after() -> None:
    r, w = os.pipe()
    os.close(w)
    reader = FdStream(r)
    reader.close()
    reader.close()
    with pytest.raises(ValueError, match=r"^the stream is closed$"):
        reader.fileno()
    with pytest.raises(OSError):
        reader.read(1)


def test_reset_by_the_peer_is_an_end() -> None:
    a, b = socket.socketpair()
    stream = FdStream(a.detach())
    stream.write(b"unread")
    b.close()
    assert stream.read(10) == b""
    stream.close()


def test_grow() -> None:
    fcntl = pytest.importorskip("fcntl")
    r, w = os.pipe()
    reader, writer = FdStream(r), FdStream(w)
    writer.grow(1 << 20)
    assert fcntl.fcntl(r, fcntl.F_GETPIPE_SZ) == 1 << 20
    reader.grow(1 << 40)  # over every limit, or no number for the system: it stays as it is
    assert fcntl.fcntl(r, fcntl.F_GETPIPE_SZ) == 1 << 20
    reader.close()
    writer.close()


def test_dropped_stream_closes() -> None:
    r, w = os.pipe()
    stream = FdStream(w)
    del stream
    assert os.read(r, 1) == b""
    os.close(r)


def test_a_descriptor_needs_no_announcement() -> None:
    read, write = os.pipe()
    reader, writer = FdStream(read), FdStream(write)
    assert reader.arm()
    assert (reader.room, writer.room) == (select.POLLOUT, select.POLLOUT)
    reader.close()
    writer.close()
