"""Who reads, who answers: calls of one connection carried out concurrently, without a hand-over where none is
needed.

A hand-over to another thread costs more than a small call. So the thread that reads requests (the leader)
answers quick calls itself. Quick is what was quick so far, which may turn out wrong: therefore a second
thread (the sentinel) looks every few milliseconds, and when the leader is still at the same call, it takes
over the reading and gets a new sentinel; the old leader finishes its call and becomes a worker. A service
seen to be slow goes to the workers from then on. When nothing is going on, the sentinel sleeps, too, until
the leader wakes it.

The baton decides between leader and sentinel: a list of one item, new for every call. Whoever pops the item
has the reading; popping a list is atomic. While the leader waits for requests the baton is empty, and nobody
can take over.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING

from ..wire import Request
from .calls import QUICK_SECONDS, Service, answer
from .channel import block_sigpipe
from .outbox import Outbox

if TYPE_CHECKING:
    from .tasks import Tasks, Venue

__all__ = ["MAX_AWAITING", "MAX_QUEUED", "MAX_RUNNING", "MAX_UNSENT", "Dispatcher"]

MAX_RUNNING = 64
MAX_AWAITING = 1024
MAX_QUEUED = 16384
MAX_UNSENT = 32 * 1024 * 1024
MAX_IDLE = 16
"""So many workers are kept when there is nothing to do. Else there would be more and more of them: each leader that was
taken over from becomes one, on a busy machine several a second."""
TICK_SECONDS = 0.003
QUIET_TICKS = 10
FLUSH_BYTES = 256 * 1024


class Dispatcher:
    """Carries out the requests of one connection.

    `read` waits for requests and returns the next ones, or None at the end. `lookup` gives the reply to a
    request, or the service that has to be called for it. `settle` is called once, by the thread that reads
    last, with the exception that ended the reading if there was one. Everything happens in threads of this
    object, but for coroutine functions, which run in the event loop of `venue`. `max_running` calls run at
    once at most, and `max_awaiting` of those; when `max_queued` more wait, or replies of `max_unsent`
    bytes do, reading stops until there is room.
    """

    def __init__(
        self,
        read: Callable[[], Sequence[Request] | None],
        lookup: Callable[[Request], bytes | Service],
        outbox: Outbox,
        settle: Callable[[BaseException | None], None],
        venue: Venue | None = None,
        *,
        max_running: int = MAX_RUNNING,
        max_awaiting: int = MAX_AWAITING,
        max_queued: int = MAX_QUEUED,
        max_unsent: int = MAX_UNSENT,
    ) -> None:
        self._read, self._lookup, self._outbox, self._settle = read, lookup, outbox, settle
        self._max_running, self._max_queued, self._max_unsent = max_running, max_queued, max_unsent
        self._venue, self._max_awaiting = venue, max_awaiting
        self._tasks: Tasks | None = None  # as soon as there is a coroutine function to call
        self._pending: deque[Request] = deque()
        # The workers' side: queue, number of threads, and how many of them wait and were not told of a call
        # yet.
        self._lock = threading.Lock()
        self._work_there = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._queue: deque[tuple[Service, Request]] = deque()
        self._threads = 0
        self._idle = 0
        self._over = False
        self._impatient = False
        self._starved = False
        self._on_drained: Callable[[], None] | None = None
        # The leader's and the sentinel's side.
        self._baton: list[None] = []
        self._inline: Service | None = None
        self._asleep = False
        self._alarm = threading.Lock()
        self._alarm.acquire()

    def start(self) -> None:
        """Begin to read and answer. Returns at once."""
        # In this order: if the second cannot be started, nobody reads, and the first ends by `stop`.
        self._spawn(self._watch, "sentinel")
        self._spawn(self._first_leader, "leader")

    def hurry(self) -> None:
        """Never wait for room any more, drop the calls that there is no room for: nobody waits for their
        replies.
        """
        with self._lock:
            self._impatient = True
            self._room.notify_all()

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, when every call was answered and every reply written; for `settle`.

        It is called with a lock held, so it must not call back into this object.
        """
        self._outbox.flush()
        with self._lock:
            self._on_drained = callback
            self._check_drained()

    def stop(self) -> None:
        """Let idle threads end, and the others as soon as their call ends. Calls that wait are dropped."""
        with self._lock:
            self._over = True
            self._on_drained = None
            self._queue.clear()
            self._work_there.notify_all()
            self._room.notify_all()
            if self._tasks is not None:
                self._tasks.cancel()
        self._ring()

    def _spawn(self, target: Callable[[], None], role: str) -> None:
        threading.Thread(target=target, name=f"plugsvc-{role}", daemon=True).start()

    # The leader.

    def _first_leader(self) -> None:
        block_sigpipe()
        self._lead()

    def _lead(self) -> None:
        try:
            if not self._lead_to_the_end():
                # The sentinel reads now. What this thread does counts as a worker's doing since then.
                self._outbox.flush()
                self._work()
                return
        except BaseException as error:
            self._settle(error)
        else:
            self._settle(None)

    def _lead_to_the_end(self) -> bool:
        """Read and answer; return True at the end of the requests, False when the reading was taken over."""
        pending, outbox = self._pending, self._outbox
        while not self._over:
            while pending and not self._over:
                request = pending.popleft()
                baton: list[None] = [None]
                self._baton = baton
                if self._asleep:
                    self._ring()
                reply = self._handle(request)
                if reply is None:
                    if not pending:
                        outbox.flush()
                elif pending and outbox.unsent < FLUSH_BYTES:
                    outbox.post(reply)
                else:
                    outbox.send(reply)
                try:
                    baton.pop()
                except IndexError:
                    return False
            self._wait_for_room()
            requests = self._read()
            if requests is None:
                break
            pending.extend(requests)
        return True

    def _handle(self, request: Request) -> bytes | None:
        """Return the reply, or None where a worker has been given the call."""
        found = self._lookup(request)
        if isinstance(found, bytes):
            return found
        if not found.quick or self._threads - self._idle >= self._max_running:
            self._hand_over(found, request)
            return None
        self._inline = found
        began = perf_counter()
        reply = answer(found, request)
        took = perf_counter() - began
        self._inline = None  # whoever takes over later must not blame it for another request
        if took > QUICK_SECONDS:
            found.note(took)
        return reply

    def _wait_for_room(self) -> None:
        if self._backlog() < self._max_queued and self._outbox.unsent < self._max_unsent:
            return
        with self._lock:
            self._starved = True
            while not (self._over or self._impatient) and (
                self._backlog() >= self._max_queued or self._outbox.unsent >= self._max_unsent
            ):
                self._room.wait()
            self._starved = False

    def _backlog(self) -> int:
        return len(self._queue) if self._tasks is None else len(self._queue) + self._tasks.waiting

    # The sentinel.

    def _watch(self) -> None:
        block_sigpipe()
        seen: list[None] = []
        quiet = 0
        while not self._over:
            baton = self._baton
            if baton is not seen:
                seen, quiet = baton, 0
            elif baton:
                if self._take_over(baton, self._inline):
                    return
                continue
            else:
                quiet += 1
            if quiet < QUIET_TICKS:
                self._alarm.acquire(timeout=TICK_SECONDS)
                continue
            self._asleep = True
            # A leader that had not seen the flag yet has changed the baton already.
            if self._baton is seen and not self._over:
                self._alarm.acquire()
            self._asleep = False
            quiet = 0

    def _take_over(self, baton: list[None], service: Service | None) -> bool:
        """Read from now on, to the end; return False at once where the leader has come back in time."""
        with self._lock:
            try:
                baton.pop()
            except IndexError:
                return False
            # Under the same lock, since the old leader looks whether there is room for it among the workers.
            self._threads += 1
        if service is not None:
            service.disappoint()
        self._spawn(self._watch, "sentinel")
        self._lead()
        return True

    def _ring(self) -> None:
        self._asleep = False
        # Already released: the sentinel has not gone back to sleep since the last time, which is as good.
        with suppress(RuntimeError):
            self._alarm.release()

    # The workers.

    def _hand_over(self, service: Service, request: Request) -> None:
        with self._lock:
            if self._over or (self._impatient and self._backlog() >= self._max_queued):
                return
            if service.is_async:
                self._await(service, request)
                return
            self._queue.append((service, request))
            if self._threads - self._idle >= self._max_running:
                return
            if self._idle:
                self._idle -= 1
                self._work_there.notify()
                return
            self._threads += 1
        self._spawn(self._first_work, "worker")

    def _first_work(self) -> None:
        block_sigpipe()
        self._work()

    def _work(self) -> None:
        outbox = self._outbox
        while True:
            with self._lock:
                if self._starved:
                    self._room.notify()
                if self._threads - self._idle > self._max_running:
                    # A leader that was taken over from, and as many calls as are allowed run without it.
                    self._threads -= 1
                    return
                while not self._queue:
                    if self._over:
                        self._threads -= 1
                        return
                    if self._idle >= MAX_IDLE:
                        self._threads -= 1
                        self._check_drained()
                        return
                    self._idle += 1
                    self._check_drained()
                    self._work_there.wait()
                service, request = self._queue.popleft()
                if self._starved:
                    self._room.notify()
            began = perf_counter()
            reply = answer(service, request)
            service.note(perf_counter() - began)
            outbox.post(reply)
            outbox.flush()

    def _check_drained(self) -> None:
        callback = self._on_drained
        if callback and not self._queue and self._threads == self._idle and self._outbox.empty:
            if self._tasks is not None and self._tasks.busy:
                return
            self._on_drained = None
            callback()

    # Coroutines.

    def _await(self, service: Service, request: Request) -> None:
        if self._tasks is None:
            from .tasks import Tasks

            self._tasks = Tasks(self._venue, self._max_awaiting, self._outbox, self._relieve)
        self._tasks.add(service, request)

    def _relieve(self, flushed: bool) -> None:
        """Take note that coroutines have made room, as the event loop; `flushed`: their replies have been written."""
        if not flushed:
            # The plugin reads more slowly than it is answered. Waiting for it is not for a loop.
            self._spawn(self._flush_rest, "flusher")
        elif self._starved or self._on_drained is not None:
            with self._lock:
                self._room.notify_all()
                self._check_drained()

    def _flush_rest(self) -> None:
        block_sigpipe()
        self._outbox.flush()
        self._relieve(True)
