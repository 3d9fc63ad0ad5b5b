"""Cancellation and deadlines for everything on the host that may take a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from .checks import check_seconds

__all__ = ["Context"]


class Context:
    """Says when to stop: at a deadline, or because somebody called `cancel`.

    `timeout` is in seconds from now, None for no deadline. When the `parent` says stop, this context does, too. Every
    method may be called from any thread, and from a signal handler: there is no lock that it could wait for.

    Raises `RegistrationError` for a time-out that makes no sense.
    """

    # Without locks, for a handler may interrupt any of these lines in the same thread. Each step is one operation of a
    # built-in list or dict, which CPython makes atomic, with and without the global interpreter lock.

    def __init__(self, timeout: float | None = None, *, parent: Context | None = None) -> None:
        if timeout is not None:
            timeout = check_seconds("timeout", timeout)
        self._parent = parent
        self._reasons: list[str] = []
        self._kill = False
        self._callbacks: dict[object, Callable[[], None]] = {}
        self._timeout = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def cancel(self, reason: str = "cancelled", *, kill: bool = False) -> None:
        """Stop whatever runs under this context. The first reason counts.

        With `kill`, processes get SIGKILL at once, also those that were told to end before.
        """
        if kill:
            self._kill = True
        self._reasons.append(reason)
        # A copy, which is one operation: callbacks come and go meanwhile.
        for callback in self._callbacks.copy().values():
            callback()

    @property
    def reason(self) -> str | None:
        """Why to stop, or None while there is no reason to."""
        if self._reasons:
            return self._reasons[0]
        if self._parent is not None and (inherited := self._parent.reason) is not None:
            return inherited
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return f"not finished within {self._timeout:g} s"
        return None

    @property
    def kill(self) -> bool:
        """Whether processes get no time to end."""
        return self._kill or (self._parent is not None and self._parent.kill)

    def remaining(self) -> float | None:
        """Return the seconds until the deadline, 0 when it has passed, or None without one."""
        own = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        inherited = self._parent.remaining() if self._parent is not None else None
        if own is None or inherited is None:
            return inherited if own is None else own
        return min(own, inherited)

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """While the block runs, have `cancel` call `callback`, at once if it was called already.

        The callback may run in any thread and in a signal handler, and more than once. A deadline does not call it:
        whoever waits has to watch `remaining`.
        """
        token = object()
        with nullcontext() if self._parent is None else self._parent.calling(callback):
            try:
                self._callbacks[token] = callback
                # Only now: `cancel` stores its reason first, so at least one of the two sees the other.
                if self._reasons:
                    callback()
                yield
            finally:
                self._callbacks.pop(token, None)
