"""The lock for imports behind a call: no fork happens in the middle of one.

A module that is being imported is locked by the interpreter. A child that is forked meanwhile inherits the lock, held
by a thread that it does not have, and hangs when it imports the module as well. So whatever is imported later than the
module that needs it is imported in a block `with importing():`, and a fork waits for its end.
"""

from __future__ import annotations

import os
from _thread import RLock  # `threading` is not needed for it

__all__ = ["importing"]

WAIT_SECONDS = 1.0
"""How long a fork waits at most: an import may itself wait for a lock that the forking thread holds."""

_lock = RLock()
_held: list[bool] = []


def importing() -> RLock:
    """Return the lock to hold while something is imported, for a `with` statement. A thread may take it again."""
    return _lock


def _before_fork() -> None:
    _held.append(_lock.acquire(timeout=WAIT_SECONDS))


def _in_parent() -> None:
    if _held.pop():
        _lock.release()


def _in_child() -> None:
    global _lock
    if _held.pop():
        _lock.release()
    else:
        _lock = RLock()  # the other one is held by a thread of the parent


os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
