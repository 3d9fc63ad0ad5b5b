"""Each test starts as a process that nobody hosts, with nothing remembered."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from plugsvc.client import default_session, hosting

from .hosts import PipeHost
from .loops import Factory, Run, factories, run_in


@pytest.fixture(autouse=True)
def unhosted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "argv", ["plugin", "run"])
    yield
    default_session.forget()
    default_session.default_timeout = None
    hosting.forget_urls()


@pytest.fixture
def host() -> Iterator[PipeHost]:
    """A host whose plugin does not know it yet."""
    with PipeHost() as host:
        yield host


@pytest.fixture
def adopted(host: PipeHost) -> PipeHost:
    """The host of this process."""
    default_session.adopt(host.duplex)
    return host


@pytest.fixture(params=sorted(factories()))
def factory(request: pytest.FixtureRequest) -> Factory:
    """What makes event loops, once for each kind."""
    return factories()[request.param]


@pytest.fixture
def run(factory: Factory) -> Run:
    """A function that runs a coroutine in such a loop."""
    return lambda coroutine: run_in(factory, coroutine)
