"""Interruptions, forks, finalizers, and idleness."""

from __future__ import annotations

import inspect
import os
import select
import sys
import threading
import time
from types import FrameType
from typing import Any

import pytest

from plugsvc.client.connection import Connection
from plugsvc.errors import CallTimeout, ConnectionLost, ServiceError
from plugsvc.openers.looking import TRIES

from .hosts import DEADLINE, FORKING, PREFIX, PipeHost, call, lost

# Interruptions where they hurt


class Struck(BaseException):
    """What a signal handler may raise."""


def test_struck_with_bytes_in_hand(host: PipeHost) -> None:
    host.echo()
    connection = host.connection()
    read = connection._reader.read

    class Stream:
        def read(self, size: int) -> bytes | None:
            assert read(size)
            raise Struck

    reader, connection._reader = connection._reader, Stream()  # type: ignore[assignment]
    with pytest.raises(Struck):
        call(connection)
    connection._reader = reader
    assert lost(connection) == "interrupted while reading a reply (Struck)"


def test_struck_in_the_middle_of_a_request(host: PipeHost) -> None:
    connection = host.connection()
    write = connection._writer_stream.write

    class Stream:
        atomic = select.PIPE_BUF

        def write(self, data: bytes | memoryview) -> int:
            assert write(data)
            raise Struck

    connection._writer_stream = Stream()  # type: ignore[assignment]
    with pytest.raises(Struck):
        call(connection, "x" * 100_000)
    assert lost(connection) == "interrupted while writing a request (Struck)"


def test_struck_after_a_whole_request(host: PipeHost) -> None:
    """The pipe has taken all of it: an abandoned call, nothing else."""
    host.echo()
    connection = host.connection()
    write = connection._writer_stream.write

    class Stream:
        atomic = select.PIPE_BUF

        def write(self, data: bytes | memoryview) -> int:
            assert write(data) == len(data)
            raise Struck

    stream, connection._writer_stream = connection._writer_stream, Stream()  # type: ignore[assignment]
    with pytest.raises(Struck):
        call(connection, 1)
    connection._writer_stream = stream
    assert call(connection, 2) == [2]
    connection.close()


@pytest.mark.parametrize("before", [True, False])
def test_struck_while_leaving(host: PipeHost, before: bool) -> None:
    """An exception in the step that passes everything on: the step is done again."""
    host.echo()
    connection = host.connection()
    mutex = connection._mutex
    connection._is_quiet = lambda: False  # type: ignore[method-assign]  # else it leaves with its reply

    class Mutex:
        """Strikes when the last of a call's steps begins, or when it ends."""

        entered = 0

        def __enter__(self) -> None:
            self.entered += 1
            self.last = not connection._pending and self.entered > 1
            if self.last and before and not connection.closed:
                connection._mutex = mutex
                raise Struck
            mutex.acquire()

        def __exit__(self, *error: object) -> None:
            mutex.release()
            if self.last and not before:
                connection._mutex = mutex
                raise Struck

    connection._mutex = Mutex()  # type: ignore[assignment]
    with pytest.raises(Struck):
        call(connection)
    assert connection._mutex is mutex
    assert not connection._active
    assert connection._leader is None
    assert call(connection, 2) == [2]
    connection.close()


@pytest.mark.parametrize("after", range(1, 40))
def test_struck_while_leaving_with_the_reply(host: PipeHost, after: int) -> None:
    """An exception anywhere in the step in which a lone caller takes its reply and leaves: nobody waits for ever."""
    host.echo()
    connection = host.connection()
    assert call(connection, 1) == [1]
    left = after
    code = Connection._take_input.__code__
    source, first = inspect.getsourcelines(Connection._take_input)

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal left
        if frame.f_code is not code:
            return None
        # The end of a with block has the line of its beginning. No signal strikes there, but a trace would.
        if event == "line" and not source[frame.f_lineno - first].lstrip().startswith("with "):
            left -= 1
            if left == 0:
                raise Struck
        return trace

    struck = False
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call(connection, 2)
    except Struck:
        struck = True
    except ConnectionLost:
        pass
    finally:
        sys.settrace(before)
    assert struck or left > 0
    assert not connection._active
    assert connection._leader is None
    assert not connection._pending
    if connection.closed is None:
        assert call(connection, 3) == [3]
    else:
        assert connection.closed == "interrupted while reading a reply (Struck)"
    connection.close()


