"""What a fault may leave behind in this process: children, descriptors and threads."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

__all__ = ["Leak", "nothing_remains"]

TIMEOUT = 15.0


class Leak(AssertionError):
    """Something was left behind."""


@contextmanager
def nothing_remains(what: Callable[[], str], timeout: float = TIMEOUT) -> Iterator[None]:
    """Raise `Leak` when the block leaves a child at once, or a descriptor or thread a moment later."""
    fds, threads = _descriptors(), set(threading.enumerate())
    yield
    try:
        # At once: what `execute` has started is gone when it returns.
        state = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        pass
    else:
        raise Leak(f"{what()}: left a child, {'which runs' if state is None else 'not waited for'}")
    deadline = time.monotonic() + timeout
    while others := set(threading.enumerate()) - threads:
        for thread in others:
            if thread.is_alive():  # not while it is being started: then it cannot be joined yet
                thread.join(max(0.0, deadline - time.monotonic()))
        if time.monotonic() > deadline:
            raise Leak(f"{what()}: left the threads {', '.join(sorted(thread.name for thread in others))}")
    while open_fds := _descriptors() - fds:
        if time.monotonic() > deadline:
            raise Leak(f"{what()}: left descriptors {sorted(open_fds)}")


def _descriptors() -> set[str]:
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the folder itself was open while it was listed
            found.add(f"{fd} {os.readlink(f'/proc/self/fd/{fd}')}")
    return found
