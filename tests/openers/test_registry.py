"""Openers of other schemes."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import pytest

from plugsvc.errors import OpenError, RegistrationError
from plugsvc.openers import URL, Duplex, FdStream, open_stream, register_file_opener, registry, schemes
from plugsvc.openers.file import open_file


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_openers", {"file": open_file})


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def never(url: URL, mode: str, deadline: float) -> int:
    raise AssertionError("not to be called")


def test_unknown_scheme() -> None:
    with pytest.raises(OpenError) as caught:
        open_stream(["bogus:///x"])
    assert str(caught.value) == "unknown scheme \"bogus\" in 'bogus:///x' (known: file)"


def test_duplex(pair: tuple[socket.socket, socket.socket]) -> None:
    """For both directions an opener may return two streams; for one of two URLs that makes no sense."""
    made = []

    def opener(url: URL, mode: str, deadline: float) -> Duplex:
        made.append(Duplex(FdStream(os.dup(pair[1].fileno())), FdStream(os.dup(pair[1].fileno()))))
        return made[-1]

    register_file_opener("mine", opener)
    duplex = open_stream(["mine:"])
    assert duplex == Duplex(*made[0][:2], ("mine:",))
    duplex.close()
    with pytest.raises(OpenError) as caught:
        open_stream(["mine:", "mine:"])
    assert str(caught.value) == ("cannot open 'mine:' for reading: it stands for both directions; give this URL alone")
    for stream in made[1][:2]:
        with pytest.raises(ValueError, match="closed"):
            stream.fileno()


def test_descriptor(pair: tuple[socket.socket, socket.socket]) -> None:
    asked = []

    def opener(url: URL, mode: str, deadline: float) -> int:
        asked.append((url.path, mode, deadline - time.monotonic() > 0))
        return os.dup(pair[1].fileno())

    register_file_opener("Mine", opener)
    assert schemes() == ["file", "mine"]
    duplex = open_stream(["MINE:a%20b"])
    assert asked == [("a b", "rw", True)]
    assert duplex.urls == ("MINE:a%20b",)
    assert duplex.reader is duplex.writer
    assert duplex.writer.write(b"x") == 1
    assert pair[0].recv(2) == b"x"
    duplex.close()


def test_socket_object_is_duplicated(pair: tuple[socket.socket, socket.socket]) -> None:
    register_file_opener("mine", lambda url, mode, deadline: pair[1])
    duplex = open_stream(["mine:"])
    duplex.close()
    pair[1].sendall(b"still open")
    assert pair[0].recv(100) == b"still open"


def test_modes_of_two_urls(pair: tuple[socket.socket, socket.socket]) -> None:
    asked = []

    def opener(url: URL, mode: str, deadline: float) -> FdStream:
        asked.append((url.path, mode))
        return FdStream(os.dup(pair[1].fileno()))

    register_file_opener("mine", opener)
    open_stream(["mine:1", "mine:2"]).close()
    assert asked == [("1", "r"), ("2", "w")]


def test_failing_opener() -> None:
    def opener(url: URL, mode: str, deadline: float) -> int:
        raise {"os": OSError(13, "Permission denied"), "bug": ZeroDivisionError("zero")}[url.path]

    register_file_opener("mine", opener)
    with pytest.raises(OpenError) as caught:
        open_stream(["mine:os", "mine:bug"])
    assert str(caught.value) == "cannot open 'mine:os' for reading: [Errno 13] Permission denied"
    with pytest.raises(OpenError) as caught:
        open_stream(["mine:bug"])
    assert str(caught.value) == (
        "cannot open 'mine:bug' for reading and writing: its opener failed: ZeroDivisionError: zero"
    )
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_the_first_stream_is_closed_when_the_second_fails(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    register_file_opener("mine", lambda url, mode, deadline: pair[1].detach())
    with pytest.raises(OpenError):
        open_stream(["mine:", "bogus:"])
    assert pair[0].recv(1) == b""


def test_duplicate() -> None:
    with pytest.raises(RegistrationError, match=r"^scheme 'file' has an opener already$"):
        register_file_opener("FILE", never)
    register_file_opener("mine", never)
    with pytest.raises(RegistrationError, match=r"^scheme 'mine' has an opener already$"):
        register_file_opener("mine", lambda url, mode, deadline: 0)


def test_the_same_opener_again_is_a_duplicate() -> None:
    register_file_opener("mine", never)
    with pytest.raises(RegistrationError, match=r"^scheme 'mine' has an opener already$"):
        register_file_opener("mine", never)


@pytest.mark.parametrize("scheme", ["", "1a", "a b", "a:", None, 3])
def test_not_a_scheme(scheme: str) -> None:
    with pytest.raises(RegistrationError, match="is not a URL scheme"):
        register_file_opener(scheme, never)


@pytest.mark.parametrize("opener", [None, 3, "x"])
def test_not_callable(opener: object) -> None:
    with pytest.raises(RegistrationError, match=r"^the opener for scheme 'mine' is not callable: "):
        register_file_opener("mine", opener)  # type: ignore[arg-type]
