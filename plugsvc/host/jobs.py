"""Run functions in threads that no exception of a signal handler can interrupt."""

from __future__ import annotations

import contextvars
import errno
import os
import queue
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, TypeVar

__all__ = ["Job", "JobGroup", "prepare_jobs"]

T = TypeVar("T")

STOP_SECONDS = 10.0
"""How long a job that was told to end is waited for."""


class Job(Generic[T]):
    """One call of a function, in a thread and in a copy of the caller's context variables.

    Python runs signal handlers in the main thread, between any two instructions. A handler that raises (Ctrl-C does)
    can therefore lose whatever the main thread has just obtained, such as a process that was started and not yet
    stored. In the thread of a job this cannot happen. `call` starts the job and waits for it; an exception that
    interrupts this makes the job stop before it goes on to the caller.
    """

    def __init__(self, function: Callable[[], T], name: str, on_end: Callable[[], None] | None = None) -> None:
        """Prepare the call. `on_end` is called in the job's thread when the function has ended."""
        variables = contextvars.copy_context()
        self._function: Callable[[], T] = lambda: variables.run(function)
        self._name, self._on_end = name, on_end
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._finished = False
        # Whoever acquires this first decides whether the function runs at all: the new thread, or a caller who was
        # interrupted while starting it and cannot know whether the thread exists.
        self._claim = threading.Lock()
        # Plain locks, held until the job has finished: an interrupted wait for an Event can leave its lock acquired.
        self._ended = threading.Lock()
        self._ended.acquire()

    @property
    def finished(self) -> bool:
        """Whether the function has ended, or will never run."""
        return self._finished

    def call(self, abort: Callable[[], None]) -> T:
        """Run the function and return its result.

        When an exception interrupts this call, `abort` is called, which has to make the function end soon, and may be
        called more than once. The exception is raised when the function has ended. A function that does not heed
        `abort` is waited for no longer than 10 seconds.

        Raises what the function raises, and `OSError` when no thread can be started.
        """
        try:
            self.start()
            self.wait()
        except BaseException:
            self.stop(abort)
            raise
        return self.result()

    def start(self) -> None:
        """Have the thread started. Raises `OSError` when that is not possible; so may `result`."""
        _starter.ensure()
        _starter.requests.put(self)

    def run_in_thread(self) -> None:
        """Start the thread, from one that no signal handler interrupts."""
        try:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        except RuntimeError as error:
            self._error = OSError(errno.EAGAIN, str(error))
            self._end()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the function has ended, at most `timeout` seconds. For one thread only."""
        deadline = None if timeout is None else time.monotonic() + timeout
        # The flag is set before the lock is released: after an interruption it shows that the lock was acquired.
        while not self._finished:
            left = -1 if deadline is None else deadline - time.monotonic()
            if deadline is not None and left <= 0:
                return
            self._ended.acquire(timeout=left)

    def stop(self, abort: Callable[[], None]) -> None:
        """Keep the function from running; if it runs, call `abort` and wait until it has ended."""
        if not self.withdraw():
            try:
                abort()
            finally:
                # Once more, for a second exception may have interrupted the first call.
                abort()
                self.wait(STOP_SECONDS)

    def withdraw(self) -> bool:
        """Keep the function from running; return False when it runs already or has ended."""
        if self._claim.acquire(blocking=False):
            self._finished = True
            return True
        return False

    def result(self) -> T:
        """Return what the function returned, or raise what it raised."""
        if self._error is not None:
            error, self._error = self._error, None
            try:
                raise error
            finally:
                del error  # no reference cycle with its traceback
        return self._results.pop()

    def _run(self) -> None:
        if not self._claim.acquire(blocking=False):
            return
        try:
            self._results.append(self._function())
        except BaseException as error:
            self._error = error
        finally:
            # What the function refers to is released before anybody is told.
            del self._function
            self._end()

    def _end(self) -> None:
        self._finished = True
        self._ended.release()
        if self._on_end is not None:
            self._on_end()


class _Starter:
    """The thread that starts the threads of jobs; there is one for the whole process, from the first job on.

    A signal handler that raises in `Thread.start` leaves the new thread half registered in the `threading` module. So
    the main thread does this once, and never again.
    """

    def __init__(self) -> None:
        # Its methods are written in C, so no exception of a signal handler leaves it locked.
        self.requests: queue.SimpleQueue[Job[Any]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def ensure(self) -> None:
        """Start the thread unless it runs. Raises `OSError` when that is not possible."""
        if self._thread is None:
            # Two threads may do this at the same time: then there are two starters, and either will do.
            thread = threading.Thread(target=self._serve, args=(self.requests,), name="plugsvc-starter", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise OSError(errno.EAGAIN, str(error)) from error
            self._thread = thread

    def forget(self) -> None:
        """Begin anew; in a forked process the thread does not exist."""
        self.requests = queue.SimpleQueue()
        self._thread = None

    @staticmethod
    def _serve(requests: queue.SimpleQueue[Job[Any]]) -> None:
        while True:
            requests.get().run_in_thread()


_starter = _Starter()
os.register_at_fork(after_in_child=_starter.forget)


class JobGroup:
    """Jobs that run side by side, at most `limit` at a time.

    Use it in a `with` block, and call `wait` at its end. When an exception leaves the block, jobs that run are stopped
    by `abort`, and waited for.
    """

    def __init__(self, limit: int, name: str, abort: Callable[[], None]) -> None:
        self._limit, self._name, self._abort = limit, name, abort
        self._jobs: list[Job[Any]] = []
        self._ends: queue.SimpleQueue[None] = queue.SimpleQueue()

    def submit(self, function: Callable[[], T]) -> Job[T]:
        """Start a job as soon as there is room for it, and return it.

        Raises `OSError` when no thread can be started.
        """
        self._forget_finished()
        while len(self._jobs) >= self._limit:
            self._ends.get()
            self._forget_finished()
        job = Job(function, self._name, lambda: self._ends.put(None))
        self._jobs.append(job)
        job.start()
        return job

    def wait(self) -> None:
        """Wait until all jobs have ended. Part of the block, where an exception stops them."""
        for job in self._jobs:
            job.wait()

    def __enter__(self) -> JobGroup:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            for job in self._jobs:
                job.stop(self._abort)

    def _forget_finished(self) -> None:
        self._jobs = [job for job in self._jobs if not job.finished]


def prepare_jobs() -> None:
    """Start the one thread that stays. Raises `OSError` when that is not possible."""
    _starter.ensure()
