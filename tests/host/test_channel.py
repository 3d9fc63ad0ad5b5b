"""The host's end of a connection: what is still read when the plugin is gone."""

from __future__ import annotations

import os
import time

import pytest

from plugsvc.host.channel import LINGER_BYTES, LINGER_SECONDS, READ_SIZE, Channel
from plugsvc.openers.stream import Duplex, FdStream


class Endless(FdStream):
    """Somebody writes without end."""

    def read(self, size: int) -> bytes:
        return b" " * size


def test_what_is_there_is_read_however_long_nobody_had_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    channel = Channel.of_descriptors(reader, os.open(os.devnull, os.O_WRONLY))
    os.write(writer, b"left behind")
    channel.wake()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 100 * LINGER_SECONDS)
    assert channel.read() == b"left behind"
    assert channel.read() == b""
    os.close(writer)
    channel.close()


def test_who_goes_on_writing_is_not_listened_to_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Endless(os.open(os.devnull, os.O_RDWR))
    channel = Channel(Duplex(stream, stream))
    now = [time.monotonic()]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    channel.wake()
    taken = 0
    while taken <= LINGER_BYTES:
        taken += len(channel.read())
    assert channel.read(), "there is time left"
    now[0] += LINGER_SECONDS + 1
    assert channel.read() == b""
    assert taken >= READ_SIZE
    channel.close()
