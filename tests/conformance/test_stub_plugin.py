"""The suite's own plugin ends with the suite, wherever it is."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.drive.control_socket import ControlSocket
from conformance.drive.pump import Pump


@dataclass
class Waiting:
    """A stub plugin that opens two named pipes, which nobody else has opened yet."""

    pump: Pump
    meeting: ControlSocket
    process: subprocess.Popen[bytes]


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Waiting]:
    words = []
    for name in ("replies", "requests"):
        os.mkfifo(tmp_path / name)
        words += ["--host", f"file:{tmp_path}/{name}"]
    pump = Pump()
    meeting = ControlSocket(pump, {})
    with subprocess.Popen([meeting.executable, "conformance", "run", *words]) as process:
        try:
            assert pump.until(lambda: bool(meeting.reports("run")), time.monotonic() + 20)
            yield Waiting(pump, meeting, process)
        finally:
            process.kill()
            meeting.close()
            pump.close()


def test_a_probe_that_waits_for_its_host_ends_with_the_suite(waiting: Waiting) -> None:
    waiting.meeting.close()
    assert waiting.process.wait(20) == 99


def test_a_probe_waits_for_its_host_as_long_as_the_suite_does(waiting: Waiting, tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.process.wait(2.5)
    with open(tmp_path / "replies", "wb"), open(tmp_path / "requests", "rb"):
        assert waiting.pump.until(lambda: bool(waiting.meeting.answers), time.monotonic() + 20)
        assert waiting.meeting.answers == [{"opened": 2}]
        assert waiting.meeting.tell({"exit": 3})
        assert waiting.process.wait(20) == 3
