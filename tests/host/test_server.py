"""One connection, from the plugin's end: every request answered, and every end told truly."""

from __future__ import annotations

import errno
import json
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from plugsvc.errors import PluginError, ProtocolError, ServiceError
from plugsvc.host.channel import Channel
from plugsvc.host.registry import Registry
from plugsvc.host.server import Server
from plugsvc.openers.stream import Duplex, FdStream

from .conftest import TIMEOUT, Peer

Connect = Callable[..., Peer]


def add(a: int, b: int) -> int:
    return a + b


@pytest.fixture
def full(registry: Registry) -> Registry:
    registry.define("empty")
    registry.add_service("test", "add", add)
    registry.add_service("test", "second", add)
    return registry


def test_requests_about_namespaces(full: Registry, connect: Connect) -> None:
    peer = connect(full)
    cases: list[tuple[tuple[str, str], dict[str, Any]]] = [
        (("hasNamespace", "test"), {"ok": True}),
        (("hasNamespace", "zz"), {}),
        (("getManifest", "test"), {"reply": {"a": 1}}),
        (("getManifest", "empty"), {"reply": None}),
        (("getManifest", "zz"), {"error": 'undefined namespace "zz"'}),
        (("listServices", "test"), {"services": ["add", "second"]}),
        (("listServices", "empty"), {}),
        (("bogus", "test"), {"error": 'invalid request type "bogus"'}),
        (("bogus", "zz"), {"error": 'undefined namespace "zz"'}),
        (("call", "test"), {"error": 'undefined service ""'}),
    ]
    for sent, expected in cases:
        sequence = peer.request(*sent)
        assert peer.reply() == {"sequence": sequence, **expected}


def test_a_name_in_an_error_stays_on_one_line(full: Registry, connect: Connect) -> None:
    peer = connect(full)
    peer.request("call", 'a"b\\c\n\x00')
    assert peer.reply()["error"] == 'undefined namespace "a\\"b\\\\c\\n\\u0000"'


def test_calls_are_answered(full: Registry, connect: Connect) -> None:
    peer = connect(full)
    assert peer.call("add", 1, 2) == {"reply": [3]}
    assert peer.call("missing") == {"error": 'undefined service "missing"'}
    assert peer.call("add", 2**63 - 1, 0) == {"reply": [2**63 - 1]}


@pytest.mark.parametrize("args", [[], [1], [1, 2, 3], ["1", 2], [None, 1], [1.5, 2], {}, "x", None, 3, [2**63, 1]])
def test_arguments_that_do_not_fit_are_an_error_of_that_call(args: Any, full: Registry, connect: Connect) -> None:
    peer = connect(full)
    peer.request("call", name="add", args=args)
    assert peer.reply()["error"]
    assert peer.call("add", 1, 2) == {"reply": [3]}


def test_absent_arguments_are_an_error_of_that_call(full: Registry, connect: Connect) -> None:
    peer = connect(full)
    peer.request("call", name="add")
    assert peer.reply()["error"]
    assert peer.call("add", 1, 2) == {"reply": [3]}


class Nasty(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ServiceError("boom"), "boom"),
        (ServiceError(""), ""),
        (ServiceError('ä "x"\n'), 'ä "x"\n'),
        (ServiceError("\ud800"), "\ufffd"),
        (RuntimeError("aargh"), "panic in service: aargh"),
        (ValueError(), "panic in service: ValueError"),
        (Nasty(), "panic in service: Nasty whose text cannot be had (RuntimeError)"),
        (SystemExit(3), "panic in service: SystemExit: 3"),
        (KeyboardInterrupt(), "panic in service: KeyboardInterrupt"),
        (GeneratorExit("x"), "panic in service: GeneratorExit: x"),
    ],
)
def test_failures_and_panics(error: BaseException, text: str, full: Registry, connect: Connect) -> None:
    @full.service("test")
    def fail() -> None:
        raise error

    peer = connect(full)
    assert peer.call("fail") == {"error": text}
    assert peer.call("add", 1, 2) == {"reply": [3]}


@pytest.mark.parametrize("value", [object(), float("nan"), float("inf"), {1.5: object()}])
def test_a_result_that_json_cannot_carry_is_an_error_of_that_call(value: Any, full: Registry, connect: Connect) -> None:
    @full.service("test")
    def odd() -> Any:
        return value

    peer = connect(full)
    assert peer.call("odd").keys() == {"error"}
    assert peer.call("add", 1, 2) == {"reply": [3]}


class Picky(msgspec.Struct):
    value: int

    def __post_init__(self) -> None:
        if self.value == 1:
            raise ValueError("not one")
        if self.value == 2:
            raise SystemExit("not two")


