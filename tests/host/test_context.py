"""Contexts: deadlines and cancellation, from parent to child."""

from __future__ import annotations

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
