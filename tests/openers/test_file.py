"""The scheme `file`, on pipes, FIFOs, terminals, and what it refuses."""

from __future__ import annotations

import gc
import os
import pty
import socket
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plugsvc.errors import OpenError
from plugsvc.openers import Duplex, open_stream, with_file_path, with_file_path_pair

DEADLINE = 10.0


@pytest.fixture(autouse=True)
def no_descriptor_is_left() -> Iterator[None]:
    gc.collect()  # what earlier tests have dropped must not be closed meanwhile
    before = os.listdir("/proc/self/fd")
    yield
    assert len(os.listdir("/proc/self/fd")) == len(before)


def refusal(*urls: str, timeout: float = DEADLINE) -> str:
    with pytest.raises(OpenError) as caught:
        open_stream(urls, timeout)
    assert caught.value.url in urls
    return str(caught.value)


def read_all(duplex: Duplex) -> bytes:
    """Read up to the end of the stream."""
    import select

    poll = select.poll()
    poll.register(duplex.reader.fileno(), select.POLLIN)
    data = b""
    while True:
        assert duplex.reader.ready() or poll.poll(DEADLINE * 1000), "nothing to read in time"
        chunk = duplex.reader.read(65536)
        if chunk == b"":
            return data
        data += chunk or b""


def fifos(directory: Path) -> tuple[str, str]:
    paths = str(directory / "to plugin"), str(directory / "from%plugin")
    for path in paths:
        os.mkfifo(path)
    return paths


def in_thread(function: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


# What it refuses


def test_missing(tmp_path: Path) -> None:
    url = with_file_path(tmp_path / "none")[1]
    assert refusal(url) == f"cannot open {url!r} for reading and writing: no such file or directory"


def test_missing_descriptor() -> None:
    assert refusal("file:///dev/fd/987") == (
        "cannot open 'file:///dev/fd/987' for reading and writing: no such file or directory"
        " (whatever started this process has closed it, as sudo does; a host can offer a path instead:"
        " unix, fifo, procfs)"
    )


def test_missing_process() -> None:
    url = "file:///proc/99999999/fd/3"
    assert refusal(url) == (
        f"cannot open {url!r} for reading and writing: no such file or directory (there is no process 99999999 here:"
        " it has ended, or this is another PID namespace; a host can let descriptors be inherited instead: devfd, fd)"
    )


def test_missing_descriptor_of_another_process() -> None:
    url = f"file:///proc/{os.getppid()}/fd/987"
    assert refusal(url) == (
        f"cannot open {url!r} for reading and writing: no such file or directory (process {os.getppid()} has closed it)"
    )


def test_the_second_url_is_refused(tmp_path: Path) -> None:
    reader, _ = fifos(tmp_path)
    urls = with_file_path_pair(reader, tmp_path / "none")[1::2]
    assert refusal(*urls) == f"cannot open {urls[1]!r} for writing: no such file or directory"


@pytest.mark.parametrize("position", [0, 1])
def test_directory(tmp_path: Path, position: int) -> None:
    url = with_file_path(tmp_path)[1]
    urls = ["file:///dev/null", "file:///dev/null"]
    urls[position] = url
    verb = ("for reading", "for writing")[position]
    assert refusal(*urls) == f"cannot open {url!r} {verb}: it is a directory"
    assert refusal(url) == f"cannot open {url!r} for reading and writing: it is a directory"


def test_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        url = with_file_path("s")[1]
        assert refusal(url) == (
            f"cannot open {url!r} for reading and writing:"
            " it is a socket, which cannot be opened as a file; use the scheme unix"
        )


def test_inherited_socket() -> None:
    with socket.socket(socket.AF_UNIX) as server:
        url = f"file:///dev/fd/{server.fileno()}"
        assert refusal(url).endswith(f"it is a socket, which cannot be opened as a file; use fd:{server.fileno()}")


def test_one_fifo(tmp_path: Path) -> None:
    url = with_file_path(fifos(tmp_path)[0])[1]
    assert refusal(url) == (
        f"cannot open {url!r} for reading and writing:"
        " it is a pipe, which carries one direction only; give two URLs, one to read and one to write"
    )


def test_one_regular_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"{}")
    url = with_file_path(tmp_path / "f")[1]
    assert "it is a regular file, which would read back what is written to it; give two URLs" in refusal(url)


