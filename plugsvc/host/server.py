"""The owner of one connection: its lock, its threads and its channel, from the start to the end.

What happens is decided elsewhere: `core` says what a connection does, `roles` which thread does it. This is the driver:
threads that take the steps of a program, one at a time under the lock, and do in between what the program asks for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..errors import ProtocolError
from .calls import answer
from .channel import Channel, block_sigpipe
from .core import Event, HostCore
from .dispatch import QUICK_SECONDS
from .limits import DEFAULTS, Limits
from .namespaces import Namespaces
from .roles import Do, Program, Roles, Signal

if TYPE_CHECKING:
    from ..wire import Message
    from .calls import Call
    from .tasks import Tasks, Venue

__all__ = ["Server"]

TICK_SECONDS = 0.003
"""How often the watchdog looks while something is going on."""

READ, RUN, WRITE, WAIT, TICK = Do.READ, Do.RUN, Do.WRITE, Do.WAIT, Do.TICK


class Server:
    """Serves one registry on one channel, which it owns. `start` it once; then it needs no further attention.

    It ends by itself when the plugin closes its end; when the plugin sends something malformed (the calls before that
    are answered, for at most `drain_timeout` seconds, then both ends are closed); by `finish`, when the plugin is known
    to be gone; and by `close`. `wait` for that; then `error` says how it ended: None for a clean end between two
    messages or by `close`, a `ProtocolError` after something malformed, a `PluginError` where the host could not go on,
    for example because no thread could be started.

    `venue` is where coroutine functions run (`tasks.Venue.here(loop)`), by default in a loop of the library's own. The
    limits are those of `docs/host.md`.

    Raises `RegistrationError` for a limit that makes no sense.
    """

    def __init__(
        self,
        registry: Namespaces,
        channel: Channel,
        venue: Venue | None = None,
        *,
        max_running: int = DEFAULTS.max_running,
        max_awaiting: int = DEFAULTS.max_awaiting,
        max_queued: int = DEFAULTS.max_queued,
        max_memory: int = DEFAULTS.max_memory,
        max_unsent: int = DEFAULTS.max_unsent,
        max_message: int = DEFAULTS.max_message,
        max_values: int = DEFAULTS.max_values,
        max_depth: int = DEFAULTS.max_depth,
        drain_timeout: float = DEFAULTS.drain_timeout,
    ) -> None:
        limits = Limits(
            max_running=max_running,
            max_awaiting=max_awaiting,
            max_queued=max_queued,
            max_memory=max_memory,
            max_unsent=max_unsent,
            max_message=max_message,
            max_values=max_values,
            max_depth=max_depth,
            drain_timeout=drain_timeout,
        ).check()
        self._channel = channel
        self._venue = venue
        self._tasks: Tasks | None = None  # as soon as there is something to await
        self._roles = Roles(HostCore(registry, limits))
        self._lock = threading.Lock()
        self._conditions = {
            signal: threading.Condition(self._lock) for signal in (Signal.ROOM, Signal.WORK, Signal.ALARM)
        }
        self._gone = threading.Event()
        self._done = threading.Event()

    @property
    def error(self) -> BaseException | None:
        """Why the connection has ended, None for a clean end."""
        return self._roles.core.error

    def start(self) -> None:
        """Begin to serve, in threads of its own. Where that is not possible the connection ends, with the reason."""
        roles = self._roles
        error = self._start(roles.watchdog) or self._start(roles.reader)
        if error is not None:
            with self._lock:
                roles.fail(error)
            self._drive(roles.reader())  # which ends at once

    def finish(self) -> None:
        """The plugin is gone: read what it has left behind, wait for nothing else, and end."""
        self._end(Event.PLUGIN_GONE)

    def close(self) -> None:
        """End now. Calls that are running are not waited for, and their replies are dropped."""
        self._end(Event.CLOSED)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the connection has ended; return False when that takes longer than `timeout` seconds."""
        return self._done.wait(timeout)

    def _end(self, event: Event) -> None:
        self._gone.set()
        with self._lock:
            self._roles.happen(event)
            self._signal()

    # The driver

    def _start(self, program: Callable[[], Program]) -> Exception | None:
        """Start a thread with a program; return what went wrong, if anything did."""
        try:
            threading.Thread(
                target=self._run_thread, args=(program,), name=f"plugsvc-{program.__name__}", daemon=True
            ).start()
        except Exception as error:  # RuntimeError: can't start new thread; MemoryError
            return error
        return None

    def _run_thread(self, program: Callable[[], Program]) -> None:
        block_sigpipe()
        self._drive(program())

    def _drive(self, program: Program) -> None:
        """Take the steps of a program, and do what it asks for, until it ends."""
        lock, send, signals, channel = self._lock, program.send, self._roles.signals, self._channel
        read, write = channel.read, channel.write
        result: Any = None
        failure: Exception | None = None
        while True:
            with lock:
                try:
                    do, what = send(result) if failure is None else program.throw(failure)
                except StopIteration:
                    return
                except Exception as error:
                    self._roles.fail(error)
                    return
                finally:
                    if signals:
                        self._signal()
                if do is WAIT:
                    self._conditions[what].wait()
                elif do is TICK:
                    self._conditions[Signal.ALARM].wait(TICK_SECONDS)
            result = failure = None
            try:
                if do is RUN:
                    began = perf_counter()
                    result = answer(what)
                    took = perf_counter() - began
                    if took > QUICK_SECONDS or not what.service.pace.quick:
                        what.service.pace.note(took)
                elif do is WRITE:
                    result = len(what) if write(what) else None
                elif do is READ:
                    what.receive(read())
                elif do is not WAIT and do is not TICK:
                    result = self._do(do, what)
            except ProtocolError as error:
                result = error  # of the input
            except Exception as error:
                failure = error
            del what

    def _do(self, do: Do, what: Any) -> Any:
        """Do what is not done for each call."""
        channel = self._channel
        if do is Do.WRITE_SOME:
            return None if channel.broken else channel.write_some(what)
        if do is Do.START:
            return self._start(what)
        if do is Do.SUBMIT:
            return self._submit()
        if do is Do.AWAIT_READER_GONE:
            return channel.wait_for_reader_gone(what)
        if do is Do.DRAIN:
            if channel.linger is not None and not self._gone.is_set():
                channel.linger(self._gone)
            return None
        if do is Do.CLOSE:
            channel.close()
            return None
        assert do is Do.FINISH
        self._done.set()
        return None

    def _signal(self) -> None:
        """Pass on what the last step has signalled. The lock is held."""
        signals = self._roles.signals
        for signal in signals:
            condition = self._conditions.get(signal)
            if condition is not None:
                condition.notify()
            elif signal is Signal.INTERRUPT:
                self._channel.wake()
            elif self._tasks is not None:
                self._tasks.cancel()
        signals.clear()

    # What the event loop does, in its own thread

    def _submit(self) -> Exception | None:
        if self._tasks is None:
            from .tasks import Tasks

            self._tasks = Tasks(self, self._venue)
        return self._tasks.submit()

    def take_awaited(self) -> list[Call]:
        """Return the calls that the event loop has to begin."""
        with self._lock:
            calls = self._roles.take_awaited()
            self._signal()
            return calls

    def answered(self, call: Call, reply: Message | None) -> None:
        """Take note that a call was awaited; without reply when it was cancelled."""
        with self._lock:
            self._roles.answered(call, reply)
            self._signal()

    def flush_from_loop(self, may_write: bool) -> None:
        """Write the replies that there is room for, without waiting. What is left is written by a thread."""
        self._drive(self._roles.flush_from_loop(may_write))
