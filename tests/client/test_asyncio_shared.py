"""Loops and threads on one connection, and what can happen in the middle of a step."""

from __future__ import annotations

import asyncio
import re
import threading
from random import Random
from typing import Any

import pytest

from plugsvc.client import Connection
from plugsvc.client.connection import LoopDriver
from plugsvc.errors import CallTimeout, ConnectionLost, MisuseError, ServiceError

from .hosts import DEADLINE, PipeHost, call, reply
from .loops import BIG, Factory, Run, acall, begun, is_open, run_in

# Threads and loops together


def test_threads_and_loops_on_one_connection(host: PipeHost, run: Run, factory: Factory) -> None:
    host.echo()
    connection = host.connection()

    def blocking(number: int) -> None:
        for round in range(100):
            assert call(connection, number, round) == [number, round]

    async def awaiting(number: int) -> None:
        for round in range(50):
            assert await acall(connection, number, round) == [number, round]

    async def many() -> None:
        await asyncio.gather(*(awaiting(number) for number in range(8)))

    async def main() -> None:
        await asyncio.gather(
            many(),
            *(asyncio.to_thread(blocking, number) for number in range(3)),
            *(asyncio.to_thread(run_in, factory, many()) for _ in range(2)),
        )

    run(main())
    assert not connection.pending
    connection.close()
    assert not is_open(connection)


def test_a_blocking_call_in_the_thread_of_the_loop(host: PipeHost, run: Run) -> None:
    """Nobody else could read its reply, and what it reads for others gets there."""
    host.echo()
    connection = host.connection()

    async def main() -> None:
        tasks = [await begun(connection, number) for number in range(10)]
        assert call(connection, "blocking") == ["blocking"]
        assert await asyncio.gather(*tasks) == [[number] for number in range(10)]

    run(main())


def test_a_thread_leads_and_the_loop_is_told(host: PipeHost, run: Run) -> None:
    connection = host.connection()

    async def main() -> None:
        blocking = asyncio.ensure_future(asyncio.to_thread(call, connection, 1))
        while not connection.has_reader:
            await asyncio.sleep(0.001)
        awaited = await begun(connection, 2)
        host.send(reply(2, "b"))
        assert await awaited == ["b"]
        after = await begun(connection, 3)
        host.send(reply(1, "a"))
        assert await blocking == ["a"]
        host.send(reply(3, "c"))  # now the loop has to read by itself
        assert await after == ["c"]

    run(main())


def test_a_loop_that_is_busy_holds_up_no_other(host: PipeHost, factory: Factory) -> None:
    host.echo()
    connection = host.connection()
    begins, ends = threading.Event(), threading.Event()

    async def busy() -> list[int]:
        task = await begun(connection, 0)
        begins.set()
        assert ends.wait(DEADLINE)  # blocks the loop, which has a call in progress
        return await task  # type: ignore[no-any-return]

    async def quick() -> None:
        for number in range(20):
            assert await acall(connection, number) == [number]

    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(run_in(factory, busy())))
    thread.start()
    try:
        assert begins.wait(DEADLINE)
        run_in(factory, quick())
        assert call(connection, "blocking") == ["blocking"]
    finally:
        ends.set()
        thread.join(DEADLINE)
    assert found == [[0]]


def test_what_a_thread_has_left_unwritten_goes_out(host: PipeHost, run: Run) -> None:
    """A thread that gives up leaves the rest of its message to the loop that waits behind it."""
    connection = host.connection()
    with pytest.raises(CallTimeout):
        call(connection, BIG, timeout=0.01)

    async def main() -> None:
        task = await begun(connection, "behind")
        host.echo()
        assert await task == ["behind"]

    run(main())


def test_a_thread_gives_up_while_the_loop_waits_for_room(host: PipeHost, run: Run) -> None:
    connection = host.connection()

    async def main() -> None:
        stuck = asyncio.ensure_future(asyncio.to_thread(call, connection, BIG, timeout=0.2))
        while not connection.blocked:
            await asyncio.sleep(0.001)
        task = await begun(connection, "behind")
        with pytest.raises(CallTimeout):
            await stuck
        host.echo()
        assert await task == ["behind"]

    run(main())


# Misuse, and what else there is


