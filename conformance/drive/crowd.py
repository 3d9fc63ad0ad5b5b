"""Run a command in a process that has all of its lower descriptors open already."""

from __future__ import annotations

import resource
import sys

from conformance.outcomes import NotRun

FIRST = 1_100
"""The first number that is free: more than `select` can take."""
LIMIT = 4_096

_PROGRAM = f"""
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({LIMIT}, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
while (fd := os.open(os.devnull, os.O_RDWR)) < {FIRST}:
    os.set_inheritable(fd, True)
os.close(fd)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def crowded() -> list[str]:
    """What to put before a command, so that what it opens has descriptors from `FIRST` on.

    Raises:
        NotRun: a process may not have so many here.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < LIMIT:
        raise NotRun(f"a process may have no more than {hard} descriptors here, and {LIMIT} are needed")
    return [sys.executable, "-I", "-S", "-c", _PROGRAM]
