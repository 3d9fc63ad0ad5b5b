"""A side that is killed or interrupted, at each line of the code that it runs."""

from __future__ import annotations

import os
import select
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from plugsvc.errors import OpenError
from plugsvc.host.binds.shm import create
from plugsvc.openers import Duplex, open_stream
from plugsvc.openers.shm_memory import CONSUMER_WAITING, PRODUCER_WAITING
from plugsvc.openers.shm_ring import RingReader, RingWriter

from .rings import DEADLINE, ends, read_exactly, rung, sides, words, write_all

TRACED = ("shm.py", "shm_memory.py", "shm_ring.py")
OUT, BACK, LAST = b"o" * 70, b"b" * 70, b"last"
"""What the side that dies writes, reads and writes; the rings hold 64 bytes."""


def at_step(number: int, act: Callable[[], None], kind: str = "line") -> None:
    """Do something just before a line (or bytecode, for "opcode") that is run in the modules of this scheme.

    It is the one with that number, counted from 0.
    """
    left = number

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.endswith(TRACED):
            return None
        frame.f_trace_opcodes = kind == "opcode"
        if event == kind:
            if left == 0:
                sys.settrace(None)
                act()
            left -= 1
        return trace

    if kind == "opcode":
        # Python 3.12 looks whether anybody wants bytecodes when tracing begins, not later.
        sys._getframe().f_trace_opcodes = True
    sys.settrace(trace)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def child(program: Callable[[], None], line: int) -> int:
    """Run a program in a process of its own, which dies at that line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            at_step(line, die)
            program()
            sys.settrace(None)
            status = 0
        finally:
            os._exit(status)
    return pid


def speak(duplex: Duplex) -> None:
    """The part of the side that dies."""
    writer, reader = ends(duplex.writer, duplex.reader)
    write_all(writer, OUT)
    assert read_exactly(reader, len(BACK)) == BACK
    write_all(writer, LAST)
    writer.close()
    reader.close()


class Survivor:
    """The other side. It waits for its peer's doorbells, and as a host for the end of the process that it started."""

    def __init__(self, duplex: Duplex, process: int | None) -> None:
        self.duplex, self.process = duplex, process
        self.writer, self.reader = ends(duplex.writer, duplex.reader)

    def sleep(self, end: RingReader | RingWriter) -> bool:
        """Wait; return False when the peer is dead and was never there."""
        if not end.arm():
            return True
        poll = select.poll()
        poll.register(end.fileno(), select.POLLIN)
        if self.process is not None:
            poll.register(self.process, select.POLLIN)
        events = dict(poll.poll(DEADLINE * 1000))
        assert events, "it waits for ever"
        return end.fileno() in events or rung(end)

    def listen(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            data = self.reader.read(size - len(got))
            if data == b"" or (data is None and not self.sleep(self.reader)):
                break
            got += data or b""
        return got

    def answer(self) -> None:
        rest = memoryview(BACK)
        while rest:
            count = self.writer.write(rest)
            rest = rest[count:]
            if not count and not self.sleep(self.writer):
                raise BrokenPipeError

    def run(self) -> bytes:
        """Play the other part and return what was heard, up to the end."""
        heard = self.listen(len(OUT))
        try:
            self.answer()
        except BrokenPipeError:
            assert len(heard) <= len(OUT)
        return heard + self.listen(1 << 20)


def reap(pid: int) -> bool:
    """Wait for the end of a process; return whether it was killed."""
    status = os.waitpid(pid, 0)[1]
    assert os.WIFSIGNALED(status) or status == 0, status
    return os.WIFSIGNALED(status)


def test_a_plugin_that_is_killed_anywhere(tmp_path: Path) -> None:
    heard: list[bytes] = []
    killed, line = True, 0
    while killed:
        path = str(tmp_path / f"{line}")
        host = create(path, 64, 64)
        pid = child(lambda path=path: speak(open_stream([f"shm://{path}"])), line)  # type: ignore[misc]
        process = os.pidfd_open(pid)
        heard.append(Survivor(host, process).run())
        killed = reap(pid)
        os.close(process)
        host.close()
        line += 1
    assert line > 200, "there are many places to die at"
    assert all((OUT + LAST).startswith(each) for each in heard)
    assert heard[-1] == OUT + LAST
    assert len({len(each) for each in heard}) > 3


def test_a_host_that_is_killed_anywhere(tmp_path: Path) -> None:
    heard: list[bytes] = []
    killed, line, refused = True, 0, 0
    while killed:
        path = str(tmp_path / f"{line}")
        to_read, to_write = os.pipe()

        def host(path: str = path, to_write: int = to_write) -> None:
            duplex = create(path, 64, 64)
            os.write(to_write, b"ready")
            os.close(to_write)
            speak(duplex)

        pid = child(host, line)
        os.close(to_write)
        os.read(to_read, 5)
        os.close(to_read)
        try:
            plugin = open_stream([f"shm://{path}"])
        except OpenError:
            refused += 1
        else:
            heard.append(Survivor(plugin, None).run())
            plugin.close()
        killed = reap(pid)
        line += 1
    assert line > 150
    assert refused > 10
    assert all((OUT + LAST).startswith(each) for each in heard)
    assert heard[-1] == OUT + LAST


# A signal handler that raises, as Ctrl-C does


class Strike(BaseException):
    """What the handler raises."""


def strike() -> None:
    raise Strike


def interrupted(number: int, step: Callable[[], object]) -> bool:
    """Do a step that is interrupted at that bytecode; return whether it has so many."""
    at_step(number, strike, "opcode")
    try:
        step()
    except Strike:
        return True
    finally:
        sys.settrace(None)
    return False


@pytest.mark.parametrize("before", [0, 50, 60], ids=["plain", "wraps", "at the limit"])
@pytest.mark.parametrize("asleep", [False, True])
def test_a_message_is_written_as_a_whole_or_not_at_all(before: int, asleep: bool) -> None:
    number, outcomes = 0, set()
    more = True
    while more:
        with sides(64, start=before) as both:
            writer, reader = both.producer, both.consumer
            writer.write(b"-")
            assert reader.read(1) == b"-"
            if asleep:
                assert reader.arm()
            more = interrupted(number, lambda writer=writer: writer.write(b"message"))  # type: ignore[misc]
            got = (reader.read(100) or b"") if number % 2 else b""
            if asleep and number % 2:
                assert got or reader.arm()
            writer.write(b"next")
            assert rung(reader) >= (asleep and not got)
            got += reader.read(100) or b""
            assert got in (b"next", b"messagenext")
            outcomes.add(got)
            number += 1
    assert outcomes == {b"next", b"messagenext"}
    assert number > 40


STEPS: dict[str, tuple[int, Callable[[RingWriter, RingReader], object]]] = {
    "reading": (64, lambda writer, reader: reader.read(40)),
    "reading all": (64, lambda writer, reader: reader.read(64)),
    "looking": (64, lambda writer, reader: reader.ready()),
    "waiting for bytes": (0, lambda writer, reader: reader.arm()),
    "waiting for room": (64, lambda writer, reader: writer.arm()),
    "writing": (0, lambda writer, reader: writer.write(b"y" * 20)),
    "writing after a sleep": (64, lambda writer, reader: writer.write(b"y" * 40)),
}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("sleeps", ["writer", "reader", "both"])
def test_nobody_sleeps_in_vain_after_an_interruption(name: str, sleeps: str) -> None:
    """Once both have gone through all their steps again, without an interruption."""
    used, step = STEPS[name]
    number, more = 0, True
    while more:
        with sides(64, start=30) as both:
            writer, reader = both.producer, both.consumer
            if used:
                writer.write(b"x" * used)
            if sleeps != "reader":
                writer.arm()
            if sleeps != "writer":
                reader.arm()
            more = interrupted(number, lambda w=writer, r=reader: step(w, r))  # type: ignore[misc]
            if more and name.startswith("reading"):
                # Nobody knows whether bytes were lost, so the connection ends.
                reader.close()
                assert not writer.asleep or rung(writer)
                with pytest.raises(BrokenPipeError):
                    write_all(writer, b"z" * 200)
                number += 1
                continue
            if reader.arm():
                # It slept with nothing to read, so the next byte has to be heard of.
                assert writer.write(b"z" * 33)
                assert rung(reader)
            while reader.read(7) is not None:
                pass
            if words(writer)[PRODUCER_WAITING]:
                assert rung(writer) or not writer.asleep
            assert writer.write(b"z" * 64) == 64
            assert writer.arm()
            assert reader.read(64) == b"z" * 64
            assert rung(writer)
            assert writer.write(b"w") == 1
            assert reader.read(9) == b"w"
            assert words(reader)[CONSUMER_WAITING] == 0
        number += 1
    assert number > 10
