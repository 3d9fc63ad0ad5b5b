"""One program's relation to its host: not hosted, not yet connected, connected, or cut off."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Sequence
from threading import get_ident

from ..errors import CallTimeout, MisuseError, NotHosted, OpenError, ServiceError
from ..openers import OPEN_TIMEOUT, Duplex, open_stream
from .connection import Connection
from .hosting import host_urls

__all__ = ["Session", "check_timeout"]


def check_timeout(timeout: float | None) -> None:
    """Raise `MisuseError` unless `timeout` is a positive number of seconds, or None for no limit."""
    if timeout is None:
        return
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise MisuseError(f"a timeout is a positive number of seconds, or None, got {timeout!r}")


class Session:
    """Connects when it is needed, once for all threads.

    An attempt that fails is forgotten: the next call tries again. A connection that was lost or closed is
    kept, so that every later call fails with its reason, until `init` makes a new one.

    `connection`: None before the first connection. `default_timeout`: seconds, for calls that say nothing
    else.
    """

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.default_timeout: float | None = None
        self._lock = threading.Lock()
        self._busy: int | None = None  # the thread that is connecting
        self._attempts = 0
        self._failure: OpenError | None = None
        _sessions.add(self)

    def hosted(self) -> bool:
        """Whether a host started this process, or has been connected to by other means."""
        return self.connection is not None or bool(host_urls())

    def connect(self, timeout: float | None = None) -> Connection:
        """Return the connection, making it when there is none yet; `timeout` in seconds, None for the usual one.

        Raises:
            NotHosted: no host started this process.
            OpenError: a URL cannot be opened; says which and why.
            CallTimeout: another thread is connecting and does not get done in time.
        """
        connection = self.connection
        if connection is not None:
            return connection
        return self._connect(None, timeout)

    def init(self, urls: Sequence[str] | None = None, timeout: float | None = None) -> None:
        """Connect now: to these URLs, or those of the command line. Does nothing when already connected to them.

        Raises as `connect`, and `MisuseError` when it is connected to other URLs.
        """
        if isinstance(urls, str):
            raise MisuseError("expected a list of one or two URLs, got a string")
        check_timeout(timeout)
        self._connect(None if urls is None else list(urls), timeout)

    def adopt(self, duplex: Duplex) -> Connection:
        """Use streams that are open already. Raises `MisuseError` when connected."""
        connection = self.connection
        if connection is not None and connection.closed is None:
            raise MisuseError("already connected to a host; close that first")
        self.connection = connection = Connection(duplex)
        return connection

    def close(self) -> None:
        """End the connection, if there is one; every pending and later call fails. Safe to call again."""
        connection = self.connection
        if connection is not None:
            connection.close()

    def forget(self) -> None:
        """Close, and be as new."""
        self.close()
        self.connection = None

    def _connect(self, urls: list[str] | None, timeout: float | None) -> Connection:
        if timeout is None:
            timeout = OPEN_TIMEOUT
        deadline = time.monotonic() + timeout
        me = get_ident()
        if self._busy == me:
            raise ServiceError("a signal handler or finalizer cannot use services while its thread is connecting")
        attempts = self._attempts
        try:
            if not self._lock.acquire(timeout=min(timeout, threading.TIMEOUT_MAX)):
                raise CallTimeout(f"another thread is still connecting to the host after {timeout:g} s")
            self._busy = me
            connection = self.connection
            if connection is not None:
                if urls is None and connection.closed is None:
                    return connection
                if connection.closed is None:
                    if list(connection.urls) == urls:
                        return connection
                    raise MisuseError(f"already connected to {' '.join(connection.urls)}; close that first")
            elif urls is None and attempts != self._attempts and self._failure is not None:
                # We have waited for an attempt that failed just now: no need for each thread to find out in
                # turn.
                raise OpenError(str(self._failure), self._failure.url)
            wanted = host_urls() if urls is None else urls
            if not wanted and urls is None:
                raise NotHosted("no host started this process (there is no --host on its command line)")
            self._attempts += 1
            self._failure = None
            try:
                duplex = open_stream(wanted, max(0.0, deadline - time.monotonic()))
            except OpenError as error:
                self._failure = error
                raise
            self.connection = connection = Connection(duplex)
            return connection
        finally:
            if self._busy == me:
                self._busy = None
                self._lock.release()

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self._busy = None


_sessions: weakref.WeakSet[Session] = weakref.WeakSet()


def _after_fork() -> None:
    for session in list(_sessions):
        session._after_fork()


os.register_at_fork(after_in_child=_after_fork)
