"""Ports of the loopback: which URLs are refused, and what is sent before the protocol."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from plugsvc.openers import open_stream
from plugsvc.openers.tcp import is_loopback

Reason = Callable[..., str]

GONE = "(the host is gone, or has accepted its one connection already)"


@pytest.fixture
def port() -> Iterator[int]:
    """A port that nobody listens on, and nobody else can take meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        yield listener


def nonce_url(path: object, port: int = 1) -> str:
    return f"tcp://127.0.0.1:{port}?noncefile={quote(str(path))}"


@pytest.mark.parametrize(
    "url",
    ["tcp:", "tcp:/x", "tcp:127.0.0.1:80", "tcp://", "tcp://127.0.0.1", "tcp://127.0.0.1:", "tcp://127.0.0.1:x",
     "tcp://::1:80", "tcp://[::1]", "tcp://[::1:80", "tcp://u@127.0.0.1:80", "tcp://127.0.0.1:123456"],
)  # fmt: skip
def test_no_address(url: str, reason: Reason) -> None:
    assert reason(url) == "it has no address and port (tcp://127.0.0.1:PORT or tcp://[::1]:PORT)"


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "128.0.0.1", "10.0.0.1", "localhost", "example.com", "", "127.1", "2130706433", "0x7f.0.0.1",
     "127.0.0.1.example.com", "[::]", "[::2]", "[fe80::1]", "[::ffff:127.0.0.1]", "[127.0.0.1]", "[::1%25lo]"],
)  # fmt: skip
def test_addresses_other_than_the_loopback(host: str, reason: Reason) -> None:
    bare = host.strip("[]").replace("%25", "%")
    assert reason(f"tcp://{host}:80") == (
        f"{bare!r} is not an address of the loopback, and services are not offered to other machines"
        " (tcp://127.0.0.1:PORT or tcp://[::1]:PORT)"
    )


def test_loopback() -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "127.255.255.254", "::1", "0:0::1")] == [True] * 4


@pytest.mark.parametrize("number", [0, 65536, 99999])
def test_ports(number: int, reason: Reason) -> None:
    assert reason(f"tcp://127.0.0.1:{number}") == f"{number} is not a port (1 to 65535)"


def test_a_path(reason: Reason) -> None:
    assert reason("tcp://127.0.0.1:80/x") == "it has the path '/x', where a port has none"


def test_nobody_listens(reason: Reason, port: int) -> None:
    assert reason(f"tcp://127.0.0.1:{port}") == f"connection refused {GONE}"
    assert reason(f"TCP://127.0.0.1:{port}/#fragment") == f"connection refused {GONE}"


def test_nonces_that_cannot_be_read(reason: Reason, tmp_path: Path) -> None:
    """They are looked at before anything is connected."""
    url = nonce_url(tmp_path / "none")
    assert reason(url) == f"its nonce '{tmp_path}/none' cannot be read: no such file or directory {GONE}"
    (tmp_path / "link").symlink_to("none")
    assert reason(nonce_url(tmp_path / "link")).endswith(" (it is a symbolic link)")
    os.mkfifo(tmp_path / "fifo")
    assert reason(nonce_url(tmp_path / "fifo")) == f"its nonce '{tmp_path}/fifo' is not a regular file"
    assert reason(nonce_url(tmp_path)) == f"its nonce '{tmp_path}' is not a regular file"
    assert reason(nonce_url("nonce")) == "the path of its nonce, 'nonce', is not absolute"
    assert reason(nonce_url("")) == "the path of its nonce, '', is not absolute"
    assert reason("tcp://127.0.0.1:1?noncefile=/a&noncefile=/b") == "'noncefile' is given 2 times"
    assert reason("tcp://127.0.0.1:1?noncefile=/%zz") == "'%zz' is not a percent-escape (a plain % is %25)"


@pytest.mark.parametrize(("size", "told"), [(0, "0"), (15, "15"), (65, "more than 64"), (100000, "more than 64")])
def test_sizes_of_nonces(size: int, told: str, reason: Reason, tmp_path: Path) -> None:
    """Whatever the URL names, no long file is sent to a port."""
    (tmp_path / "nonce").write_bytes(b"x" * size)
    assert reason(nonce_url(tmp_path / "nonce")) == (
        f"its nonce '{tmp_path}/nonce' has {told} bytes, where 16 to 64 are expected"
    )


@pytest.mark.parametrize("size", [16, 32, 64])
def test_the_nonce_comes_first_and_nothing_else(
    size: int, nothing_left_open: None, tmp_path: Path, listener: socket.socket
) -> None:
    nonce = bytes(range(size))[::-1]
    (tmp_path / "n").write_bytes(nonce)
    duplex = open_stream([nonce_url(tmp_path / "n", listener.getsockname()[1])])
    with listener.accept()[0] as accepted:
        accepted.settimeout(10)
        assert accepted.recv(100) == nonce
        duplex.writer.write(b"{}\n")
        assert accepted.recv(100) == b"{}\n"
        duplex.close()
        assert accepted.recv(100) == b""


def test_without_a_nonce_nothing_is_sent_first(nothing_left_open: None, listener: socket.socket) -> None:
    duplex = open_stream([f"tcp://127.0.0.1:{listener.getsockname()[1]}?other=1"])
    with listener.accept()[0] as accepted:
        accepted.settimeout(10)
        duplex.writer.write(b"{}\n")
        assert accepted.recv(100) == b"{}\n"
        duplex.close()
        assert accepted.recv(100) == b""


def test_small_messages_are_not_held_back(nothing_left_open: None, listener: socket.socket) -> None:
    duplex = open_stream([f"tcp://127.0.0.1:{listener.getsockname()[1]}"])
    with socket.socket(fileno=os.dup(duplex.writer.fileno())) as seen:
        assert seen.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    listener.accept()[0].close()
    duplex.close()
