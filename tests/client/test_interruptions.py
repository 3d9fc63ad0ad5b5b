"""An exception of a signal handler at each line of the client: nobody hangs, and nobody gets a wrong answer."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import linecache
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import plugsvc
from plugsvc.client.connection import Connection
from plugsvc.client.session import Session
from plugsvc.errors import ConnectionLost

from .hosts import DEADLINE, PREFIX, Caller, PipeHost, call, reply
from .loops import acall, is_open, run_in
from .test_session import FifoHost

CLIENT = str(Path(plugsvc.__file__).parent / "client")

SOON = 2.0
"""Seconds: much more than anything here takes, and less than any lock would be waited for."""


class Struck(KeyboardInterrupt):
    """What a signal handler may raise. Event loops end with a KeyboardInterrupt; others they catch and log."""


def strike(action: Callable[[], object], number: int) -> bool:
    """Raise `Struck` at the line of that number that `action` executes in the client.

    Returns whether there are so many. A line does not count where the interpreter runs no signal handlers: that of a
    `with` statement, which is reported once more at the end of its block, and those that only begin a block.
    """
    left = number

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.startswith(CLIENT):
            return None
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
        if event == "line" and not line.startswith(("with ", "try:", "while True:")):
            left -= 1
            if left == 0:
                raise Struck
        return trace

    before = sys.gettrace()
    gc.disable()  # else the finalizer of another connection may be struck
    sys.settrace(trace)
    try:
        action()
    except (Struck, ConnectionLost):
        pass
    finally:
        sys.settrace(before)
        gc.enable()
    return left <= 0


def at_each_line(scenario: Callable[[int], bool], stride: int = 1) -> int:
    """Run a scenario for each line, or each few of them, until there are no more; return how many there are."""
    number = 1
    while scenario(number):
        number += stride
    return number - 1


def check_after(connection: Connection) -> None:
    """Who comes now is answered, or told of the interruption."""
    if connection.closed is None:
        assert call(connection, "after", timeout=SOON) == ["after"]
        assert connection.idle
    else:
        assert connection.closed.startswith("interrupted while "), connection.closed
        assert connection.closed.endswith(" (Struck)"), connection.closed


def test_a_call_alone() -> None:
    def scenario(number: int) -> bool:
        with PipeHost() as host:
            host.echo()
            connection = host.connection(spin=False)
            there_is = strike(lambda: call(connection, 1), number)
            check_after(connection)
            connection.close()
            return there_is

    assert at_each_line(scenario) > 80


def test_the_reader_beside_a_follower() -> None:
    """It comes first, and its reply comes first: the other one becomes the reader."""

    def scenario(number: int) -> bool:
        with PipeHost() as host:
            connection = host.connection(spin=False)
            others: list[Caller] = []

            def script() -> None:
                for request in host.requests():
                    if request["args"] == ["struck"]:
                        others.append(Caller(connection, b'["other"]', SOON))
                        second = host.request()
                        send(host, reply(request["sequence"], "struck"))
                        if second is None:
                            return
                        request = second
                    send(host, reply(request["sequence"], *request["args"]))

            thread = host.run(script)
            there_is = strike(lambda: call(connection, "struck"), number)
            if connection.closed is None:
                assert call(connection, "after", timeout=SOON) == ["after"]
            check_others(others)
            connection.close()
            thread.join(DEADLINE)
            return there_is

    assert at_each_line(scenario) > 80


def test_a_follower_beside_the_reader() -> None:
    """The reader comes first, and its reply last."""

    def scenario(number: int) -> bool:
        with PipeHost() as host:
            connection = host.connection(spin=False)
            other = Caller(connection, b'["other"]', SOON)
            first = host.request()
            assert first is not None

            def script() -> None:
                for request in host.requests():
                    send(host, reply(request["sequence"], *request["args"]))

            thread = host.run(script)
            there_is = strike(lambda: call(connection, "struck"), number)
            if connection.closed is None:
                assert call(connection, "after", timeout=SOON) == ["after"]
            send(host, reply(first["sequence"], "other"))
            check_others([other])
            connection.close()
            thread.join(DEADLINE)
            return there_is

    assert at_each_line(scenario) > 40


def send(host: PipeHost, data: bytes) -> None:
    """Send a reply, unless the interruption has ended the connection."""
    with contextlib.suppress(BrokenPipeError):
        host.send(data)


def check_others(others: list[Caller]) -> None:
    """They are answered, or told of the interruption, before they give up."""
    for other in others:
        other.join()
        if other.error is None:
            assert other.result() == ["other"]
        else:
            assert isinstance(other.error, ConnectionLost)
            assert other.error.reason.startswith("interrupted while ")


def test_a_batch() -> None:
    def scenario(number: int) -> bool:
        with PipeHost() as host:
            host.echo()
            connection = host.connection(spin=False)
            there_is = strike(lambda: connection.call_batch([(PREFIX, b"[1]"), (PREFIX, b"[2]")]), number)
            check_after(connection)
            connection.close()
            return there_is

    assert at_each_line(scenario) > 80


def test_steps_of_an_event_loop() -> None:
    """The loop ends with the exception; threads and other loops go on."""

    def scenario(number: int) -> bool:
        with PipeHost() as host:
            host.echo()
            connection = host.connection(spin=False)

            async def main() -> None:
                assert await asyncio.gather(*(acall(connection, value) for value in range(3))) == [[0], [1], [2]]

            there_is = strike(lambda: run_in(asyncio.new_event_loop, main()), number)
            check_after(connection)
            if connection.closed is None:
                assert run_in(asyncio.new_event_loop, acall(connection, 1)) == [1]
            connection.close()
            assert not is_open(connection)
            return there_is

    assert at_each_line(scenario, 3) > 150


def test_connecting(tmp_path: Path) -> None:
    """Whoever comes next connects, or is told why that is impossible, at once."""
    folder = 0

    def scenario(number: int) -> bool:
        nonlocal folder
        folder += 1
        (tmp_path / str(folder)).mkdir()
        with FifoHost(tmp_path / str(folder)) as host:
            session = Session()
            there_is = strike(lambda: session.init(host.urls, SOON), number)
            session.init(host.urls, SOON)
            host.echo()
            assert session.connection is not None
            assert call(session.connection, 1, timeout=SOON) == [1]
            session.close()
            return there_is

    assert at_each_line(scenario) > 80
