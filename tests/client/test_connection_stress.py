"""Many threads on one connection, disorderly hosts, time-outs and interruptions at random moments.

What can go wrong here goes wrong seldom; each test does thousands of hand-overs of the reading.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

import pytest

from plugsvc.client import Connection
from plugsvc.errors import CallTimeout, ConnectionLost, ServiceError

from .hosts import DEADLINE, PREFIX, PipeHost, reply
from .loops import is_open

THREADS = 16
LONG = 60.0


@pytest.fixture
def host() -> Iterator[PipeHost]:
    with PipeHost() as host:
        yield host


@pytest.fixture(autouse=True)
def eager_switching() -> Iterator[None]:
    """Have the interpreter switch threads much more often than usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def disorderly(host: PipeHost, generator: random.Random) -> Callable[[], None]:
    """Return a host's script that answers in any order, and some requests twice."""

    def script() -> None:
        waiting: list[bytes] = []
        buffer = b""
        while True:
            # Hold replies back only as long as more requests come: somebody may wait for them.
            if not select.select([host.reader], [], [], 0 if waiting else DEADLINE)[0]:
                assert waiting, "no request in time"
                generator.shuffle(waiting)
                keep = generator.randrange(len(waiting)) if generator.random() < 0.3 else 0
                out, waiting = waiting[keep:], waiting[:keep]
                try:
                    host.send(*out)
                except BrokenPipeError:
                    return
                continue
            data = os.read(host.reader, 1 << 16)
            if not data:
                return
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                request = json.loads(line)
                answer = reply(request["sequence"], *request["args"])
                waiting.append(answer)
                if generator.random() < 0.1:
                    waiting.append(answer)

    return script


class Callers:
    """Threads that call at the same time; a failure of one is the failure of the test."""

    def __init__(self, work: Callable[[int, random.Random], None], threads: int = THREADS) -> None:
        self.failures: list[BaseException] = []
        self.threads = [threading.Thread(target=self._run, args=(work, n), daemon=True) for n in range(threads)]
        for thread in self.threads:
            thread.start()

    def _run(self, work: Callable[[int, random.Random], None], number: int) -> None:
        try:
            work(number, random.Random(number))
        except BaseException as error:
            self.failures.append(error)

    def join(self) -> None:
        deadline = time.monotonic() + LONG
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        hanging = sum(thread.is_alive() for thread in self.threads)
        assert not hanging, f"{hanging} threads wait for ever"
        if self.failures:
            raise self.failures[0]


def check(connection: Connection, number: int, i: int, timeout: float | None) -> None:
    args = b'["%d.%d"]' % (number, i)
    raw = connection.call_raw(PREFIX, args, timeout).reply
    assert raw is not None
    assert bytes(raw) == args


def left_clean(connection: Connection) -> None:
    """Nobody has left anything behind."""
    assert connection.idle


@pytest.mark.parametrize("spin", [False, True])
def test_many_threads(host: PipeHost, spin: bool) -> None:
    host.run(disorderly(host, random.Random(1)))
    connection = host.connection(spin=spin)

    def work(number: int, generator: random.Random) -> None:
        for i in range(2000):
            check(connection, number, i, None)

    Callers(work).join()
    left_clean(connection)
    connection.close()


def test_many_threads_with_timeouts(host: PipeHost) -> None:
    host.run(disorderly(host, random.Random(2)))
    connection = host.connection()
    outcomes: list[bool] = []

    def work(number: int, generator: random.Random) -> None:
        for i in range(1000):
            timeout = None if generator.random() < 0.3 else generator.uniform(1e-6, 2e-3)
            try:
                check(connection, number, i, timeout)
            except CallTimeout:
                outcomes.append(False)
            else:
                outcomes.append(True)

    Callers(work).join()
    assert len(outcomes) == THREADS * 1000
    assert any(outcomes)
    assert not all(outcomes)
    check(connection, 0, 0, DEADLINE)
    left_clean(connection)
    connection.close()


def test_big_and_small_with_timeouts(host: PipeHost) -> None:
    """Messages that fill the pipe: writing stalls, is passed on, and is finished by others."""
    host.serve(lambda request: [reply(request["sequence"], len(request["args"][0]))])
    connection = host.connection()

    def work(number: int, generator: random.Random) -> None:
        for _ in range(40):
            size = generator.choice([10, 5000, 100_000, 400_000])
            timeout = None if generator.random() < 0.5 else generator.uniform(1e-4, 2e-2)
            try:
                raw = connection.call_raw(PREFIX, b'["%b"]' % (b"x" * size), timeout).reply
            except CallTimeout:
                continue
            assert raw is not None
            assert json.loads(bytes(raw)) == [size]

    Callers(work, 8).join()
    raw = connection.call_raw(PREFIX, b'["abc"]', DEADLINE).reply
    assert raw is not None
    assert bytes(raw) == b"[3]"
    left_clean(connection)
    connection.close()


