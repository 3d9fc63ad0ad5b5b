"""Waiting for the one connection that is the plugin's, whoever else may come."""

from __future__ import annotations

import errno
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...openers.descriptors import pipe
from ...openers.sockets import accept

__all__ = ["BACKLOG", "Examine", "accepting"]

BACKLOG = 128
PROOF_SECONDS = 5.0
LAST_SECONDS = 0.25
MOST_WAITING = 64

Examine = Callable[[socket.socket], Callable[[], "bool | None"]]
"""Called with each new connection, which does not block; what it returns is called whenever there may be
something to read: True, this is the plugin; False, it is not; None, not known yet.
"""


@contextmanager
def accepting(
    listener: socket.socket,
    examine: Examine,
    accepted: Callable[[socket.socket], None],
    *,
    underway: float = 0.0,
) -> Iterator[None]:
    """While the block runs, wait for the plugin on `listener`, which is closed in any case.

    The first connection that `examine` finds good goes to `accepted`, in a thread of its own; then, and at
    the end of the block, all others are closed. What has come before the end of the block is looked at, after
    it for at most a quarter of a second: a plugin may connect, say something, and be gone. `underway`: seconds
    that a connection may be on its way before the listener knows of it.

    Raises at the end of the block what `accepted`, or the waiting, has raised.
    """
    try:
        acceptor = _Acceptor(listener, examine, accepted, underway)
    except BaseException:
        listener.close()
        raise
    acceptor.start()
    try:
        yield
    except BaseException:
        acceptor.finish()
        raise
    error = acceptor.finish()
    if error is not None:
        raise error


class _Acceptor:
    def __init__(
        self,
        listener: socket.socket,
        examine: Examine,
        accepted: Callable[[socket.socket], None],
        underway: float,
    ) -> None:
        listener.setblocking(False)
        self._listener, self._examine, self._accepted, self._underway = listener, examine, accepted, underway
        # In the order in which they came, with what decides about each and how long it may take.
        self._waiting: dict[int, tuple[socket.socket, Callable[[], bool | None], float]] = {}
        self._wake_read, self._wake_write = pipe()
        self._poll = select.poll()
        self._poll.register(listener, select.POLLIN)
        self._poll.register(self._wake_read, select.POLLIN)
        self._end: float | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="plugsvc-accept", daemon=True)

    def start(self) -> None:
        try:
            self._thread.start()
        except BaseException:
            self._listener.close()
            os.close(self._wake_read)
            os.close(self._wake_write)
            raise

    def finish(self) -> BaseException | None:
        os.close(self._wake_write)
        self._thread.join()
        os.close(self._wake_read)
        return self._error

    def _run(self) -> None:
        found = None
        try:
            try:
                found = self._wait()
            finally:
                self._listener.close()
                for waiting, _, _ in self._waiting.values():
                    waiting.close()
            if found is not None:
                self._accepted(found)
        except BaseException as error:
            # Raised when the plugin has ended; so the plugin must see at once that nobody serves it.
            if found is not None:
                found.close()
            self._error = error

    def _wait(self) -> socket.socket | None:
        """Return the plugin's connection, None when it did not come."""
        while True:
            for fd, _ in self._poll.poll(self._time_left()):
                found = None
                if fd == self._wake_read:
                    self._poll.unregister(fd)
                    self._end = time.monotonic()
                elif fd == self._listener.fileno():
                    found = self._take()
                elif fd in self._waiting:
                    found = self._look(fd)
                if found is not None:
                    return found
            now = time.monotonic()
            while self._waiting and next(iter(self._waiting.values()))[2] <= now:
                self._dismiss(next(iter(self._waiting)))
            # Not before the listener was looked at once more.
            if self._end is not None and now > self._end + (LAST_SECONDS if self._waiting else self._underway):
                return self._take()

    def _time_left(self) -> int | None:
        """How long to sleep, in milliseconds."""
        until = [expiry for _, _, expiry in [*self._waiting.values()][:1]]
        if self._end is not None:
            until.append(self._end + (LAST_SECONDS if self._waiting else self._underway))
        return None if not until else max(0, int((min(until) - time.monotonic()) * 1000) + 1)

    def _take(self) -> socket.socket | None:
        """Take in whoever has come."""
        while True:
            try:
                come = accept(self._listener)
            except BlockingIOError:
                return None
            except ConnectionAbortedError:
                continue
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE) and self._waiting:
                    # Connections of others must not be what keeps the plugin out.
                    self._dismiss(next(iter(self._waiting)))
                    continue
                raise
            try:
                come.setblocking(False)
                self._waiting[come.fileno()] = come, self._examine(come), time.monotonic() + PROOF_SECONDS
            except BaseException:
                come.close()
                raise
            self._poll.register(come, select.POLLIN)
            found = self._look(come.fileno())
            if found is not None:
                return found
            if len(self._waiting) > MOST_WAITING:
                # The plugin has proved itself long ago, if it is among them.
                self._dismiss(next(iter(self._waiting)))

    def _look(self, fd: int) -> socket.socket | None:
        """Return the connection if it is the plugin's; close it if it is somebody else's."""
        come, decide, _ = self._waiting[fd]
        verdict = decide()
        if verdict:
            del self._waiting[fd]
            return come
        if verdict is False:
            self._dismiss(fd)
        return None

    def _dismiss(self, fd: int) -> None:
        self._poll.unregister(fd)
        self._waiting.pop(fd)[0].close()
