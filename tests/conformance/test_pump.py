"""The loop that moves the bytes of a case: what is particular about one kind of descriptor."""

from __future__ import annotations

import os
import time
import tty
from collections.abc import Iterator

import pytest

from conformance.drive.pump import Pump

DEADLINE = 10.0


@pytest.fixture
def pump() -> Iterator[Pump]:
    made = Pump()
    yield made
    made.close()


def test_what_nobody_at_a_terminal_reads_any_more_is_given_up(pump: Pump) -> None:
    """The system takes bytes for a terminal that has been closed until it is full, and then none, without an error."""
    master, slave = os.openpty()
    tty.setraw(slave)
    os.close(slave)
    writer = pump.write(master)
    writer.put(b"x" * (1 << 20))
    assert pump.until(lambda: not writer.queue, time.monotonic() + DEADLINE)
    assert isinstance(writer.error, OSError)


def test_what_somebody_at_a_terminal_has_yet_to_read_is_kept(pump: Pump) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    writer, got = pump.write(master), bytearray()
    writer.put(b"x" * (1 << 17))
    pump.read(slave, got.extend)
    assert pump.until(lambda: len(got) == 1 << 17, time.monotonic() + DEADLINE)
    assert writer.error is None
