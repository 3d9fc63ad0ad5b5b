"""Contexts: deadlines and cancellation, from parent to child."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from plugsvc.host import Context


def test_a_context_without_limits() -> None:
    context = Context()
    assert context.reason is None
    assert context.remaining() is None


def test_the_first_reason_counts() -> None:
    context = Context()
    context.cancel("one")
    context.cancel("two")
    assert context.reason == "one"


def test_a_deadline_that_has_passed() -> None:
    context = Context(0)
    assert context.reason == "not finished within 0 s"
    assert context.remaining() == 0.0


def test_what_stops_the_parent_stops_the_child() -> None:
    parent = Context(100)
    child = Context(parent=parent)
    grandchild = Context(5, parent=child)
    remaining, parents = grandchild.remaining(), child.remaining()
    assert remaining is not None
    assert parents is not None
    assert remaining <= 5 < parents <= 100
    parent.cancel("stop")
    assert (child.reason, grandchild.reason) == ("stop", "stop")


def test_a_child_does_not_stop_its_parent() -> None:
    parent = Context()
    Context(parent=parent).cancel()
    assert parent.reason is None


@pytest.mark.parametrize("which", ["parent", "child"])
def test_callbacks(which: str) -> None:
    parent = Context()
    child = Context(parent=parent)
    calls: list[str] = []
    with child.calling(lambda: calls.append("inside")):
        {"parent": parent, "child": child}[which].cancel()
    assert calls == ["inside"]
    with child.calling(lambda: calls.append("late")):
        assert calls == ["inside", "late"]


def test_callbacks_are_forgotten_afterwards() -> None:
    context = Context()
    with context.calling(lambda: pytest.fail("called")):
        assert context.reason is None
    context.cancel()


def test_kill_says_that_there_is_no_time_left() -> None:
    parent = Context()
    child = Context(parent=parent)
    child.cancel("stop")
    assert not child.kill
    parent.cancel("now", kill=True)
    assert (child.reason, child.kill) == ("stop", True)


def test_a_callback_is_called_at_each_cancellation() -> None:
    context = Context()
    calls: list[str | None] = []
    with context.calling(lambda: calls.append(context.reason)):
        context.cancel("one")
        context.cancel("two", kill=True)
    assert calls == ["one", "one"]


def test_cancelling_at_each_step_of_every_method() -> None:
    """As a signal handler may do: there is no lock that it could wait for."""
    number, ended = 0, False
    while not ended:
        number += 1
        context = Context(100, parent=Context())
        calls: list[str] = []

        def work(context: Context = context, calls: list[str] = calls) -> None:
            with context.calling(lambda: calls.append("called")):
                assert context.remaining() is not None
                assert context.reason in (None, "handler")
            context.cancel("work")

        ended = not calling_at_step(number, work, partial(context.cancel, "handler"))
        assert context.reason in (("work",) if ended else ("work", "handler"))
    assert number > 50


def calling_at_step(number: int, work: Callable[[], None], handler: Callable[[], None]) -> bool:
    """Call `handler` between two instructions of the context's methods; return False when there are fewer."""
    seen = 0

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal seen
        if Path(frame.f_code.co_filename).name != "context.py":
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            seen += 1
            if seen == number:
                sys.settrace(None)
                handler()
        return trace

    previous = sys.gettrace()
    # CPython 3.12 tells of instructions only where a frame has asked for them before tracing begins.
    sys._getframe().f_trace_opcodes = True
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(previous)
    return seen >= number
