"""A pytest plugin for a run of the suite: says how many sessions are still held when the last case is over."""

from __future__ import annotations

import gc

import pytest

from conformance.drive.session import Session


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Count what nobody needs any more."""
    gc.collect()
    print(f"\nsessions left: {sum(isinstance(each, Session) for each in gc.get_objects())}")
