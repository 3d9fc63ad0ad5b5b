"""When a terminal is empty, and when it only looks so."""

from __future__ import annotations

import os
import threading
import time
import tty

import pytest

from plugsvc.host.binds import pty


def test_a_terminal_that_is_filled_again_was_not_read_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pty, "QUIET_SECONDS", 1.0)
    monkeypatch.setattr(pty, "LINGER_SECONDS", 60.0)
    master, slave = os.openpty()
    gone = threading.Event()
    try:
        tty.setraw(slave)
        os.write(master, b"a")
        waiting = threading.Thread(target=pty.wait_until_read, args=(os.ttyname(slave), gone))
        waiting.start()
        assert os.read(slave, 10) == b"a"
        time.sleep(0.05)
        os.write(master, b"b")  # as from behind a full buffer
        waiting.join(0.3)
        assert waiting.is_alive()
        assert os.read(slave, 10) == b"b"
        waiting.join(20)
        assert not waiting.is_alive()
    finally:
        gone.set()
        os.close(master)
        os.close(slave)


def test_nobody_waits_for_a_plugin_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pty, "LINGER_SECONDS", 60.0)
    master, slave = os.openpty()
    try:
        tty.setraw(slave)
        os.write(master, b"unread")
        gone = threading.Event()
        waiting = threading.Thread(target=pty.wait_until_read, args=(os.ttyname(slave), gone))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        gone.set()
        waiting.join(20)
        assert not waiting.is_alive()
    finally:
        os.close(master)
        os.close(slave)
