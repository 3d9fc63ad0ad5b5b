"""The session of a program with its host: it connects when that is needed, once for all threads."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Sequence
from threading import get_ident

from ..errors import CallTimeout, ConnectionLost, MisuseError, NotHosted, OpenError, ServiceError
from ..openers import OPEN_TIMEOUT, Duplex, open_stream
from .connection import Connection
from .hosting import host_urls
from .process import FOREIGN, is_foreign

__all__ = ["Session", "check_timeout"]


def check_timeout(timeout: float | None) -> None:
    """Raise `MisuseError` unless `timeout` is a positive number of seconds, or None for no limit."""
    if timeout is None:
        return
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise MisuseError(f"a timeout is a positive number of seconds, or None, got {timeout!r}")


class Attempt:
    """One thread's attempt to connect, which the others wait for.

    `thread`: its ident. `failure`: why it failed, if a URL could not be opened.
    """

    def __init__(self, thread: int) -> None:
        self.thread = thread
        self.failure: OpenError | None = None
        self._over = threading.Event()

    @property
    def is_over(self) -> bool:
        """Whether it has succeeded, failed, or been given up."""
        return self._over.is_set()

    def wait(self, deadline: float) -> bool:
        """Wait until it is over; return False when time is up."""
        return self._over.wait(min(max(0.0, deadline - time.monotonic()), threading.TIMEOUT_MAX))

    def finish(self) -> None:
        """Let the others go on. May be done again, where an exception has cut it short."""
        self._over.set()


class Session:
    """Connects when it is needed, once for all threads.

    An attempt that fails is forgotten: the next call tries again. A connection that was lost or closed is
    kept, so that every later call fails with its reason, until `init` makes a new one.

    The URLs of the command line belong to the process that the host started. Every other process (a fork, a process
    of `multiprocessing`) gets a `ConnectionLost` that says so, and never opens them.

    `connection`: None before the first connection. `default_timeout`: seconds, for calls that say nothing
    else.
    """

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.default_timeout: float | None = None
        self.attempt: Attempt | None = None
        """The attempt to connect that goes on, or the last one."""
        # Guards what is above. Held in `with` statements only, which no exception of a signal handler leaves locked.
        self._lock = threading.Lock()
        # Threads in the middle of `_connect`. Each adds and removes only itself; a set does that in one step.
        self._active: set[int] = set()
        _sessions.add(self)

    def hosted(self) -> bool:
        """Whether a host started this process, or has been connected to by other means."""
        return self.connection is not None or bool(host_urls())

    def connect(self, timeout: float | None = None) -> Connection:
        """Return the connection, making it when there is none yet; `timeout` in seconds, None for the usual one.

        Raises:
            NotHosted: no host started this process.
            ConnectionLost: the connection belongs to another process; see above.
            OpenError: a URL cannot be opened; says which and why.
            CallTimeout: another thread is connecting and does not get done in time.
            ServiceError: called by a signal handler or finalizer while this thread is connecting.
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
        if me in self._active:
            raise ServiceError("a signal handler or finalizer cannot use services while its thread is connecting")
        mine = Attempt(me)
        try:
            self._active.add(me)
            connection = self._begin(urls, mine, deadline, timeout)
            if connection is None:
                connection = self._open(urls, mine, deadline)
            return connection
        finally:
            # An exception of a signal handler may come in here as well, so all of it is done once more.
            try:
                mine.finish()
                self._active.discard(me)
            finally:
                self._active.discard(me)
                mine.finish()

    def _begin(self, urls: list[str] | None, mine: Attempt, deadline: float, timeout: float) -> Connection | None:
        """Return the connection if there is one, None once `mine` is the attempt that goes on."""
        waited = False
        while True:
            with self._lock:
                connection = self.connection
                if connection is not None:
                    found = self._usable(connection, urls)
                    if found is not None:
                        return found
                other = self.attempt
                if other is None or other.is_over:
                    if waited and other is not None and urls is None and other.failure is not None:
                        # It failed just now, so another attempt would fail as well.
                        raise OpenError(str(other.failure), other.failure.url)
                    self.attempt = mine
                    return None
            waited = True
            if not other.wait(deadline):
                raise CallTimeout(f"another thread is still connecting to the host after {timeout:g} s")

    @staticmethod
    def _usable(connection: Connection, urls: list[str] | None) -> Connection | None:
        """Return the connection where it is what is wanted, None where it has to be replaced. Raises `MisuseError`."""
        if connection.closed is not None:
            return None
        if urls is None or list(connection.urls) == urls:
            return connection
        raise MisuseError(f"already connected to {' '.join(connection.urls)}; close that first")

    def _open(self, urls: list[str] | None, mine: Attempt, deadline: float) -> Connection:
        of_host = host_urls()
        wanted = of_host if urls is None else urls
        if not wanted and urls is None:
            raise NotHosted("no host started this process (there is no --host on its command line)")
        if not set(wanted).isdisjoint(of_host) and is_foreign():
            raise ConnectionLost(FOREIGN)
        try:
            duplex = open_stream(wanted, max(0.0, deadline - time.monotonic()))
        except OpenError as error:
            mine.failure = error
            raise
        self.connection = connection = Connection(duplex)
        return connection

    def after_fork(self) -> None:
        """In a forked child: no other thread is left to release the lock, or to finish an attempt."""
        self._lock = threading.Lock()
        self._active = set()
        self.attempt = None


_sessions: weakref.WeakSet[Session] = weakref.WeakSet()


def _after_fork() -> None:
    for session in list(_sessions):
        session.after_fork()


os.register_at_fork(after_in_child=_after_fork)
