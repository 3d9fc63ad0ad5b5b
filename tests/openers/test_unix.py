"""Unix domain sockets: which are refused, and why."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plugsvc.openers import open_stream, sockets, with_file_path

Reason = Callable[..., str]

GONE = "(the host is gone, or has accepted its one connection already)"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener:
        yield listener


def url_of(path: Path) -> str:
    return with_file_path(path)[1].replace("file:", "unix:")


def test_nobody(reason: Reason, tmp_path: Path, listener: socket.socket) -> None:
    assert reason(url_of(tmp_path / "none")) == f"no such file or directory {GONE}"
    listener.bind(os.fsencode(tmp_path / "s"))
    assert reason(url_of(tmp_path / "s")) == f"connection refused {GONE}"


def test_no_path(reason: Reason) -> None:
    assert reason("unix:") == "it has no path"
    assert reason("unix://") == "it has no path"


@pytest.mark.parametrize("host", ["run", "localhost"])
def test_a_host(host: str, reason: Reason) -> None:
    assert reason(f"unix://{host}/x") == (
        f"it names the host '{host}', a path has none (unix:///absolute or unix:relative)"
    )


def test_length_of_a_path(
    reason: Reason, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listener: socket.socket
) -> None:
    """Counted in bytes. One less is reached."""
    monkeypatch.chdir(tmp_path)
    listener.bind(("ä" * 53 + "x").encode())
    listener.listen()
    open_stream(["unix:" + "%C3%A4" * 53 + "x"]).close()
    assert reason("unix:" + "ä" * 54) == "its path has 108 bytes, that of a socket can have 107"


def test_other_files(reason: Reason, tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    for path in (tmp_path, tmp_path / "f"):
        assert reason(url_of(path)) == "it is not a socket (for another file use the scheme file)"
    assert reason(url_of(tmp_path / "f" / "x")) == "not a directory"


def test_a_symbolic_link(reason: Reason, tmp_path: Path, listener: socket.socket) -> None:
    listener.bind(os.fsencode(tmp_path / "s"))
    listener.listen()
    (tmp_path / "link").symlink_to("s")
    (tmp_path / "dangling").symlink_to("none")
    for name in ("link", "dangling"):
        assert reason(url_of(tmp_path / name)) == "it is a symbolic link; give the path of the socket itself"
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_another_kind_of_socket(reason: Reason, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(os.fsencode(tmp_path / "s"))
        assert reason(url_of(tmp_path / "s")).endswith(" (it is no stream socket)")


def test_a_full_queue_is_waited_for_and_then_refused(reason: Reason, tmp_path: Path, listener: socket.socket) -> None:
    listener.bind(os.fsencode(tmp_path / "s"))
    listener.listen(0)
    waiting = open_stream([url_of(tmp_path / "s")])
    assert reason(url_of(tmp_path / "s"), timeout=0.1) == "too many others are waiting to be accepted there"
    listener.accept()[0].close()
    open_stream([url_of(tmp_path / "s")]).close()
    waiting.close()


def test_a_listener_of_another_user(
    reason: Reason, tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`test_users` has it with real ones, where the tests run as root."""
    listener.bind(os.fsencode(tmp_path / "s"))
    listener.listen()
    monkeypatch.setattr(sockets, "peer_uid", lambda connected: 4711)
    assert reason(url_of(tmp_path / "s")) == (
        f"who listens there is user 4711, neither root nor this process's own user {os.geteuid()}"
    )
    with listener.accept()[0] as accepted:
        assert accepted.recv(1) == b"", "not a byte is sent to such a listener"


def test_abstract_names(reason: Reason) -> None:
    assert reason("unix-abstract:") == "it has no name"
    assert reason("unix-abstract://a") == "an abstract name has no // in front of it (unix-abstract:NAME)"
    assert reason("unix-abstract:" + "x" * 108) == "its name has 108 bytes, that of an abstract socket can have 107"
    assert reason("unix-abstract:plugsvc%20none") == (
        "connection refused (nobody listens under that name in this network namespace:"
        " the host is gone, or has accepted its one connection already)"
    )


def test_longest_abstract_name(nothing_left_open: None) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        name = f"plugsvc/{os.getpid()}/".ljust(107, "x")
        listener.bind(b"\0" + name.encode())
        listener.listen()
        open_stream([f"unix-abstract:{name}"]).close()
