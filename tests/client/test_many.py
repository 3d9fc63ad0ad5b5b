"""Lists of calls that are sent together, by threads and by coroutines."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest

import plugsvc
from plugsvc import BoundCall, aio, call_many, prepare
from plugsvc.client import default_session
from plugsvc.errors import (
    ArgumentError,
    CallTimeout,
    ConnectionLost,
    MisuseError,
    NotHosted,
    OpenError,
    RemoteError,
    ResultError,
    ServiceError,
)

from .hosts import DEADLINE, PREFIX, PipeHost, Request, call, reply
from .loops import BIG, Run, acall, begun

Many = Callable[..., list[Any]]


@pytest.fixture(params=["blocking", "awaited"])
def many(request: pytest.FixtureRequest, run: Run) -> Many:
    """Both functions, the one that is awaited in each kind of loop."""
    if request.param == "blocking":
        return call_many

    def awaited(calls: Iterable[BoundCall[Any]], **options: Any) -> list[Any]:
        found: list[Any] = run(aio.call_many(calls, **options))
        return found

    return awaited


@plugsvc.service("n")
def add(a: int, b: int = 3) -> int:
    raise NotImplementedError


@plugsvc.service("n")
def text(a: int) -> str:
    raise NotImplementedError


@plugsvc.service("n", "add")
async def aadd(a: int, b: int = 3) -> int:
    raise NotImplementedError


def sums(request: Request) -> list[bytes]:
    return [reply(request["sequence"], sum(request["args"]))]


def test_results_in_order(adopted: PipeHost, many: Many) -> None:
    requests = []

    def script() -> None:
        for _ in range(100):
            request = adopted.request()
            assert request is not None
            requests.append(request)
        adopted.send(*(reply(each["sequence"], sum(each["args"])) for each in reversed(requests)))

    adopted.run(script)
    assert many(prepare(add, number) for number in range(100)) == list(range(3, 103))
    assert [each["args"] for each in requests] == [[number, 3] for number in range(100)]


def test_they_leave_in_one_write(adopted: PipeHost, many: Many) -> None:
    written: list[int] = []

    def counted(data: bytes | memoryview) -> int:
        written.append(bytes(data).count(b"\n"))
        return adopted.to_host.inner.write(data)

    adopted.to_host.on_write(counted)
    adopted.serve(sums)
    assert many([prepare(add, number) for number in range(16)]) == list(range(3, 19))
    assert written == [16]


def test_each_has_its_own_error(adopted: PipeHost, many: Many) -> None:
    def answer(request: Request) -> list[bytes]:
        if request["args"][0] == 1:
            return [b'{"sequence":%d,"error":"boom"}' % request["sequence"]]
        return [reply(request["sequence"], 7)]

    wrong: Any = "x"
    adopted.serve(answer)
    found = many([prepare(add, 0), prepare(add, 1), prepare(add, wrong), prepare(text, 2), prepare(add, b=1, a=5)])
    assert (found[0], found[4]) == (7, 7)
    assert [type(each) for each in found[1:4]] == [RemoteError, ArgumentError, ResultError]
    assert [str(each) for each in found[1:4]] == [
        "boom", "expected int, got str, at $[0]", "expected str, got int, at $[0]",
    ]  # fmt: skip


def test_an_error_as_last_result(adopted: PipeHost, many: Many) -> None:
    @plugsvc.service("n")
    def half(a: int) -> tuple[int | None, Exception | None]:
        raise NotImplementedError

    def answer(request: Request) -> list[bytes]:
        if request["args"] == [1]:
            return [b'{"sequence":%d,"error":"odd"}' % request["sequence"]]
        return [reply(request["sequence"], 1)]

    adopted.serve(answer)
    (nothing, error), other = many([prepare(half, 1), prepare(half, 2)])
    assert (nothing, str(error)) == (None, "odd")
    assert other == (1, None)


def test_nothing_to_do(adopted: PipeHost, many: Many) -> None:
    wrong: Any = "x"
    assert many([]) == []
    assert [str(each) for each in many([prepare(add, wrong)])] == ["expected int, got str, at $[0]"]


def test_more_than_a_pipe_holds(adopted: PipeHost, many: Many) -> None:
    echo = plugsvc.get_service("n", "echo")
    adopted.echo()
    assert many([prepare(echo, number, BIG) for number in range(3)]) == [(number, BIG) for number in range(3)]
    assert many(prepare(echo, number) for number in range(5_000)) == list(range(5_000))


def test_stubs_of_coroutines(adopted: PipeHost, run: Run) -> None:
    adopted.serve(sums)
    assert run(aio.call_many([prepare(add, 1), prepare(aadd, 2)])) == [4, 5]
    with pytest.raises(MisuseError, match=r"^<call of n\.add> is one of an async stub: await plugsvc\.aio\.call_many"):
        call_many([prepare(add, 1), prepare(aadd, 2)])


def test_what_is_not_a_bound_call(many: Many) -> None:
    with pytest.raises(MisuseError, match=r"^call_many needs calls as prepare makes them, got 7$"):
        many([7])
    with pytest.raises(MisuseError, match=r"^prepare needs a stub as get_service makes them, got <function sums"):
        prepare(sums, {})


# Ends


def test_the_connection_ends_in_the_middle(adopted: PipeHost, many: Many) -> None:
    def script() -> None:
        first = adopted.request()
        assert first is not None
        adopted.send(reply(first["sequence"], 1))
        adopted.request(), adopted.request()
        adopted.stop_writing()

    adopted.run(script)
    found = many([prepare(add, number) for number in range(3)])
    assert found[0] == 1
    assert [type(each) for each in found[1:]] == [ConnectionLost, ConnectionLost]
    assert [str(each) for each in found[1:]] == ["the host closed the connection"] * 2
    assert found[1] is not found[2]
    assert [str(each) for each in many([prepare(add, 1)] * 2)] == ["the host closed the connection"] * 2


def test_time_is_up(adopted: PipeHost, many: Many) -> None:
    connection = default_session.connection
    assert connection is not None

    def script() -> None:
        requests = [adopted.request() for _ in range(3)]
        assert requests[1] is not None
        adopted.send(reply(requests[1]["sequence"], 7))

    adopted.run(script)
    found = many([prepare(add, number) for number in range(3)], timeout=0.3)
    assert found[1] == 7
    assert [type(each) for each in found] == [CallTimeout, int, CallTimeout]
    assert str(found[0]) == str(found[2]) == "n.add: no reply within 0.3 s"
    assert not connection.pending
    adopted.send(reply(1, 1), reply(3, 1))  # late
    adopted.serve(sums)
    assert add(1) == 4


def test_the_longest_limit_counts(adopted: PipeHost, many: Many) -> None:
    short, long = plugsvc.limit(add, timeout=0.01), plugsvc.limit(add, timeout=0.02)
    assert {str(each) for each in many([prepare(short, 1), prepare(long, 1)])} == {"n.add: no reply within 0.02 s"}
    plugsvc.set_default_timeout(0.03)
    assert {str(each) for each in many([prepare(short, 1), prepare(add, 1)])} == {"n.add: no reply within 0.03 s"}
    with pytest.raises(MisuseError, match=r"^a timeout is a positive number of seconds, or None, got 0$"):
        many([prepare(short, 1)], timeout=0)


def test_not_hosted(many: Many) -> None:
    with_body = plugsvc.get_service("n", "add", add, fallback=lambda a, b=3: a - b)
    first, second = many([prepare(with_body, 5), prepare(add, 5)])
    assert first == 2
    assert isinstance(second, NotHosted)


def test_a_fallback_that_is_awaited(run: Run) -> None:
    async def minus(a: int, b: int = 3) -> int:
        return a - b

    stub = plugsvc.get_service("n", "add", aadd, fallback=minus)
    assert run(aio.call_many([prepare(stub, 5), prepare(stub, 7)])) == [2, 4]


def test_no_connection(many: Many, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["plugin", "--host", "bogus:"])
    found = many([prepare(add, 1), prepare(add, 2)])
    assert [type(each) for each in found] == [OpenError, OpenError]
    assert found[0] is not found[1]


def test_a_task_that_is_cancelled(adopted: PipeHost, run: Run) -> None:
    connection = default_session.connection
    assert connection is not None

    async def main() -> None:
        task = asyncio.ensure_future(aio.call_many([prepare(add, number) for number in range(10)]))
        await asyncio.sleep(0.01)
        assert connection.pending == 10
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not connection.pending
        adopted.serve(sums)
        assert await aadd(1) == 4

    run(main())


# With others on the same connection


def test_batches_beside_calls(adopted: PipeHost, run: Run) -> None:
    connection = default_session.connection
    assert connection is not None
    adopted.serve(sums)

    def batches() -> None:
        for size in range(1, 40):
            assert call_many([prepare(add, number) for number in range(size)]) == list(range(3, size + 3))

    def singles() -> None:
        for number in range(200):
            assert add(number) == number + 3

    async def awaited() -> None:
        for size in range(1, 40):
            calls = [prepare(aadd, number) for number in range(size)]
            assert await aio.call_many(calls) == list(range(3, size + 3))

    async def main() -> None:
        threads = [asyncio.to_thread(each) for each in (batches, batches, singles)]
        await asyncio.gather(awaited(), *threads, awaited())

    run(main())
    assert connection.idle


def test_a_batch_follows_and_leads(host: PipeHost) -> None:
    """One that comes while another thread reads is woken by its last reply only."""
    connection = host.connection()
    found: list[Any] = []
    leader = threading.Thread(target=lambda: found.append(call(connection, "leader")))
    leader.start()
    assert host.request() is not None
    batch = threading.Thread(target=lambda: found.append(connection.call_batch([(PREFIX, b"[1]"), (PREFIX, b"[2]")])))
    batch.start()
    sequences = [request["sequence"] for request in (host.request(), host.request()) if request is not None]
    host.send(reply(sequences[0], "a"))
    host.send(reply(1, "done"))  # the batch leads from here on
    leader.join(DEADLINE)
    host.send(reply(sequences[1], "b"))
    batch.join(DEADLINE)
    assert found[0] == ["done"]
    replies, error = found[1]
    assert error is None
    assert [json.loads(bytes(each.reply)) for each in replies] == [["a"], ["b"]]


def test_a_reply_to_nothing_that_was_asked_completes_nothing(host: PipeHost, run: Run) -> None:
    connection = host.connection()

    async def main() -> None:
        task = await begun(connection, 1)
        host.send(reply(0, "x"), reply(2, "x"), reply(1, "a"))
        assert await task == ["a"]

    run(main())
    host.echo()
    assert run(acall(connection, 2)) == [2]


def typed() -> None:
    """For the type checker."""
    numbers: list[int | ServiceError] = call_many([prepare(add, 1), prepare(add, 2, b=3)])
    texts: list[str | ServiceError] = call_many(prepare(text, number) for number in range(3))
    one: BoundCall[int] = prepare(aadd, 1)
    del numbers, texts, one


def test_typed() -> None:
    typed()
