"""Calls by coroutines: many loops and threads on one connection, cancellation, ends of life."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from plugsvc.client import Connection
from plugsvc.client.asyncio_driver import driver_of
from plugsvc.errors import CallTimeout, ConnectionLost, ProtocolError
from plugsvc.openers import Duplex

from .hosts import DEADLINE, PREFIX, PipeHost, call, reply
from .loops import BIG, Factory, Run, acall, begun, is_open

# Calls and replies


def test_a_call(host: PipeHost, run: Run) -> None:
    host.echo()
    assert run(acall(host.connection(), 1, "a")) == [1, "a"]


def test_many_at_once(host: PipeHost, run: Run) -> None:
    host.echo()
    connection = host.connection()

    async def main() -> None:
        for size in (2, 100, 1000):
            calls = (acall(connection, number) for number in range(size))
            assert await asyncio.gather(*calls) == [[number] for number in range(size)]

    run(main())


def test_out_of_order_twice_and_unasked(host: PipeHost, run: Run) -> None:
    connection = host.connection()

    async def main() -> None:
        one, other = await begun(connection, 1), await begun(connection, 2)
        host.send(reply(99, "nobody's"), reply(2, "b"), reply(2, "again"), reply(1, "a"))
        assert (await one, await other) == (["a"], ["b"])

    run(main())


def test_requests_of_one_iteration_leave_together(host: PipeHost, run: Run) -> None:
    """The first one at once, unless it came with others the last time."""
    connection = host.connection()
    written: list[int] = []

    def counted(data: bytes | memoryview) -> int:
        written.append(bytes(data).count(b"\n"))
        return host.to_host.inner.write(data)

    host.to_host.on_write(counted)
    host.echo()

    async def main() -> None:
        for size in (16, 16, 1, 1, 2, 150):
            await asyncio.gather(*(acall(connection, number) for number in range(size)))

    run(main())
    assert written == [1, 15, 16, 1, 1, 1, 1, 64, 64, 22]


def test_big_messages_both_ways_at_once(host: PipeHost, run: Run) -> None:
    """Neither side reads the other's message to the end before it writes its own."""
    host.echo()
    connection = host.connection()

    async def main() -> None:
        found = await asyncio.gather(*(acall(connection, number, BIG) for number in range(3)))
        assert found == [[number, BIG] for number in range(3)]
        assert await acall(connection, "small") == ["small"]

    run(main())


@pytest.mark.parametrize("transport", ["socket", "rings"])
def test_other_streams(transport: str, run: Run) -> None:
    with other_stream(transport) as (duplex, host):
        connection = Connection(duplex)
        thread = threading.Thread(target=host, daemon=True)
        thread.start()

        async def main() -> None:
            assert await acall(connection, "first") == ["first"]
            found = await asyncio.gather(*(acall(connection, [number, "y" * 30_000]) for number in range(20)))
            assert [number for ((number, _),) in found] == list(range(20))
            for number in range(50):
                assert await acall(connection, number) == [number]

        run(main())
        connection.close()
        thread.join(DEADLINE)
        assert not thread.is_alive()
        assert not is_open(connection)


@contextmanager
def other_stream(transport: str) -> Iterator[tuple[Duplex, Callable[[], None]]]:
    """Yield the plugin's end of a stream, and a host that echoes at the other end."""
    import socket

    from plugsvc.host import Registry
    from plugsvc.host.channel import Channel
    from plugsvc.host.server import Server
    from tests.openers.rings import sides

    registry = Registry()
    registry.define("n")
    registry.add_service("n", "s", lambda value: value)

    def serve(channel: Channel) -> None:
        server = Server(registry, channel)
        server.start()
        assert server.wait(DEADLINE)
        assert server.error is None

    if transport == "rings":
        with sides(4096) as both:
            yield both.plugin, lambda: serve(Channel(both.host))
    else:
        ours, theirs = socket.socketpair()
        from plugsvc.openers.fd import adopt

        stream = adopt(theirs.detach())
        yield Duplex(stream, stream), lambda: serve(Channel.of_descriptors(ours.detach()))