@pytest.mark.parametrize("how", ["close", "host"])
def test_the_end_reaches_everybody(how: str) -> None:
    for round_ in range(30):
        with PipeHost() as host:
            generator = random.Random(round_)
            host.run(disorderly(host, generator))
            connection = host.connection()
            ended: list[str] = []
            begun = threading.Barrier(THREADS + 1)

            def work(
                number: int,
                generator: random.Random,
                connection: Connection = connection,
                ended: list[str] = ended,
                begun: threading.Barrier = begun,
            ) -> None:
                check(connection, number, 0, None)
                begun.wait(DEADLINE)
                for i in range(10**6):
                    try:
                        check(connection, number, i, None)
                    except ConnectionLost as error:
                        ended.append(error.reason)
                        return

            callers = Callers(work)
            begun.wait(DEADLINE)
            if how == "close":
                connection.close("enough")
            else:
                # Garbage in the stream, at any moment.
                os.write(host.writer, b"}")
            callers.join()
            assert len(ended) == THREADS
            assert len(set(ended)) == 1
            left_clean(connection)
            assert not is_open(connection)


class Interrupted(BaseException):
    """What the signal handler raises, as Ctrl-C raises KeyboardInterrupt."""


@pytest.mark.parametrize("others", [0, 3])
def test_interruptions_at_any_moment(others: int) -> None:
    """After each, the connection works, or has ended saying so;

    no reply goes to another call, nobody hangs.
    """
    ended = 0
    interrupted = 0
    stop = threading.Event()
    main = threading.get_ident()
    armed = False

    def strike(number: int, frame: FrameType | None) -> None:
        nonlocal armed
        if armed:
            armed = False
            raise Interrupted

    before = signal.signal(signal.SIGUSR1, strike)
    generator = random.Random(3)
    try:
        for round_ in range(20):
            with PipeHost() as host:
                host.run(disorderly(host, random.Random(round_)))
                connection = host.connection()

                def work(number: int, generator: random.Random, connection: Connection = connection) -> None:
                    for i in range(10**6):
                        if stop.is_set():
                            return
                        try:
                            check(connection, number + 1, i, None)
                        except ConnectionLost:
                            return

                stop.clear()
                callers = Callers(work, others)
                for i in range(40):
                    pause = generator.uniform(0, 4e-4)

                    def shoot(pause: float = pause) -> None:
                        # Not time.sleep: this is shorter than what that can do.
                        end = time.perf_counter() + pause
                        while time.perf_counter() < end:
                            pass
                        signal.pthread_kill(main, signal.SIGUSR1)

                    shooter = threading.Thread(target=shoot)
                    try:
                        armed = True
                        # The start of a thread would not survive a strike; the shooter hits this thread alone.
                        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
                        shooter.start()
                        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
                        for j in range(10**6):
                            check(connection, 0, i * 10**6 + j, None)
                            if not armed:
                                break
                    except Interrupted:
                        interrupted += 1
                    except ConnectionLost:
                        armed = False
                    shooter.join()
                    if connection.closed is not None:
                        assert connection.closed.startswith("interrupted while "), connection.closed
                        assert connection.closed.endswith(" (Interrupted)"), connection.closed
                        ended += 1
                        break
                    check(connection, 0, 7, DEADLINE)
                stop.set()
                callers.join()
                left_clean(connection)
                connection.close()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert interrupted > 100
    print(f"{interrupted} interruptions, {ended} of them ended the connection")


def test_calls_from_a_signal_handler_are_refused_not_hung(host: PipeHost) -> None:
    host.run(disorderly(host, random.Random(4)))
    connection = host.connection()
    seen: list[str] = []

    def handler(number: int, frame: FrameType | None) -> None:
        try:
            check(connection, 1, 1, DEADLINE)
            seen.append("worked")
        except ServiceError as error:
            seen.append(str(error))

    main = threading.get_ident()
    before = signal.signal(signal.SIGUSR1, handler)
    stop = threading.Event()

    def shoot() -> None:
        while not stop.wait(2e-4):
            signal.pthread_kill(main, signal.SIGUSR1)

    shooter = threading.Thread(target=shoot, daemon=True)
    try:
        shooter.start()
        deadline = time.monotonic() + DEADLINE
        while len(seen) < 200 and time.monotonic() < deadline:
            check(connection, 0, len(seen), DEADLINE)
    finally:
        stop.set()
        shooter.join()
        signal.signal(signal.SIGUSR1, before)
    assert len(seen) >= 200
    assert set(seen) <= {
        "worked",
        "a signal handler or finalizer cannot call a service in the middle of its thread's own call",
    }
    left_clean(connection)
    connection.close()


def test_closing_from_a_signal_handler(host: PipeHost) -> None:
    connection = host.connection()
    main = threading.get_ident()
    before = signal.signal(signal.SIGUSR1, lambda number, frame: connection.close("terminated"))
    try:

        def script() -> None:
            host.request()
            signal.pthread_kill(main, signal.SIGUSR1)
            assert host.request() is None

        host.run(script)
        with pytest.raises(ConnectionLost, match=r"^terminated$"):
            check(connection, 0, 0, None)
    finally:
        signal.signal(signal.SIGUSR1, before)
    left_clean(connection)
