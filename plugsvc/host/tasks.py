"""The driver for calls that are awaited: each is a task in an event loop, and has no thread.

Threads ask the loop to take the calls that wait for it, once for many. The loop reports the replies to the owner of the
connection, and lets it write once for all that are ready, as far as there is room: a loop never waits for a plugin.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import os
import signal
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from ..openers.descriptors import standard_reserved
from ..wire import Message
from .calls import Call, decode, failed, succeeded
from .channel import block_sigpipe

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


class Owner(Protocol):
    """Whose calls are awaited: a `Server`. All of it is called in the loop."""

    def take_awaited(self) -> Iterable[Call]:
        """Return the calls to begin."""

    def answered(self, call: Call, reply: Message | None) -> None:
        """Take note that a call has ended; without reply when it was cancelled."""

    def flush_from_loop(self, may_write: bool) -> None:
        """Write replies, without waiting."""


class Tasks:
    """The calls of one connection that are awaited."""

    def __init__(self, owner: Owner, venue: Venue | None) -> None:
        self._owner = owner
        self._venue = venue if venue is not None else Venue(own_loop(), contextvars.Context())
        self._loop = self._venue.loop
        self._running: set[asyncio.Task[Message]] = set()
        self._flushing = False
        self._over = False
        # In a thread that is not ours a write to a plugin that is gone may be deadly.
        self._may_write = venue is None or signal.getsignal(signal.SIGPIPE) != signal.SIG_DFL

    def submit(self) -> Exception | None:
        """Have the loop take the calls that wait for it; return the reason where that is not possible."""
        try:
            self._loop.call_soon_threadsafe(self._begin)
        except RuntimeError as error:  # the loop is closed
            return error
        return None

    def cancel(self) -> None:
        """Cancel what is running: nobody wants the replies any more."""
        self._over = True
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._cancel_all)

    # In the loop

    def _begin(self) -> None:
        for call in self._owner.take_awaited():
            task = self._loop.create_task(
                self._carry_out(call), name=call.service.label, context=self._venue.context.copy()
            )
            self._running.add(task)
            task.add_done_callback(functools.partial(self._ended, call))

    async def _carry_out(self, call: Call) -> Message:
        try:
            value = call.awaitable if call.awaitable is not None else call.service.function(*decode(call))
            call.awaitable = None
            if hasattr(type(value), "__await__"):
                value = await value
        except BaseException as error:
            if self._over and isinstance(error, asyncio.CancelledError):
                raise
            return failed(call.sequence, error)
        return succeeded(call, value)

    def _ended(self, call: Call, task: asyncio.Task[Message]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            self._owner.answered(call, task.result())
        else:  # before it began, or since nobody wants the reply
            self._owner.answered(call, None if self._over else failed(call.sequence, asyncio.CancelledError()))
        if not self._flushing:
            # Others that end in the same iteration are written together with this one.
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        self._owner.flush_from_loop(self._may_write)
        self._begin()

    def _cancel_all(self) -> None:
        for task in self._running:
            task.cancel("the plugin is gone")