def test_no_permission(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        url = "file:///proc/1/mem/x"
        assert refusal(url) == f"cannot open {url!r} for reading and writing: not a directory"
        return
    path = tmp_path / "f"
    path.touch(0)
    url = with_file_path(path)[1]
    assert refusal(url, "file:///dev/null").startswith(f"cannot open {url!r} for reading: permission denied")


def test_other_host() -> None:
    assert refusal("file://first-part/rest") == (
        "cannot open 'file://first-part/rest' for reading and writing:"
        " it names the host 'first-part', a local file has none (was a relative path meant?)"
    )


def test_no_path() -> None:
    assert refusal("file:") == "cannot open 'file:' for reading and writing: it has no path"
    assert refusal("file://") == "cannot open 'file://' for reading and writing: it has no path"


# FIFOs


def test_fifo_without_reader_times_out(tmp_path: Path) -> None:
    reader, writer = fifos(tmp_path)
    urls = with_file_path_pair(reader, writer)[1::2]
    start = time.monotonic()
    assert refusal(*urls, timeout=0.1) == (
        f"cannot open {urls[1]!r} for writing: nobody opened the FIFO for reading in time"
    )
    assert 0.1 <= time.monotonic() - start < DEADLINE


def test_fifo_without_writer_times_out(tmp_path: Path) -> None:
    reader, writer = fifos(tmp_path)
    urls = with_file_path_pair(reader, writer)[1::2]
    theirs = os.open(writer, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert refusal(*urls, timeout=0.1) == (
            f"cannot open {urls[0]!r} for reading: nobody opened the FIFO for writing in time"
        )
    finally:
        os.close(theirs)


@pytest.mark.parametrize("reads_first", [False, True])
@pytest.mark.parametrize("speaks_first", [False, True])
def test_the_other_side_opens_fifos_in_any_order(tmp_path: Path, reads_first: bool, speaks_first: bool) -> None:
    to_plugin, from_plugin = fifos(tmp_path)
    got: list[bytes] = []

    def other_side() -> None:
        # Blocking opens, as simple programs do them.
        if reads_first:
            reader = os.open(from_plugin, os.O_RDONLY)
            writer = os.open(to_plugin, os.O_WRONLY)
        else:
            writer = os.open(to_plugin, os.O_WRONLY)
            reader = os.open(from_plugin, os.O_RDONLY)
        if speaks_first:
            os.write(writer, b"hello")
        got.append(os.read(reader, 100))
        os.write(writer, b", bye")
        os.close(reader)
        os.close(writer)

    thread = in_thread(other_side)
    duplex = open_stream(with_file_path_pair(to_plugin, from_plugin)[1::2], DEADLINE)
    try:
        assert duplex.writer.write(b"ping") == 4
        assert read_all(duplex) == (b"hello, bye" if speaks_first else b", bye")
    finally:
        duplex.close()
    thread.join(DEADLINE)
    assert not thread.is_alive()
    assert got == [b"ping"]


def test_fifo_whose_writer_came_and_left(tmp_path: Path) -> None:
    to_plugin, from_plugin = fifos(tmp_path)
    reader = os.open(from_plugin, os.O_RDONLY | os.O_NONBLOCK)

    def other_side() -> None:
        writer = os.open(to_plugin, os.O_WRONLY)
        os.write(writer, b"bye")
        os.close(writer)

    thread = in_thread(other_side)
    duplex = open_stream(with_file_path_pair(to_plugin, from_plugin)[1::2], DEADLINE)
    try:
        thread.join(DEADLINE)
        assert read_all(duplex) == b"bye"
    finally:
        duplex.close()
        os.close(reader)


# Inherited pipes


def test_inherited_pipes_belong_to_the_stream() -> None:
    their_reader, our_writer = os.pipe()
    our_reader, their_writer = os.pipe()
    for fd in (their_reader, their_writer):
        os.set_inheritable(fd, True)
    duplex = open_stream([f"file:///dev/fd/{their_reader}", f"file:///proc/self/fd/{their_writer}"])
    try:
        assert not os.get_inheritable(their_reader)
        assert duplex.reader.fileno() != their_reader
        assert os.get_blocking(their_reader), "an own description: the inherited one must not be touched"
        assert duplex.writer.write(b"ping") == 4
        assert os.read(our_reader, 10) == b"ping"
    finally:
        duplex.close()
    # Both the new and the inherited descriptor are closed, so the host sees the end.
    assert os.read(our_reader, 10) == b""
    with pytest.raises(BrokenPipeError):
        os.write(our_writer, b"x")
    os.close(our_reader)
    os.close(our_writer)


def test_an_inherited_number_that_was_reused_is_left_alone() -> None:
    their_reader, our_writer = os.pipe()
    our_reader, their_writer = os.pipe()
    duplex = open_stream([f"file:///dev/fd/{their_reader}", f"file:///dev/fd/{their_writer}"])
    intruder = os.open("/dev/null", os.O_RDONLY)
    os.dup2(intruder, their_reader)
    duplex.close()
    os.fstat(their_reader)
    for fd in (their_reader, intruder, our_reader, our_writer):
        os.close(fd)


def test_a_failed_opening_leaves_inherited_pipes_open() -> None:
    their_reader, our_writer = os.pipe()
    assert "no such file" in refusal(f"file:///dev/fd/{their_reader}", "file:///dev/fd/987")
    os.fstat(their_reader)
    os.close(their_reader)
    os.close(our_writer)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_pipe_of_another_process_is_not_owned() -> None:
    parent = os.getppid()
    assert parent != os.getpid()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    duplex = open_stream([f"file:///proc/{child}/fd/{reader}", f"file:///dev/fd/{writer}"])
    duplex.close()
    os.fstat(reader)
    os.close(reader)
    assert os.waitpid(child, 0)[1] == 0


# Terminals


def test_terminal_is_duplex() -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    duplex = open_stream(with_file_path(os.ttyname(slave))[1::2])
    os.close(slave)
    assert duplex.reader is duplex.writer
    assert duplex.reader.atomic == 0
    assert duplex.writer.write(b"ping") == 4
    assert os.read(master, 10) == b"ping"
    os.write(master, b"pong")
    os.close(master)
    assert read_all(duplex) in (b"pong", b"")  # a hang-up may drop what was not read yet
    duplex.close()


# Two more ways to name a file


def test_localhost_escapes_and_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ä %?#").write_bytes(b"x")
    for url in (
        f"FILE://localhost{tmp_path}/%C3%A4%20%25%3F%23?q#f",
        f"file://{os.uname().nodename}{tmp_path}/%C3%A4%20%25%3F%23",
        "file:%C3%A4%20%25%3F%23",
    ):
        duplex = open_stream([url, "file:///dev/null"])
        assert read_all(duplex) == b"x"
        duplex.close()
