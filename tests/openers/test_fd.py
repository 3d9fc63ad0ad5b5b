"""Inherited descriptors: what is refused, and who owns them."""

from __future__ import annotations

import os
import pty
import socket
import tty
from collections.abc import Callable
from pathlib import Path

import pytest

from plugsvc.errors import OpenError
from plugsvc.openers import open_stream

Reason = Callable[..., str]

CLOSED = (
    "is not open (whatever started this process has closed it, as sudo does;"
    " a host can offer a path instead: unix, fifo, procfs)"
)


@pytest.mark.parametrize("url", ["fd:", "fd:x", "fd:-1", "fd:3,", "fd:3,4,5", "fd:/3", "fd://3", "fd: 3", "fd:\u0663"])
def test_no_descriptor(url: str, reason: Reason) -> None:
    assert reason(url) == "it has no descriptor (fd:3 for a socket, fd:3,4 for two pipes, to read and to write)"


@pytest.mark.parametrize(("url", "number"), [("fd:0", 0), ("fd:1", 1), ("fd:2", 2), ("fd:9,2", 2), ("fd:0,9", 0)])
def test_standard_streams(url: str, number: int, reason: Reason) -> None:
    assert reason(url) == f"descriptor {number} is one of the standard streams (for these use stdio:)"


def test_not_open(reason: Reason) -> None:
    assert reason("fd:987") == f"descriptor 987 {CLOSED}"
    assert reason("fd:987654321") == f"descriptor 987654321 {CLOSED}"
    reader, writer = os.pipe()
    try:
        assert reason(f"fd:{reader},987") == f"descriptor 987 {CLOSED}"
        assert reason("fd:987", f"fd:{writer}") == f"descriptor 987 {CLOSED}"
        assert reason(f"fd:{reader}", "fd:987") == f"descriptor 987 {CLOSED}"
        os.fstat(reader)  # the next attempt will need it
    finally:
        os.close(reader)
        os.close(writer)


def test_the_wrong_end_of_a_pipe(reason: Reason) -> None:
    reader, writer = os.pipe()
    try:
        assert reason(f"fd:{writer},{reader}") == f"descriptor {writer} is not open for reading"
        assert reason(f"fd:{reader},{reader}") == f"descriptor {reader} is not open for writing"
        assert reason(f"fd:{reader}", f"fd:{reader}") == f"descriptor {reader} is not open for writing"
        assert reason(f"fd:{reader}") == (
            f"descriptor {reader} is a pipe, which carries one direction only; give two, to read and to write: fd:N,M"
        )
    finally:
        os.close(reader)
        os.close(writer)


def test_two_descriptors_in_one_of_two_urls(reason: Reason) -> None:
    assert reason("fd:3,4", "fd:5") == "it has two descriptors, which are both directions; give this URL alone"


def test_what_carries_no_stream(reason: Reason, tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    file = os.open(tmp_path / "f", os.O_RDWR | os.O_CREAT)
    try:
        assert reason(f"fd:{directory}") == f"descriptor {directory} is neither a socket nor a pipe"
        assert reason(f"fd:{directory},{file}") == f"descriptor {directory} is neither a socket nor a pipe"
        assert reason(f"fd:{file}") == f"descriptor {file} is neither a socket nor a pipe"
    finally:
        os.close(directory)
        os.close(file)


def test_sockets_that_carry_no_stream(reason: Reason) -> None:
    one, other = socket.socketpair(type=socket.SOCK_DGRAM)
    with one, other, socket.socket(socket.AF_UNIX) as listener:
        assert reason(f"fd:{one.fileno()}") == (
            f"descriptor {one.fileno()} is a socket, but not one that carries a stream"
        )
        listener.bind(b"\0plugsvc test %d" % os.getpid())
        listener.listen()
        assert reason(f"fd:{listener.fileno()}") == (
            f"descriptor {listener.fileno()} is a socket that waits for connections, and has none"
        )


def test_a_recording_can_be_read_and_written(nothing_left_open: None, tmp_path: Path) -> None:
    """Each direction alone may be a regular file."""
    (tmp_path / "in").write_bytes(b"recorded")
    reader = os.open(tmp_path / "in", os.O_RDONLY)
    writer = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    duplex = open_stream([f"fd:{reader},{writer}"])
    assert duplex.reader.read(100) == b"recorded"
    assert duplex.reader.read(100) == b""
    assert duplex.writer.write(b"written") == 7
    duplex.close()
    assert (tmp_path / "out").read_bytes() == b"written"


def test_a_terminal_is_duplex(nothing_left_open: None) -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    duplex = open_stream([f"fd:{slave}"])
    assert duplex.writer.write(b"ping") == 4
    assert os.read(master, 10) == b"ping"
    duplex.close()
    with pytest.raises(OSError, match="Input/output error"):
        os.read(master, 1)
    os.close(master)


def test_a_number_that_was_reused_is_left_alone(nothing_left_open: None) -> None:
    ours, theirs = socket.socketpair()
    number = theirs.detach()
    duplex = open_stream([f"fd:{number}"])
    intruder = os.open("/dev/null", os.O_RDONLY)
    os.dup2(intruder, number)
    duplex.close()
    assert ours.recv(1) == b""
    os.fstat(number)
    for fd in (number, intruder, ours.detach()):
        os.close(fd)


def test_it_can_be_tried_again_after_a_failure(nothing_left_open: None) -> None:
    to_read, writer = os.pipe()
    reader, to_write = os.pipe()
    with pytest.raises(OpenError):
        open_stream([f"fd:{to_read}", "bogus:"])
    duplex = open_stream([f"fd:{to_read},{to_write}"])
    os.write(writer, b"x")
    assert duplex.reader.read(10) == b"x"
    duplex.close()
    assert os.read(reader, 1) == b""
    with pytest.raises(BrokenPipeError):
        os.write(writer, b"x")
    os.close(reader)
    os.close(writer)


def test_closing_with_bytes_unread_is_an_end_and_no_reset(nothing_left_open: None) -> None:
    ours, theirs = socket.socketpair()
    duplex = open_stream([f"fd:{theirs.detach()}"])
    with ours:
        ours.sendall(b"never read" * 1000)
        duplex.writer.write(b"bye")
        duplex.close()
        assert ours.recv(100) == b"bye"
        assert ours.recv(100) == b""
