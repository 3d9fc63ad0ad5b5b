"""Services that are coroutine functions: each call is a task in an event loop, and has no thread.

The thread that reads hands calls over to the loop, many at a time where they come together. The loop posts the
replies and writes, once for all that are ready, what there is room for; it never waits for a plugin that does not
read.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import signal
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ..openers.descriptors import standard_reserved
from ..wire import Request
from .calls import Service, failed, succeeded
from .channel import block_sigpipe
from .outbox import Outbox

__all__ = ["Tasks", "Venue", "own_loop"]


@dataclass(frozen=True)
class Venue:
    """Where coroutines run: in which loop, and each in a copy of which context."""

    loop: asyncio.AbstractEventLoop
    context: contextvars.Context

    @classmethod
    def here(cls, loop: asyncio.AbstractEventLoop) -> Venue:
        """Return one with the present context."""
        return cls(loop, contextvars.copy_context())


_own: list[asyncio.AbstractEventLoop] = []
_starting = threading.Lock()


def own_loop() -> asyncio.AbstractEventLoop:
    """Return the loop that the library has in a thread of its own; it is started when it is first needed."""
    with _starting:
        if not _own:
            with standard_reserved():
                loop = asyncio.new_event_loop()

            def run() -> None:
                block_sigpipe()
                asyncio.set_event_loop(loop)
                loop.run_forever()

            threading.Thread(target=run, name="plugsvc-loop", daemon=True).start()
            _own.append(loop)
        return _own[0]


def _after_fork() -> None:
    global _starting
    _starting = threading.Lock()
    _own.clear()  # its thread is not there any more


os.register_at_fork(after_in_child=_after_fork)


class Tasks:
    """The calls of one connection that are awaited.

    `bound`: how many may run at once; others wait. `relieve` is called in the loop after replies have been written,
    with False when there was no room for all of them.
    """

    def __init__(self, venue: Venue | None, bound: int, outbox: Outbox, relieve: Callable[[bool], None]) -> None:
        self._venue = venue if venue is not None else Venue(own_loop(), contextvars.Context())
        self._loop = self._venue.loop
        self._bound = bound
        self._outbox, self._relieve = outbox, relieve
        self._waiting: deque[tuple[Service, Request]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._beginning = False
        self._flushing = False
        self._over = False
        # Each is counted by one thread only, so they need no lock.
        self._added, self._answered = 0, 0
        # In a thread that is not ours a write to a plugin that is gone may be deadly.
        self._may_write = venue is None or signal.getsignal(signal.SIGPIPE) != signal.SIG_DFL

    @property
    def waiting(self) -> int:
        """How many calls have not begun."""
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether there is a call whose reply is not in the outbox."""
        return self._added != self._answered

    def add(self, service: Service, request: Request) -> None:
        """Let the loop carry out a call. From any thread, by one at a time.

        Where that is not possible the reply is in the outbox at once, to be flushed.
        """
        self._added += 1
        self._waiting.append((service, request))
        if not self._beginning:
            self._beginning = True
            try:
                self._loop.call_soon_threadsafe(self._begin)
            except RuntimeError as error:  # the loop is closed
                self._beginning = False
                while self._waiting:
                    _, request = self._waiting.popleft()
                    self._outbox.post(failed(request, error))
                    self._answered += 1

    def cancel(self) -> None:
        """Cancel what is running and drop what waits: nobody wants the replies any more."""
        self._over = True
        self._waiting.clear()
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._cancel_all)

    # In the loop

    def _begin(self) -> None:
        self._beginning = False
        waiting, running = self._waiting, self._running
        while waiting and len(running) < self._bound:
            try:
                service, request = waiting.popleft()
            except IndexError:  # dropped
                return
            task = self._loop.create_task(
                self._carry_out(service, request), name=service.label, context=self._venue.context.copy()
            )
            running.add(task)
            task.add_done_callback(self._ended)

    async def _carry_out(self, service: Service, request: Request) -> None:
        signature = service.signature
        try:
            args = signature.decode_args(request.args)
            value = await service.function(*args)
        except BaseException as error:
            if self._over and isinstance(error, asyncio.CancelledError):
                raise
            reply = failed(request, error)
        else:
            reply = succeeded(signature, request, value)
        self._outbox.post(reply)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._answered += 1
        if not self._flushing:
            # Others that end in the same iteration are written together with this one.
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        flushed = self._may_write and self._outbox.flush_some()
        self._begin()
        self._relieve(flushed)

    def _cancel_all(self) -> None:
        for task in self._running:
            task.cancel("the plugin is gone")
