"""Which process the connection to the host belongs to: the one that the host started, and no other.

All copies of a pipe share one stream, and most URLs can be opened once. So a process that was forked by a plugin, or
started by `multiprocessing`, which copies the command line, must neither use the connection nor open the URLs.
"""

from __future__ import annotations

import os
import sys

__all__ = ["FOREIGN", "is_foreign"]

FOREIGN = (
    "the connection to the host belongs to the process that the host started;"
    " this process was forked, or started by multiprocessing"
)

_FORKED_WITHOUT_EXEC = 0x40
"""PF_FORKNOEXEC, among the flags in /proc/self/stat: the process is a fork that has not begun another program."""

_FLAGS = 6
"""Where these are, counted from the end of the name of the program."""

_MULTIPROCESSING = ("from multiprocessing.", "--multiprocessing-fork")
"""How the arguments begin by which `multiprocessing` starts interpreters, for spawn and for its fork server."""

_forked = False


def is_foreign() -> bool:
    """Whether this process is another one than that which the host started, as far as can be told."""
    if _forked or any(argument.startswith(_MULTIPROCESSING) for argument in sys.orig_argv):
        return True
    started_by = getattr(sys.modules.get("multiprocessing.process"), "parent_process", None)
    return (started_by is not None and started_by() is not None) or _is_forked_without_exec()


def _is_forked_without_exec() -> bool:
    """Whether the kernel says so, also of a fork from before the import of this module. False where it is unknown."""
    try:
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return bool(int(fields[_FLAGS]) & _FORKED_WITHOUT_EXEC)
    except (OSError, ValueError, IndexError):
        return False


def _in_child() -> None:
    global _forked
    _forked = True


os.register_at_fork(after_in_child=_in_child)
