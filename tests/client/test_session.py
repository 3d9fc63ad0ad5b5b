"""Connecting: lazily, explicitly, by many threads at once, again after a failure, and not at all."""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import plugsvc
from plugsvc.client import default_session
from plugsvc.errors import CallTimeout, ConnectionLost, MisuseError, NotHosted, OpenError
from plugsvc.openers import with_file_path_pair

from .hosts import DEADLINE, FORKING, PipeHost, Request, reply

UNHOSTED = "no host started this process (there is no --host on its command line)"


class FifoHost(PipeHost):
    """A host at two FIFOs, opened before the plugin comes."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.hang_up()
        self.duplex.close()
        paths = directory / "to plugin", directory / "from plugin"
        for path in paths:
            os.mkfifo(path)
        # Read-write, so that nothing waits; each end closes the connection all the same when it is closed.
        keep = os.open(paths[0], os.O_RDONLY | os.O_NONBLOCK)
        self.writer = os.open(paths[0], os.O_WRONLY)
        os.close(keep)
        self.reader = os.open(paths[1], os.O_RDONLY | os.O_NONBLOCK)
        self.urls = with_file_path_pair(*paths)[1::2]


@pytest.fixture
def fifo_host(tmp_path: Path) -> Iterator[FifoHost]:
    with FifoHost(tmp_path) as host:
        yield host


def urls_of_connection() -> list[str] | None:
    connection = default_session.connection
    return None if connection is None else list(connection.urls)


def hosted_by(monkeypatch: pytest.MonkeyPatch, *urls: str) -> None:
    monkeypatch.setattr(sys, "argv", ["plugin", *(f"--host={url}" for url in urls)])


def test_unhosted() -> None:
    assert not plugsvc.hosted()
    for function in (
        plugsvc.init_service_client,
        plugsvc.get_service("n", "s"),
        lambda: plugsvc.has_namespace("n"),
        lambda: plugsvc.get_manifest("n"),
        lambda: plugsvc.list_services("n"),
    ):
        with pytest.raises(NotHosted) as caught:
            function()
        assert str(caught.value) == UNHOSTED
    plugsvc.close()


def test_connects_on_the_first_call(monkeypatch: pytest.MonkeyPatch, fifo_host: FifoHost) -> None:
    fifo_host.echo()
    hosted_by(monkeypatch, *fifo_host.urls)
    assert plugsvc.hosted()
    assert urls_of_connection() is None
    assert plugsvc.get_service("n", "s")(1) == 1
    assert urls_of_connection() == fifo_host.urls
    plugsvc.init_service_client()
    plugsvc.init_service_client(fifo_host.urls)
    with pytest.raises(MisuseError, match=r"^already connected to file:.*; close that first$"):
        plugsvc.init_service_client(["file:///dev/null"])
    plugsvc.close()


def test_explicit_urls(fifo_host: FifoHost) -> None:
    fifo_host.echo()
    plugsvc.init_service_client(fifo_host.urls, timeout=DEADLINE)
    assert plugsvc.hosted()
    assert plugsvc.get_service("n", "s")(1) == 1
    plugsvc.close()


def test_a_failed_attempt_is_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fifo_host: FifoHost) -> None:
    fifo_host.echo()
    link = tmp_path / "later"
    url = f"file://{link}"
    hosted_by(monkeypatch, url, fifo_host.urls[1])
    stub = plugsvc.get_service("n", "s")
    for _ in range(2):
        with pytest.raises(OpenError) as caught:
            stub(1)
        assert str(caught.value) == f"cannot open {url!r} for reading: no such file or directory"
        assert plugsvc.hosted()
    link.symlink_to(tmp_path / "to plugin")
    assert stub(1) == 1
    plugsvc.close()


def test_too_many_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    hosted_by(monkeypatch, "a:", "b:", "c:")
    assert plugsvc.hosted()
    with pytest.raises(OpenError, match=r"^--host is given 3 times: "):
        plugsvc.has_namespace("n")


def test_unknown_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    hosted_by(monkeypatch, "bogus:///x")
    with pytest.raises(OpenError, match=r'^unknown scheme "bogus" in '):
        plugsvc.get_service("n", "s")()


def test_bad_arguments() -> None:
    with pytest.raises(MisuseError, match=r"^expected a list of one or two URLs, got a string$"):
        plugsvc.init_service_client("file:///x")
    with pytest.raises(OpenError, match=r"^expected one or two URLs, got none$"):
        plugsvc.init_service_client([])


@pytest.mark.parametrize("timeout", [0, -1, math.nan, True, "1"])
def test_bad_timeouts(timeout: float) -> None:
    for function in (
        lambda: plugsvc.set_default_timeout(timeout),
        lambda: plugsvc.init_service_client(["a:"], timeout),
        lambda: plugsvc.get_service("n", "s", timeout=timeout),
        lambda: plugsvc.has_namespace("n", timeout=timeout),
    ):
        with pytest.raises(MisuseError, match=r"^a timeout is a positive number of seconds, or None, got "):
            function()


def test_many_threads_connect_once(monkeypatch: pytest.MonkeyPatch, fifo_host: FifoHost) -> None:
    fifo_host.echo()
    hosted_by(monkeypatch, *fifo_host.urls)
    results = []
    barrier = threading.Barrier(16)
    stub = plugsvc.get_service("n", "s")

    def work(number: int) -> None:
        barrier.wait(DEADLINE)
        results.append(stub(number))

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert sorted(results) == list(range(16))
    plugsvc.close()


def test_threads_share_one_failed_attempt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("r", "w"):
        os.mkfifo(tmp_path / name)
    hosted_by(monkeypatch, *with_file_path_pair(tmp_path / "r", tmp_path / "w")[1::2])
    monkeypatch.setattr("plugsvc.client.session.OPEN_TIMEOUT", 0.3)
    errors: list[str] = []
    barrier = threading.Barrier(8)
    attempts = set()

    def work() -> None:
        barrier.wait(DEADLINE)
        try:
            plugsvc.has_namespace("n")
        except (OpenError, CallTimeout) as error:
            errors.append(type(error).__name__)
        attempts.add(default_session.attempt)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert len(errors) == 8
    assert len(attempts) <= 2


def test_connecting_obeys_the_timeout_of_the_call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("r", "w"):
        os.mkfifo(tmp_path / name)
    hosted_by(monkeypatch, *with_file_path_pair(tmp_path / "r", tmp_path / "w")[1::2])
    with pytest.raises(OpenError, match=r"nobody opened the FIFO for reading in time$"):
        plugsvc.has_namespace("n", timeout=0.05)


def test_lost_then_initialised_again(tmp_path: Path, fifo_host: FifoHost) -> None:
    plugsvc.init_service_client(fifo_host.urls)
    fifo_host.hang_up()
    for _ in range(2):
        with pytest.raises(ConnectionLost, match=r"^the host (closed the connection|does not read any more)"):
            plugsvc.has_namespace("n")
    directory = tmp_path / "again"
    directory.mkdir()
    with FifoHost(directory) as host:
        host.serve(lambda request: [b'{"sequence":%d,"ok":true}' % request["sequence"]])
        plugsvc.init_service_client(host.urls)
        assert plugsvc.has_namespace("n")
        plugsvc.close()
        with pytest.raises(ConnectionLost, match=r"^the connection was closed by this program$"):
            plugsvc.has_namespace("n")


def test_adopted_streams(adopted: PipeHost) -> None:
    adopted.echo()
    assert plugsvc.hosted()
    assert plugsvc.get_service("n", "s")(1) == 1
    with pytest.raises(MisuseError, match=r"^already connected to a host; close that first$"):
        default_session.adopt(adopted.duplex)
    default_session.forget()
    assert not plugsvc.hosted()


def test_default_timeout(adopted: PipeHost) -> None:
    plugsvc.set_default_timeout(0.05)
    with pytest.raises(CallTimeout, match=r"^n.s: no reply within 0.05 s$"):
        plugsvc.get_service("n", "s")()
    with pytest.raises(CallTimeout, match=r"^hasNamespace 'n': no reply within 0.05 s$"):
        plugsvc.has_namespace("n")
    with pytest.raises(CallTimeout, match=r"^n.s: no reply within 0.02 s$"):
        plugsvc.get_service("n", "s", timeout=0.02)()
    stub = plugsvc.get_service("n", "s")
    with pytest.raises(CallTimeout, match=r"^n.s: no reply within 0.01 s$"):
        plugsvc.limit(stub, timeout=0.01)()
    plugsvc.set_default_timeout(None)
    unlimited = plugsvc.get_service("n", "s", timeout=None)
    for _ in range(4):
        adopted.request()
    adopted.serve(lambda request: [reply(request["sequence"], "here")])
    assert stub() == unlimited() == "here"


def test_requests_of_the_other_types(adopted: PipeHost) -> None:
    seen = []

    def answer(request: Request) -> list[bytes]:
        seen.append((request["type"], request["namespace"]))
        body = {
            ("hasNamespace", "n"): b'"ok":true',
            ("hasNamespace", "zz"): b'"unknown":1',
            ("listServices", "n"): b'"services":["b","a"]',
            ("listServices", "zz"): b'"error":"undefined namespace \\"zz\\""',
            ("listServices", "empty"): b'"services":null',
            ("getManifest", "n"): b'"reply":{"a":[1]}',
            ("getManifest", "null"): b'"reply":null',
            ("getManifest", "zz"): b'"error":""',
            ("getManifest", "absent"): b'"ok":true',
        }[seen[-1]]
        return [b'{"sequence":%d,%b}' % (request["sequence"], body)]

    adopted.serve(answer)
    assert plugsvc.has_namespace("n") is True
    assert plugsvc.has_namespace("zz") is False
    assert plugsvc.list_services("n") == ["b", "a"]
    assert plugsvc.list_services("empty") == []
    with pytest.raises(plugsvc.RemoteError, match=r'^undefined namespace "zz"$'):
        plugsvc.list_services("zz")
    assert plugsvc.get_manifest("n") == {"a": [1]}
    assert plugsvc.get_manifest("n", dict[str, list[int]]) == {"a": [1]}
    assert plugsvc.get_manifest("null") is None
    with pytest.raises(plugsvc.RemoteError, match=r"^$"):
        plugsvc.get_manifest("zz")
    with pytest.raises(plugsvc.ResultError, match=r"^the reply has no manifest$"):
        plugsvc.get_manifest("absent")
    with pytest.raises(plugsvc.ResultError) as caught:
        plugsvc.get_manifest("n", dict[str, list[str]])
    assert caught.value.path == "$[...][0]"
    assert str(caught.value).startswith("the manifest of 'n': expected str")
    with pytest.raises(plugsvc.SignatureError):
        plugsvc.get_manifest("n", complex)
    with pytest.raises(MisuseError, match=r"^the name of a namespace is a string, got None$"):
        plugsvc.get_manifest(None)  # type: ignore[arg-type]


@FORKING
def test_a_child_process_can_connect_when_its_parent_has_not(fifo_host: FifoHost) -> None:
    """A daemon forks first and connects afterwards."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            plugsvc.init_service_client(fifo_host.urls)
            status = 0 if plugsvc.get_service("n", "s")(7) == 7 else 2
        finally:
            os._exit(status)
    fifo_host.echo()
    assert os.waitpid(child, 0)[1] == 0
