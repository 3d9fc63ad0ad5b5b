"""Exceptions of signal handlers, forks, finalizers, and idleness."""

from __future__ import annotations

import os
import select
import threading
import time

import pytest

from plugsvc.client.process import FOREIGN
from plugsvc.errors import CallTimeout, ConnectionLost, ServiceError
from plugsvc.openers.spin import TRIES

from .hosts import DEADLINE, FORKING, PREFIX, PipeHost, call, lost

# Exceptions of signal handlers


class Struck(BaseException):
    """What a signal handler may raise."""


def test_struck_with_bytes_in_hand(host: PipeHost) -> None:
    host.echo()
    connection = host.connection()

    def struck(size: int) -> bytes | None:
        assert host.from_host.inner.read(size)
        raise Struck

    host.from_host.on_read(struck)
    with pytest.raises(Struck):
        call(connection)
    host.from_host.restore()
    assert lost(connection) == "interrupted while reading a reply (Struck)"


def test_struck_in_the_middle_of_a_request(host: PipeHost) -> None:
    connection = host.connection()

    def struck(data: bytes | memoryview) -> int:
        assert host.to_host.inner.write(data)
        raise Struck

    host.to_host.on_write(struck)
    with pytest.raises(Struck):
        call(connection, "x" * 100_000)
    assert lost(connection) == "interrupted while writing a request (Struck)"


def test_struck_after_a_whole_request(host: PipeHost) -> None:
    """The pipe has taken all of it: an abandoned call, nothing else."""
    host.echo()
    connection = host.connection()

    def struck(data: bytes | memoryview) -> int:
        assert host.to_host.inner.write(data) == len(data)
        raise Struck

    host.to_host.on_write(struck)
    with pytest.raises(Struck):
        call(connection, 1)
    host.to_host.restore()
    assert call(connection, 2) == [2]
    connection.close()


def test_closing_from_a_finalizer_inside_a_call(host: PipeHost) -> None:
    host.echo()
    connection = host.connection()

    def closing(size: int) -> bytes | None:
        connection.close("a finalizer")
        return host.from_host.inner.read(size)

    host.from_host.on_read(closing)
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
    assert os.read(read, 1000) == FOREIGN.encode()
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

    def finalizing(size: int) -> bytes | None:
        Args(b"")
        return host.from_host.inner.read(size)

    host.from_host.on_read(finalizing)
    assert call(connection, 1) == [1]
    assert errors
    assert set(errors) == {"a signal handler or finalizer cannot call a service in the middle of its thread's own call"}
    connection.close()


def test_waiting_costs_nothing(host: PipeHost) -> None:
    """No wake-ups and no spinning while nothing happens, for the leader and the followers."""
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


def test_spinning_stops_when_it_does_not_pay_off(host: PipeHost) -> None:
    tries = 0

    def counted() -> bool:
        nonlocal tries
        tries += 1
        return host.from_host.inner.ready()

    host.from_host.on_ready(counted)
    connection = host.connection(spin=True)
    per_call = []
    for _ in range(40):
        tries = 0
        with pytest.raises(CallTimeout):
            call(connection, timeout=0.002)
        per_call.append(tries)
    assert per_call[0] > TRIES
    assert sum(tries > TRIES for tries in per_call) < 10
    assert min(per_call) < 5
    host.echo()
    for n in range(200):
        assert call(connection, n) == [n]
    connection.close()
