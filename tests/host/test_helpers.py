"""What the tests of the host's side rely on."""

from __future__ import annotations

import threading

import pytest

from .conftest import TIMEOUT, join_all_but


def test_a_thread_that_is_just_being_started_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is listed before it is started, and cannot be joined in between."""
    before = set(threading.enumerate())
    asked, ended = threading.Event(), threading.Event()

    class Late(threading.Thread):
        def is_alive(self) -> bool:
            alive = super().is_alive()
            asked.set()
            return alive

    def start_late() -> None:
        assert asked.wait(TIMEOUT)
        late.start()

    late, starter = Late(target=ended.set), threading.Thread(target=start_late)
    listings = [before | {late}]
    enumerate_ = threading.enumerate
    monkeypatch.setattr(threading, "enumerate", lambda: listings.pop() if listings else enumerate_())
    starter.start()
    join_all_but(before)
    assert ended.is_set()
    assert set(enumerate_()) == before
