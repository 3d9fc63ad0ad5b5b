"""Nothing that a testee starts outlives the suite, and nothing that the suite does changes the process around it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER = 36, 37
_ROUNDS = 100
"""Generations of descendants that are looked for: each is adopted when the one before it has died."""


@contextmanager
def contained() -> Iterator[None]:
    """Adopt what descendants leave behind; at the end kill and reap every child that was not there at the beginning.

    While it lasts, SIGCHLD has its default action in the main thread's process: where a parent ignores the signal, or a
    handler reaps every child, the status of a testee would be lost. What was set before is set again.
    """
    spared = set(_children())
    adopts = _subreaper()
    _become_subreaper(True)
    handler = signal.getsignal(signal.SIGCHLD)
    changes = handler is not None and handler is not signal.SIG_DFL and _in_main_thread()
    if changes:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        kill_children(spared)
        if changes:
            signal.signal(signal.SIGCHLD, handler)
        _become_subreaper(adopts)


def kill_children(spared: set[int]) -> list[int]:
    """Kill and reap all children of this process but those that are ``spared``; return their process ids."""
    found: list[int] = []
    for _ in range(_ROUNDS):
        orphans = [pid for pid in _children() if pid not in spared]
        if not orphans:
            break
        for pid in orphans:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                continue
            found.append(pid)
    return found


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _subreaper() -> bool:
    if sys.platform != "linux":
        return False
    value = ctypes.c_int()
    ctypes.CDLL(None).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(value), 0, 0, 0)
    return bool(value.value)


def _become_subreaper(adopts: bool) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(adopts), 0, 0, 0)


def _children() -> list[int]:
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        try:
            found.extend(int(word) for word in (task / "children").read_text().split())
        except OSError:
            continue
    return found