def test_without_a_loop(host: PipeHost) -> None:
    connection = host.connection()
    coroutine = acall(connection)
    with pytest.raises(MisuseError, match=r"^an async stub is for the event loops of asyncio, and none is running"):
        coroutine.send(None)


def test_idle_loops_are_not_woken(host: PipeHost, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocking callers cost a loop that waits for nothing no more than one step."""
    host.echo()
    connection = host.connection()
    steps: list[int] = []
    step = Connection.step

    def counted(connection: Connection, driver: LoopDriver, reads: int) -> bool:
        steps.append(1)
        return step(connection, driver, reads)

    monkeypatch.setattr(Connection, "step", counted)

    async def main() -> None:
        await acall(connection, 1)
        before = len(steps)
        await asyncio.to_thread(lambda: [call(connection, number) for number in range(50)])
        assert len(steps) - before <= 1

    run(main())


def test_an_exception_in_a_step(host: PipeHost, factory: Factory) -> None:
    """What a signal handler raises with bytes in hand ends the connection, as it does in a blocking call."""

    class Struck(KeyboardInterrupt):
        pass

    connection = host.connection()

    def struck(size: int) -> bytes | None:
        assert host.from_host.inner.read(size)
        raise Struck

    async def main() -> None:
        task = await begun(connection, 1)
        host.from_host.on_read(struck)
        host.send(reply(1, "a"))
        await task

    loop = factory()
    task = loop.create_task(main())
    try:
        with pytest.raises(Struck):
            loop.run_until_complete(task)
        with pytest.raises(ConnectionLost, match=r"^interrupted while reading a reply \(Struck\)$"):
            loop.run_until_complete(task)
    finally:
        loop.close()


def test_a_finalizer_in_a_step(host: PipeHost, run: Run) -> None:
    """It cannot call, and it can close."""
    connection = host.connection()
    refused: list[str] = []

    def finalizing(size: int) -> bytes | None:
        with pytest.raises(ServiceError) as caught:
            call(connection)
        refused.append(str(caught.value))
        connection.close("by a finalizer")
        return host.from_host.inner.read(size)

    async def main() -> None:
        one, other = await begun(connection, 1), await begun(connection, 2)
        host.from_host.on_read(finalizing)
        host.send(reply(1, "a"))
        assert await one == ["a"]
        with pytest.raises(ConnectionLost, match=r"^by a finalizer$"):
            await other

    run(main())
    assert len(refused) == 1
    assert re.search("in the middle of its thread's own call", refused[0])
    assert not is_open(connection)


@pytest.mark.parametrize("seed", range(3))
def test_calls_given_up_at_random(host: PipeHost, run: Run, factory: Factory, seed: int) -> None:
    """Whatever is cancelled when, of whatever size: every other call gets its own answer, and nothing is left."""
    host.echo()
    connection = host.connection()
    random = Random(seed)

    def size() -> str:
        return "x" * random.choice([0, 10, 1000, 70_000, 300_000])

    async def one(number: int) -> None:
        for round in range(10):
            text, mode = size(), random.randrange(5)
            task = asyncio.ensure_future(acall(connection, number, round, text))
            if mode == 0:
                task.cancel()
            elif mode == 1:
                for _ in range(random.randrange(4)):
                    await asyncio.sleep(0)
                task.cancel()
            elif mode == 2:
                asyncio.get_running_loop().call_later(random.random() / 1000, task.cancel)
            try:
                assert await task == [number, round, text]
            except asyncio.CancelledError:
                assert mode < 3

    async def many(count: int) -> None:
        await asyncio.gather(*(one(number) for number in range(count)))

    def blocking(number: int) -> None:
        for round in range(10):
            text = size()
            try:
                assert call(connection, number, round, text, timeout=random.choice([0.0005, DEADLINE])) == [
                    number, round, text,
                ]  # fmt: skip
            except CallTimeout:
                continue

    async def main() -> None:
        others = asyncio.to_thread(run_in, factory, many(4)), asyncio.to_thread(blocking, 100)
        await asyncio.gather(many(8), *others)
        assert await acall(connection, "last") == ["last"]

    run(main())
    assert connection.idle
    connection.close()
    assert not is_open(connection)