@pytest.mark.parametrize("value", [1, 2])
def test_code_of_arguments_may_fail(value: int, full: Registry, connect: Connect) -> None:
    @full.service("test")
    def take(picky: Picky) -> int:
        return picky.value

    peer = connect(full)
    assert "not" in peer.call("take", {"value": value})["error"]
    assert peer.call("take", {"value": 3}) == {"reply": [3]}


def test_a_returned_error_is_the_error(full: Registry, connect: Connect) -> None:
    @full.service("test")
    def partly(fail: bool) -> tuple[str, Exception | None]:
        return "part", ServiceError("rest") if fail else None

    @full.service("test")
    def hardly() -> tuple[float, Exception | None]:
        return float("nan"), ValueError("too much")

    @full.service("test")
    def odd() -> tuple[str, Exception | None]:
        return "part", "no error"  # type: ignore[return-value]

    peer = connect(full)
    assert peer.call("partly", False) == {"reply": ["part"]}
    assert peer.call("partly", True) == {"reply": ["part"], "error": "rest"}
    assert peer.call("hardly") == {"error": "too much"}
    assert peer.call("odd") == {"error": "expected an error or None as last result, got str"}


def test_a_slow_service_holds_up_nobody(full: Registry, connect: Connect) -> None:
    release = threading.Event()

    @full.service("test")
    def wait() -> bool:
        return release.wait(TIMEOUT)

    peer = connect(full)
    slow = [peer.start("wait") for _ in range(5)]
    for number in range(50):
        assert peer.call("add", number, 1) == {"reply": [number + 1]}
    assert (peer.request("listServices"), peer.reply()["services"][0])[1] == "add"
    release.set()
    assert sorted(peer.reply()["sequence"] for _ in slow) == slow


def test_replies_leave_in_the_order_of_completion(full: Registry, connect: Connect) -> None:
    gates = [threading.Event() for _ in range(4)]

    @full.service("test")
    def gate(number: int) -> int:
        assert gates[number].wait(TIMEOUT)
        return number

    peer = connect(full)
    for number in range(4):
        peer.start("gate", number)
    for number in (2, 0, 3, 1):
        gates[number].set()
        assert peer.reply()["reply"] == [number]


def test_no_more_calls_run_at_once_than_allowed(full: Registry, connect: Connect) -> None:
    lock = threading.Lock()
    gate = threading.Semaphore(0)
    running: list[int] = [0, 0]

    @full.service("test")
    def count() -> None:
        with lock:
            running[0] += 1
            running[1] = max(running)
        assert gate.acquire(timeout=TIMEOUT)
        with lock:
            running[0] -= 1

    peer = connect(full, max_running=3)
    calls = [peer.start("count") for _ in range(20)]
    # All have been read when this one is answered, since requests about namespaces are answered by the reader.
    peer.request("hasNamespace")
    assert peer.reply() == {"sequence": 21, "ok": True}
    gate.release(20)
    assert sorted(peer.reply()["sequence"] for _ in calls) == calls
    assert 1 <= running[1] <= 3


def test_reading_stops_when_too_much_waits(full: Registry, connect: Connect) -> None:
    release = threading.Event()

    @full.service("test")
    def wait() -> None:
        assert release.wait(TIMEOUT)

    peer = connect(full, max_running=2, max_queued=8)
    os.set_blocking(peer.writer, False)
    message = json.dumps({"type": "call", "namespace": "test", "name": "wait", "args": [], "sequence": 1}).encode()
    sent = 0
    try:
        while sent < 1_000_000:
            # Less than PIPE_BUF, so it is written whole or not at all.
            sent += os.write(peer.writer, message) == len(message)
    except BlockingIOError:
        release.set()
    assert release.is_set()
    for _ in range(sent):
        assert peer.reply()["sequence"] == 1


def test_a_plugin_that_does_not_read_stops_nobody_else(full: Registry, connect: Connect) -> None:
    called = threading.Event()

    @full.service("test")
    def blob(size: int) -> str:
        return "x" * size

    @full.service("test")
    def touch() -> None:
        called.set()

    peer = connect(full)
    peer.start("blob", 1 << 20)
    peer.start("touch")
    assert called.wait(TIMEOUT)
    # And it does not keep the connection from ending.
    peer.server.close()
    assert peer.end() is None


