"""Nothing that a test opens is left open."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator

import pytest

from plugsvc.errors import OpenError
from plugsvc.openers import open_stream


@pytest.fixture
def nothing_left_open() -> Iterator[None]:
    gc.collect()  # what earlier tests have dropped must not be closed meanwhile
    before = os.listdir("/proc/self/fd")
    yield
    assert len(os.listdir("/proc/self/fd")) == len(before)


@pytest.fixture
def reason(nothing_left_open: None) -> Callable[..., str]:
    """Return a function that gives the reason for which URLs are refused, without the URL in front of it."""

    def refused(*urls: str, timeout: float = 10.0) -> str:
        with pytest.raises(OpenError) as caught:
            open_stream(urls, timeout)
        assert caught.value.url in urls
        text = str(caught.value)
        modes = ["for reading and writing"] if len(urls) == 1 else ["for reading", "for writing"]
        for url, mode in zip(urls, modes, strict=True):
            start = f"cannot open {url!r} {mode}: "
            if text.startswith(start):
                return text.removeprefix(start)
        raise AssertionError(text)

    return refused
