"""Reader, watchdog and workers in every order: nobody reads twice, no call is forgotten, no thread is left behind."""

from __future__ import annotations

import pytest

from plugsvc.host import roles
from plugsvc.host.core import Event
from plugsvc.host.limits import Limits

from .interleavings import Scenario, explore

SCENARIOS = {
    "one call": Scenario(("a",)),
    "one call, then the end": Scenario(("a",), ends=True),
    "two calls in one read": Scenario(("a", "b")),
    "two calls in two reads": Scenario(("a", "b"), one_read=False),
    "the reader role is taken over": Scenario(("a", "b"), after={1: 2}),
    "taken over twice": Scenario(("a", "b", "c"), after={1: 3, 2: 3}),
    "taken over, then the end": Scenario(("a", "b"), after={1: 2}, ends=True),
    "a slow service": Scenario(("a",), slow=("a",), ends=True),
    "a slow one waits for a quick one": Scenario(("a", "b"), slow=("a",), after={1: 2}),
    "one call at a time": Scenario(("a", "b"), slow=("a", "b"), limits=Limits(max_running=1)),
    "one at a time, taken over": Scenario(("a", "b"), limits=Limits(max_running=1), ends=True),
    "one may wait": Scenario(("a", "b"), slow=("a", "b"), limits=Limits(max_running=1, max_queued=1)),
    "no room for replies": Scenario(("hasNamespace", "a"), limits=Limits(max_unsent=1)),
    "a malformed message": Scenario(("a",), garbage=True),
    "a malformed message, and the time to drain is up": Scenario(("a",), slow=("a",), garbage=True, time_is_up=True),
    "a malformed message and a slow service": Scenario(("a",), slow=("a",), garbage=True),
    "nobody reads": Scenario(("a", "b"), broken=True, ends=True),
    "closed": Scenario(("a",), events=(Event.CLOSED,)),
    "closed, slow": Scenario(("a",), slow=("a",), events=(Event.CLOSED,)),
    "closed with the role taken over": Scenario(("a", "b"), after={1: 2}, events=(Event.CLOSED,)),
    "the plugin is gone": Scenario(("a",), slow=("a",), ends=True, events=(Event.PLUGIN_GONE,)),
    "gone, then closed": Scenario(("a",), events=(Event.PLUGIN_GONE, Event.CLOSED)),
    "a coroutine": Scenario(("loop",)),
    "two coroutines": Scenario(("loop", "loop"), limits=Limits(max_awaiting=1), ends=True, watchdog=False),
    "a coroutine, closed": Scenario(("loop",), events=(Event.CLOSED,), watchdog=False),
    "no thread for the reader": Scenario(("a",), failing=2),
    "no thread for a worker": Scenario(("a",), slow=("a",), failing=3),
    "no thread for a watchdog": Scenario(("a", "b"), after={1: 2}, failing=3),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_order(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "QUIET_TICKS", 1)
    scenario = SCENARIOS[name]
    situations, ends = explore(scenario)
    assert 1 <= ends < situations