def test_unread_replies_stop_the_reading(full: Registry, connect: Connect) -> None:
    calls: list[int] = []

    @full.service("test")
    def blob(number: int) -> str:
        calls.append(number)
        return "x" * (1 << 18)

    peer = connect(full, max_unsent=1 << 20)
    for number in range(100):
        peer.start("blob", number)
    # With nobody reading, only so many of them can have been taken on, however long we wait for more.
    assert [len(peer.reply()["reply"][0]) for _ in range(100)] == [1 << 18] * 100
    assert sorted(calls) == list(range(100))


def test_large_messages_in_both_directions_at_once(full: Registry, connect: Connect) -> None:
    @full.service("test")
    def echo(text: str) -> str:
        return text

    peer = connect(full)
    text = "x" * (8 << 20)
    for _ in range(3):
        assert peer.call("echo", text) == {"reply": [text]}


def test_a_clean_end(full: Registry, connect: Connect) -> None:
    peer = connect(full)
    assert peer.call("add", 1, 2) == {"reply": [3]}
    peer.close()
    assert peer.end() is None


def test_white_space_at_the_end_is_clean(full: Registry, connect: Connect) -> None:
    peer = connect(full)
    peer.send(b" \r\n\t")
    peer.close()
    assert peer.end() is None


def test_a_connection_that_nobody_used_ends_cleanly(full: Registry, connect: Connect) -> None:
    peer = connect(full)
    peer.close()
    assert peer.end() is None


def test_an_end_in_the_middle_of_a_message(full: Registry, connect: Connect) -> None:
    peer = connect(full)
    peer.send(b'{"sequence":1,"type":"hasNamesp')
    peer.close()
    assert isinstance(peer.end(), ProtocolError)


def test_replies_reach_a_plugin_that_has_closed_its_writer(full: Registry, connect: Connect) -> None:
    release = threading.Event()

    @full.service("test")
    def wait() -> bool:
        return release.wait(TIMEOUT)

    peer = connect(full)
    peer.start("wait")
    peer.start("add", 1, 2)
    peer.close(peer.writer)
    assert peer.reply()["reply"] == [3]
    release.set()
    assert peer.reply()["reply"] == [True]
    assert peer.line() == b""
    assert peer.end() is None


def test_a_running_service_is_not_waited_for(full: Registry, connect: Connect) -> None:
    release, running = threading.Event(), threading.Event()

    @full.service("test")
    def wait() -> None:
        running.set()
        assert release.wait(TIMEOUT)

    peer = connect(full)
    peer.start("wait")
    assert running.wait(TIMEOUT)
    peer.close()
    assert peer.end() is None
    assert not release.is_set()
    release.set()


def test_a_closed_reader_is_survived(full: Registry, connect: Connect) -> None:
    called = threading.Event()

    @full.service("test")
    def touch() -> None:
        called.set()

    peer = connect(full)
    peer.close(peer.reader)
    for _ in range(10):
        peer.start("add", 1, 2)
    peer.start("touch")
    assert called.wait(TIMEOUT)
    peer.close()
    assert peer.end() is None


def test_sigpipe_does_not_kill(full: Registry, connect: Connect) -> None:
    old = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        test_a_closed_reader_is_survived(full, connect)
    finally:
        signal.signal(signal.SIGPIPE, old)


@pytest.mark.parametrize(
    "data", [b"}", b"[]", b"1", b'"x"', b"nonsense", b"\x00", b'{"sequence":-1}', b'{"sequence":"1"}', b'{"a":1,}']
)
def test_malformed_input_ends_the_connection(data: bytes, full: Registry, connect: Connect) -> None:
    release, running = threading.Event(), threading.Event()

    @full.service("test")
    def wait() -> bool:
        running.set()
        return release.wait(TIMEOUT)

    peer = connect(full)
    peer.start("wait")
    peer.start("add", 1, 2)
    assert running.wait(TIMEOUT)
    peer.send(data + b" ")
    # What came before is answered, also what is still running; then both ends are closed.
    assert peer.reply()["reply"] == [3]
    release.set()
    assert peer.reply()["reply"] == [True]
    assert peer.line() == b""
    assert isinstance(peer.end(), ProtocolError)
    with pytest.raises(BrokenPipeError):
        peer.start("add", 1, 2)


def test_after_malformed_input_a_slow_service_is_waited_for_so_long(full: Registry, connect: Connect) -> None:
    release = threading.Event()

    @full.service("test")
    def wait() -> None:
        release.wait(TIMEOUT)

    peer = connect(full, drain_timeout=0.05)
    peer.start("wait")
    peer.send(b"}")
    assert peer.line() == b""
    assert isinstance(peer.end(), ProtocolError)
    release.set()