# Giving up


def test_a_cancelled_call_is_forgotten(host: PipeHost, run: Run) -> None:
    connection = host.connection()

    async def main() -> None:
        task = await begun(connection, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not connection.pending
        other = await begun(connection, 2)
        host.send(reply(1, "late"), reply(2, "b"))
        assert await other == ["b"]

    run(main())


def test_a_call_cancelled_before_it_was_written_is_never_sent(host: PipeHost, run: Run) -> None:
    connection = host.connection()

    async def main() -> None:
        first, second, third = (asyncio.ensure_future(acall(connection, number)) for number in range(3))
        await asyncio.sleep(0)  # the first one is written, the others are collected
        second.cancel()
        await asyncio.sleep(0)
        host.echo()
        assert (await first, await third) == ([0], [2])
        with pytest.raises(asyncio.CancelledError):
            await second
        assert await acall(connection, 3) == [3]

    run(main())


def test_a_message_that_was_begun_is_finished(host: PipeHost, run: Run) -> None:
    connection = host.connection()

    async def main() -> None:
        task = await begun(connection, BIG)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        host.echo()
        assert await acall(connection, "next") == ["next"]

    run(main())


def test_timeouts(host: PipeHost, run: Run) -> None:
    connection = host.connection()

    async def main() -> None:
        with pytest.raises(CallTimeout, match=r"^no reply within 0\.01 s$"):
            await acall(connection, 1, timeout=0.01)
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.01):
                await acall(connection, 2)
        assert not isinstance(caught.value, CallTimeout)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(acall(connection, 3), 0.01)
        assert not connection.pending
        fourth = await begun(connection, 4)
        host.send(reply(1), reply(2), reply(3), reply(4, "d"))
        assert await fourth == ["d"]

    run(main())


def test_a_task_group_that_fails_cancels_its_calls(host: PipeHost, run: Run) -> None:
    connection = host.connection()

    async def fail() -> None:
        await begun(connection, "beside")
        raise ValueError("reason")

    async def several() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(acall(connection, number))
            group.create_task(fail())

    async def main() -> None:
        with pytest.raises(ExceptionGroup):
            await several()

    run(main())
    assert not connection.pending


def test_a_coroutine_that_is_thrown_away(host: PipeHost, run: Run) -> None:
    connection = host.connection()

    async def main() -> None:
        waiting = driver_of(connection).call_raw(PREFIX, b"[]")
        waiting.send(None)
        assert connection.pending == 1
        del waiting
        gc.collect()
        assert not connection.pending

    run(main())


def test_a_coroutine_that_is_thrown_away_in_the_middle_of_something(host: PipeHost, run: Run) -> None:
    """The garbage collector may run where the connection is in use by this very thread."""
    connection = host.connection()

    async def main() -> None:
        waiting = driver_of(connection).call_raw(PREFIX, b"[]")
        waiting.send(None)
        left: list[int] = []

        def collect(size: int) -> bytes | None:
            waiting.close()
            left.append(connection.pending)
            host.from_host.restore()
            return host.from_host.inner.read(size)

        host.from_host.on_read(collect)
        host.send(reply(2, "mine"))
        assert call(connection) == ["mine"]
        assert left == [2]
        assert connection.pending == 1
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not connection.pending

    run(main())


# The end of the connection


def test_the_end_fails_all_calls_with_the_reason(host: PipeHost, run: Run) -> None:
    connection = host.connection()

    async def main() -> None:
        tasks = [await begun(connection, number) for number in range(5)]
        host.hang_up()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        for error in found:
            assert isinstance(error, ConnectionLost)
            assert error.reason == "the host closed the connection"
        assert len({id(error) for error in found}) == 5
        assert not is_open(connection)
        with pytest.raises(ConnectionLost, match=r"^the host closed the connection$"):
            await acall(connection)

    run(main())