def test_closing_from_a_finalizer_inside_a_call(host: PipeHost) -> None:
    host.echo()
    connection = host.connection()
    inner = connection._reader.read

    class Stream:
        def read(self, size: int) -> bytes | None:
            connection.close("a finalizer")
            return inner(size)

    connection._reader = Stream()  # type: ignore[assignment]
    assert call(connection, 1) == [1], "the reply was in already"
    assert connection.closed == "a finalizer"
    assert lost(connection) == "a finalizer"


# Forks, finalizers, idleness


@FORKING
def test_a_forked_child_leaves_the_connection_alone(host: PipeHost) -> None:
    host.echo()
    connection = host.connection()
    assert call(connection, 1) == [1]
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            connection.call_raw(PREFIX, b"[]", 1.0)
            text = "it worked"
        except ConnectionLost as error:
            text = error.reason
        os.write(write, text.encode())
        os._exit(0)
    os.close(write)
    assert select.select([read], [], [], DEADLINE)[0]
    assert os.read(read, 1000) == b"this process was forked, the connection belongs to its parent"
    os.close(read)
    assert os.waitpid(child, 0)[1] == 0
    assert call(connection, 2) == [2]
    connection.close()


@FORKING
def test_a_fork_does_not_keep_the_connection_open(host: PipeHost) -> None:
    connection = host.connection()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    os.close(read)
    connection.close()
    assert host.request() is None, "the child must not have the plugin's end"
    os.close(write)
    assert os.waitpid(child, 0)[1] == 0


def test_a_call_from_a_finalizer_inside_a_call(host: PipeHost) -> None:
    host.echo()
    connection = host.connection()
    errors = []

    class Args(bytes):
        def __del__(self) -> None:
            try:
                connection.call_raw(PREFIX, b"[]", 1.0)
            except ServiceError as error:
                errors.append(str(error))

    class Stream:
        """Has a finalizer run in the middle of the reading."""

        def __init__(self) -> None:
            self.inner = connection._reader

        def read(self, size: int) -> bytes | None:
            Args(b"")
            return self.inner.read(size)

    connection._reader = Stream()  # type: ignore[assignment]
    assert call(connection, 1) == [1]
    assert errors
    assert set(errors) == {"a signal handler or finalizer cannot call a service in the middle of its thread's own call"}
    connection.close()


def test_waiting_costs_nothing(host: PipeHost) -> None:
    """No wake-ups and no looking while nothing happens, for the leader and the followers."""
    import resource

    costs: list[tuple[int, float]] = []

    def wait() -> None:
        before, cpu = resource.getrusage(resource.RUSAGE_THREAD), time.thread_time()
        with pytest.raises(CallTimeout):
            call(connection, timeout=0.5)
        after = resource.getrusage(resource.RUSAGE_THREAD)
        costs.append((after.ru_nvcsw - before.ru_nvcsw, time.thread_time() - cpu))

    connection = host.connection()
    threads = [threading.Thread(target=wait, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert len(costs) == 3
    for wakeups, cpu in costs:
        assert wakeups < 30
        assert cpu < 0.1
    connection.close()


def test_looking_stops_when_it_does_not_pay_off(host: PipeHost) -> None:
    connection = host.connection(spin=True)
    looks = 0
    ready = connection._ready

    def counted() -> bool:
        nonlocal looks
        looks += 1
        return bool(ready())

    connection._ready = counted
    per_call = []
    for _ in range(40):
        looks = 0
        with pytest.raises(CallTimeout):
            call(connection, timeout=0.002)
        per_call.append(looks)
    assert per_call[0] > TRIES
    assert sum(looks > TRIES for looks in per_call) < 10
    assert min(per_call) < 5
    host.echo()
    for n in range(200):
        assert call(connection, n) == [n]
    connection.close()