def test_limits_of_a_connection(full: Registry, connect: Connect) -> None:
    peer = connect(full, max_message=100)
    peer.start("add", *[1] * 200)
    assert peer.line() == b""
    assert "100" in str(peer.end())


def test_finish_reads_what_is_there(full: Registry, connect: Connect) -> None:
    called = threading.Event()

    @full.service("test")
    def touch() -> None:
        called.set()

    peer = connect(full)
    peer.start("touch")
    peer.server.finish()
    assert peer.end() is None
    assert called.wait(TIMEOUT)


def test_finish_does_not_wait(full: Registry, connect: Connect) -> None:
    release, running = threading.Event(), threading.Event()

    @full.service("test")
    def wait() -> None:
        running.set()
        assert release.wait(TIMEOUT)

    peer = connect(full)
    for _ in range(100):
        peer.start("wait")
    assert running.wait(TIMEOUT)
    peer.server.finish()
    assert peer.end() is None
    release.set()


def test_close_is_final_and_harmless_twice(full: Registry, connect: Connect) -> None:
    peer = connect(full)
    assert peer.call("add", 1, 2) == {"reply": [3]}
    peer.server.close()
    peer.server.close()
    assert peer.end() is None
    assert peer.line() == b""


def test_a_registry_may_change_meanwhile(full: Registry, connect: Connect) -> None:
    peer = connect(full)
    assert peer.call("late") == {"error": 'undefined service "late"'}
    full.add_service("test", "late", add)
    assert peer.call("late", 1, 1) == {"reply": [2]}


class Silent(FdStream):
    """What is read from it fails."""

    def read(self, size: int) -> bytes | None:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


def test_a_failing_descriptor_ends_the_connection_with_its_reason(full: Registry) -> None:
    plugin_reads, host_writes = os.pipe()
    server = Server(full, Channel(Duplex(Silent(os.open(os.devnull, os.O_RDONLY)), FdStream(host_writes))))
    server.start()
    assert server.wait(TIMEOUT)
    assert os.read(plugin_reads, 1) == b""
    os.close(plugin_reads)
    assert isinstance(server.error, PluginError)
    assert str(server.error) == "the host cannot serve the plugin: [Errno 12] Cannot allocate memory"


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_where_no_thread_can_be_started_the_connection_ends(
    failing: int, full: Registry, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def fails(thread: threading.Thread) -> None:
        started.append(thread)
        if len(started) == failing:
            raise RuntimeError("can't start new thread")
        start(thread)

    release = threading.Event()

    @full.service("test")
    def wait() -> bool:
        return release.wait(TIMEOUT)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fails)
        peer = connect(full)
        if failing == 3:
            peer.start("wait")  # for which the watchdog takes over, and wants a successor
        error = peer.end()
    assert isinstance(error, PluginError)
    assert str(error) == "the host cannot serve the plugin: can't start new thread"
    assert peer.line() == b""
    release.set()


def test_a_reply_does_not_wait_for_a_slow_call_behind_it(full: Registry, connect: Connect) -> None:
    """Replies to requests of one read are written together, but not when the reader is held up in between."""
    release = threading.Event()

    @full.service("test")
    def wait() -> bool:
        return release.wait(TIMEOUT)

    peer = connect(full)
    message = '{"sequence":%d,"type":"call","namespace":"test","name":"%s","args":%s}'
    peer.send((message % (1, "add", "[1,2]") + message % (2, "wait", "[]")).encode())
    assert peer.reply() == {"sequence": 1, "reply": [3]}
    release.set()
    assert peer.reply() == {"sequence": 2, "reply": [True]}


def test_many_arguments_are_refused_before_they_are_built(full: Registry, connect: Connect) -> None:
    peer = connect(full)
    peer.send(b'{"sequence":1,"type":"call","namespace":"test","name":"add","args":[' + b"1," * 200_000 + b"1]}")
    assert peer.reply() == {"sequence": 1, "error": "expected 2 arguments, got more than 18"}
    peer.send(b'{"sequence":2,"type":"call","namespace":"test","name":"add","args":[1' + b" " * 200_000 + b",2]}")
    assert peer.reply() == {"sequence": 2, "reply": [3]}


def test_more_values_than_allowed_are_an_error_of_that_call(full: Registry, connect: Connect) -> None:
    @full.service("test")
    def count(values: list[Any]) -> int:
        return len(values)

    peer = connect(full, max_values=1000)
    assert peer.call("count", [0] * 500) == {"reply": [500]}
    assert peer.call("count", [0] * 1000) == {
        "error": "the arguments have 1008 values, more than the 1000 that are allowed"
    }
    assert peer.call("count", ["[,{" * 1000]) == {"reply": [1]}
