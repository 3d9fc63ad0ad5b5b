"""How deep values may be nested so that reading and writing them fits on the stack of the thread.

msgspec calls itself for each level, and CPython's limit on that assumes a stack of megabytes. A thread with less (see
`threading.stack_size` and `ulimit -s`) would end the process with a segmentation fault.
"""

from __future__ import annotations

import os
import sys
from _thread import _local, get_native_id
from collections.abc import Callable, Iterable
from typing import Any

from ..jsontext import Malformed, Scanner, provably_shallow
from .mismatch import Mismatch

__all__ = ["LEVEL", "RESERVE", "check_depth_of_json", "check_depth_of_values", "depth_limit"]

LEVEL = 448
"""How many bytes of stack a level takes at most; 401 were measured, for an object of type Any that is read."""
RESERVE = 32 * 1024
"""How many bytes of stack are left for what runs before and beneath."""
_FEW_LEVELS = 16
"""So many levels are on every stack, also on the least one that Python allows, of 32 KiB."""


class _Known(_local):
    """What is known of the stack of a thread. `size`: in bytes, or None until it is read."""

    size: int | None = None


_known = _Known()


def depth_limit() -> int | None:
    """Return how deep values may be nested in this thread, or None where the interpreter's own limit is lower."""
    if _known.size is None:
        _known.size = _stack_size()
    levels = max((_known.size - RESERVE) // LEVEL, _FEW_LEVELS)
    return levels if levels < sys.getrecursionlimit() else None


def check_depth_of_json(data: bytes) -> None:
    """Raise `Mismatch` for an array of arguments or results in JSON whose values are nested too deeply for this stack.

    Other JSON is left to the decoder.
    """
    if len(data) <= 2 * _FEW_LEVELS or data.count(b"[") + data.count(b"{") <= _FEW_LEVELS:
        return
    limit = depth_limit()
    if limit is None or provably_shallow(data, limit + 1):
        return
    try:
        Scanner(limit + 1, any_value=True).scan(data, 0)
    except Malformed as malformed:
        if malformed.reason.startswith("nested"):
            raise _too_deep(limit) from None


def check_depth_of_values(values: Iterable[Any], parts: Callable[[Any], Iterable[Any]]) -> None:
    """Raise `Mismatch` for values that are nested too deeply for this stack. `parts` says what is inside of one."""
    limit = depth_limit()
    if limit is None:
        return
    level = {id(value): value for value in values}
    for _ in range(limit + 1):
        level = {id(part): part for value in level.values() for part in parts(value)}
        if not level:
            return
    raise _too_deep(limit)


def _too_deep(limit: int) -> Mismatch:
    return Mismatch(f"nested more than {limit} levels deep, for which the stack of this thread is too small")


# The modules are loaded when they are needed first. `threading.stack_size()` is no help: it tells the size that new
# threads get, and sets it to the default at the same time.


def _stack_size() -> int:
    """Return the size of this thread's stack in bytes; what is not known is as good as endless."""
    if get_native_id() == os.getpid():
        try:
            import resource
        except ImportError:  # a process that has changed its user may be unable to read the library any more
            return sys.maxsize
        limit = resource.getrlimit(resource.RLIMIT_STACK)[0]
        return sys.maxsize if limit == resource.RLIM_INFINITY else limit
    try:
        import ctypes
    except ImportError:
        return sys.maxsize
    size = ctypes.c_size_t()
    attributes = ctypes.create_string_buffer(256)  # more than a pthread_attr_t has anywhere
    try:
        library = ctypes.CDLL(None)
        library.pthread_self.restype = ctypes.c_void_p
        if library.pthread_getattr_np(ctypes.c_void_p(library.pthread_self()), attributes):
            return sys.maxsize
        library.pthread_attr_getstacksize(attributes, ctypes.byref(size))
        library.pthread_attr_destroy(attributes)
    except (OSError, AttributeError):
        return sys.maxsize
    return size.value
