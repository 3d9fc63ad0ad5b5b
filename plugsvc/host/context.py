"""Cancellation and deadlines, for everything on the host that may take a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Context"]


class Context:
    """Says when to stop: at a deadline, or because somebody called `cancel`. Safe to use from any thread.

    `timeout` is in seconds from now, None for no deadline. With a `parent`, what stops the parent stops this,
    too.
    """

    def __init__(self, timeout: float | None = None, *, parent: Context | None = None) -> None:
        self._parent = parent
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []
        self._reason: str | None = None
        self._timeout = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def cancel(self, reason: str = "cancelled") -> None:
        """Stop whatever runs under this context; the first reason counts."""
        with self._lock:
            if self._reason is None:
                self._reason = reason
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    @property
    def reason(self) -> str | None:
        """Why to stop, or None as long as there is no reason to."""
        if self._reason is not None:
            return self._reason
        if self._parent is not None and self._parent.reason is not None:
            return self._parent.reason
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return f"not finished within {self._timeout:g} s"
        return None

    def remaining(self) -> float | None:
        """How many seconds are left until the deadline (0 when it has passed), None without one."""
        own = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        inherited = self._parent.remaining() if self._parent is not None else None
        if own is None or inherited is None:
            return inherited if own is None else own
        return min(own, inherited)

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """While the block runs, have `cancel` call `callback` (at once, if it was cancelled already).

        Only `cancel` does; whoever waits has to look after the deadline by itself.
        """
        chain: list[Context] = []
        context: Context | None = self
        while context is not None:
            chain.append(context)
            context = context._parent
        late = False
        for each in chain:
            with each._lock:
                late = late or each._reason is not None
                each._callbacks.append(callback)
        if late:
            callback()
        try:
            yield
        finally:
            for each in chain:
                with each._lock:
                    if callback in each._callbacks:
                        each._callbacks.remove(callback)
