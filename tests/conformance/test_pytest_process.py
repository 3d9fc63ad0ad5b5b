"""Reading what a run tells, as long as it takes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from conformance.pytest_process import PytestProcess, PytestProcessError, _lines


class Noted(Exception):
    """Raised by the handler of the signal."""


@pytest.fixture
def elsewhere() -> Iterator[threading.Event]:
    """SIGUSR1 raises Noted in the main thread, but another thread is given it, once the event is set."""

    def handler(number: int, frame: FrameType | None) -> None:
        raise Noted

    def send() -> None:
        blocked.wait()
        time.sleep(0.2)  # until the main thread waits
        os.kill(os.getpid(), signal.SIGUSR1)

    blocked = threading.Event()
    before = signal.signal(signal.SIGUSR1, handler)
    thread = threading.Thread(target=send)
    thread.start()  # before the signal is blocked, which threads inherit
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    yield blocked
    blocked.set()
    thread.join()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
    signal.signal(signal.SIGUSR1, before)


def test_an_interrupt_that_wakes_no_read_is_heeded(elsewhere: threading.Event) -> None:
    read_end, write_end = os.pipe()
    lines = _lines(read_end)
    os.write(write_end, b"one\n")
    assert next(lines) == b"one"
    end = threading.Timer(20, os.close, [write_end])  # so that it fails, and does not hang
    end.start()

    def wait() -> None:
        elsewhere.set()
        next(lines, None)

    try:
        with pytest.raises(Noted):
            wait()
        assert end.is_alive()
    finally:
        lines.close()
        end.cancel()
        end.join()
    os.close(write_end)


def test_lines_come_whole_and_what_is_cut_off_is_none() -> None:
    read_end, write_end = os.pipe()
    lines = _lines(read_end)
    os.write(write_end, b"one\ntw")
    assert next(lines) == b"one"
    os.write(write_end, b"o\nthr")
    assert next(lines) == b"two"
    os.close(write_end)
    assert list(lines) == []
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(read_end)


@pytest.mark.parametrize("told", [b'{"event": "finish", "exit": 1}\n', b""], ids=["everything", "nothing"])
def test_a_run_that_has_ended_its_events_and_stays_is_ended(
    told: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PytestProcess, "ENDING", 0.1)
    output = tmp_path / "output"
    output.write_text("the last words", encoding="utf-8")
    read_end, write_end = os.pipe()
    os.write(write_end, told)
    os.close(write_end)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stderr=subprocess.DEVNULL) as process:
        running = PytestProcess(process, read_end, output)
        assert list(running) == []
        if told:
            assert running.exit_code() == 1
        else:
            with pytest.raises(PytestProcessError, match="the last words"):
                running.exit_code()
        assert process.poll() is not None
