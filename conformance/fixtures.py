"""The fixtures of the cases.

`conformance.collectors` binds them to the folder of the cases. In a ``conftest.py`` they would be visible to all tests
of a run: so pytest treats one that lies outside of the root folder.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conformance.drive.contain import contained
from conformance.drive.host import HostSession
from conformance.drive.plugin import PluginSession
from conformance.drive.session import Session
from conformance.fuzz.engine import Fuzz
from conformance.fuzz.storage import storage_apart
from conformance.run import RUN, SESSIONS
from conformance.sessions import CaseSessions
from conformance.settings import SelectedRow, Subject


@pytest.fixture
def conformance_row(request: pytest.FixtureRequest) -> SelectedRow:
    """The row that the case is going to be."""
    row: SelectedRow = request.param
    return row


@pytest.fixture
def subject(conformance_row: SelectedRow) -> Subject:
    """What the case is run on."""
    return conformance_row.subject


@pytest.fixture
def conformance_sessions(request: pytest.FixtureRequest, conformance_row: SelectedRow) -> Iterator[CaseSessions]:
    """Starts the testee; everything that it starts is ended after the case."""
    made = CaseSessions(request.config.stash[RUN].plan, conformance_row)
    request.node.stash[SESSIONS] = made
    with contained(), storage_apart():
        try:
            yield made
        finally:
            made.close()


@pytest.fixture
def start_plugin(conformance_sessions: CaseSessions) -> Callable[..., Session]:
    """A function that starts the testee's plugin side."""
    return conformance_sessions.start


@pytest.fixture
def plugin(start_plugin: Callable[..., PluginSession]) -> PluginSession:
    """The testee's plugin side, started over the usual transport."""
    return start_plugin()


@pytest.fixture
def start_host(conformance_sessions: CaseSessions) -> Callable[..., Session]:
    """A function that starts the testee's host side."""
    return conformance_sessions.start


@pytest.fixture
def host(start_host: Callable[..., HostSession]) -> HostSession:
    """The testee's host side, started over the usual transport, the connection taken over."""
    made = start_host()
    made.connect()
    return made


@pytest.fixture
def fuzz_plugin(conformance_sessions: CaseSessions) -> Fuzz:
    """Runs generated examples on the testee's plugin side."""
    return conformance_sessions.generate()


@pytest.fixture
def fuzz_host(conformance_sessions: CaseSessions) -> Fuzz:
    """Runs generated examples on the testee's host side."""
    return conformance_sessions.generate()


@pytest.fixture
def misuse(conformance_sessions: CaseSessions) -> Callable[..., Session]:
    """A function that has the testee commit one kind of misuse."""
    return conformance_sessions.start


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder, removed after the case; `tmp_path` belongs to the configuration of the user."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as made:
        yield Path(made)