def test_an_idle_loop_notices_the_end(host: PipeHost, run: Run) -> None:
    host.echo()
    connection = host.connection()

    async def main() -> None:
        await acall(connection, 1)
        host.stop_writing()
        while connection.closed is None:
            await asyncio.sleep(0.001)

    run(main())
    assert connection.closed == "the host closed the connection"
    assert not is_open(connection)


def test_nonsense(host: PipeHost, run: Run) -> None:
    connection = host.connection()

    async def main() -> None:
        one, other = await begun(connection, 1), await begun(connection, 2)
        host.send(reply(1, "a"), b"]\n")
        assert await one == ["a"]
        with pytest.raises(ConnectionLost, match=r"^the host sent what is not the protocol: ") as caught:
            await other
        assert isinstance(caught.value.__cause__, ProtocolError)

    run(main())


def test_a_host_that_does_not_read(host: PipeHost, run: Run) -> None:
    connection = host.connection()

    async def main() -> None:
        task = await begun(connection, BIG)
        host.stop_reading()
        with pytest.raises(ConnectionLost, match=r"^the host does not read any more \(broken pipe\)$"):
            await task

    run(main())


def test_closing_in_the_loop(host: PipeHost, run: Run) -> None:
    connection = host.connection()

    async def main() -> None:
        task = await begun(connection, 1)
        connection.close("enough")
        assert not is_open(connection)
        connection.close("again")
        with pytest.raises(ConnectionLost, match=r"^enough$"):
            await task
        with pytest.raises(ConnectionLost, match=r"^enough$"):
            await acall(connection)

    run(main())


def test_closing_by_another_thread(host: PipeHost, run: Run) -> None:
    connection = host.connection()

    async def main() -> None:
        task = await begun(connection, 1)
        await asyncio.to_thread(connection.close, "enough")
        with pytest.raises(ConnectionLost, match=r"^enough$"):
            await task
        while is_open(connection):
            await asyncio.sleep(0.001)

    run(main())
    assert host.requests().__next__()["args"] == [1]
    assert host.receive() == b""


def test_closing_after_the_loop(host: PipeHost, run: Run) -> None:
    host.echo()
    connection = host.connection()
    run(acall(connection, 1))
    connection.close()
    assert not is_open(connection)


def test_closing_while_the_loop_stands_still(host: PipeHost, factory: Factory) -> None:
    host.echo()
    connection = host.connection()
    loop = factory()
    try:
        assert loop.run_until_complete(acall(connection, 1)) == [1]
        connection.close("enough")
        assert not is_open(connection)
        with pytest.raises(ConnectionLost, match=r"^enough$"):
            loop.run_until_complete(acall(connection, 2))
    finally:
        loop.close()


def test_closing_while_the_loop_of_another_thread_stands_still(host: PipeHost, factory: Factory) -> None:
    host.echo()
    connection = host.connection()
    loop = factory()
    try:
        thread = threading.Thread(target=lambda: loop.run_until_complete(acall(connection, 1)))
        thread.start()
        thread.join(DEADLINE)
        assert is_open(connection)
        connection.close()
        assert not is_open(connection)
    finally:
        loop.close()


def test_one_loop_after_the_other(host: PipeHost, run: Run) -> None:
    host.echo()
    connection = host.connection()
    for number in range(4):
        assert run(acall(connection, number)) == [number]
        assert call(connection, number) == [number]
    assert len(connection.loops) == 1


def test_a_loop_that_ends_with_calls_under_way(host: PipeHost, run: Run, factory: Factory) -> None:
    connection = host.connection()

    async def leave() -> None:
        await begun(connection, "left")

    run(leave())
    assert not connection.pending
    loop = factory()  # and one that is simply abandoned
    task = loop.run_until_complete(begun(connection, "abandoned"))
    loop.close()
    host.echo()
    assert call(connection, 3) == [3]
    assert run(acall(connection, 4)) == [4]
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    connection.close()
    assert not is_open(connection)
