"""Run one child process in a session of its own, keep the end of its output, and leave nothing of it behind."""

from __future__ import annotations

import atexit
import os
import select
import signal
import threading
import time
from typing import IO

from .child import Child
from .context import Context
from .jobs import Job
from .launch import CAPTURE, INHERIT, Exit, Launch, OutputTarget, start
from .outputs import Alarm, Outputs, silence

__all__ = ["CAPTURE", "INHERIT", "Exit", "Launch", "OutputTarget", "run_process"]

KEPT_BYTES = 64 * 1024
GRACE_SECONDS = 3.0
LAST_WAIT_SECONDS = 5.0
MOST_MILLISECONDS = 24 * 3600 * 1000


def run_process(
    launch: Launch,
    context: Context,
    *,
    grace: float = GRACE_SECONDS,
    keep: int = KEPT_BYTES,
    output_limit: int | None = None,
    linger: float = 0.0,
) -> Exit:
    """Start a process, wait for it, and return how it ended. Whatever happens, it is not left behind.

    When the context says stop, the whole process group gets SIGTERM, and SIGKILL `grace` seconds later. Of
    each captured stream the last `keep` bytes are returned; with `output_limit`, the first bytes instead, and
    more than that stops the process. Captured streams are read all the time, so nobody blocks on them. Once
    the process has ended, what it wrote is there; for output of others who hold the stream, at most `linger`
    seconds are waited.

    An exception that a signal handler raises meanwhile, such as Ctrl-C, kills the process group. It goes on when the
    process has ended.

    Raises `OSError` when the process cannot be started, and what `launch.on_start` raises.
    """
    watch = _Watch(launch, context, grace, keep, output_limit, linger)
    # The thread that starts a process also waits for it: with `die_with_host` the kernel kills the process when the
    # *thread* that started it ends.
    return Job(watch.run, "plugsvc-process").call(watch.abort)


class _Watch:
    """The life of one process, from its start to its end, in a thread of its own."""

    def __init__(
        self,
        launch: Launch,
        context: Context,
        grace: float,
        keep: int,
        output_limit: int | None,
        linger: float,
    ) -> None:
        self._launch, self._context, self._grace, self._linger = launch, context, grace, linger
        self._keep, self._limit = keep, output_limit
        self._alarm: Alarm | None = None
        self._done = threading.Event()
        self._aborted = False
        self._stopped: str | None = None
        self._kill_at: float | None = None

    def abort(self) -> None:
        """Kill the process without delay. From any thread, or a signal handler."""
        self._aborted = True
        self._ring()

    def run(self) -> Exit:
        """Start the process, and return how it ended."""
        _live.add(self)
        try:
            # Nothing else refers to it, no frame of a traceback either, so it is closed when the process is gone.
            self._alarm = Alarm()
            # `abort` sets the flag first and then uses the alarm, so it is seen here or wakes `_wait`.
            if self._aborted:
                raise InterruptedError("interrupted before the start")
            process = start(self._launch)
            try:
                child = Child(process)
                try:
                    return self._watch(child, (process.stdout, process.stderr), self._alarm.fd)
                finally:
                    child.close()
            finally:
                for stream in (process.stdout, process.stderr):
                    if stream is not None:
                        stream.close()
        finally:
            self._alarm = None
            _live.discard(self)
            self._done.set()

    def _ring(self) -> None:
        if (alarm := self._alarm) is not None:
            alarm.ring()

    def wait(self, timeout: float) -> None:
        """Wait until the process is gone, at most `timeout` seconds."""
        self._done.wait(timeout)

    def _watch(self, child: Child, streams: tuple[IO[bytes] | None, ...], alarm_fd: int) -> Exit:
        try:
            outputs = Outputs(streams, self._keep, self._limit)
            self._launch.on_start()
            with self._context.calling(self._ring):
                self._wait(child, outputs, alarm_fd)
            if self._stopped is not None:
                child.signal_group(signal.SIGKILL)
            outputs.read_the_rest(self._linger if self._stopped is None else 0.0)
            if self._limit is not None and outputs.open:
                # A process that this one has started still holds its output; `info` is not meant to leave any.
                child.signal_group(signal.SIGKILL)
        except BaseException:
            child.signal_group(signal.SIGKILL)
            child.reap()
            raise
        status = child.reap()
        stdout, stderr = outputs.data()
        if status is None or status >= 0:
            return Exit(status, None, stdout, stderr, self._stopped)
        return Exit(None, -status, stdout, stderr, self._stopped)

    def _wait(self, child: Child, outputs: Outputs, alarm_fd: int) -> None:
        """Wait until the process has ended, and stop it when it has to end."""
        poll = outputs.poll
        poll.register(alarm_fd, select.POLLIN)
        poll.register(child.exit_fd, select.POLLIN)
        ended = False
        while not ended:
            self._stop_if_due(child)
            for fd, _ in poll.poll(self._milliseconds()):
                if fd == child.exit_fd:
                    ended = True
                elif fd == alarm_fd:
                    silence(alarm_fd)
                elif outputs.take(fd) and self._limit is not None and outputs.exceeded and self._stopped is None:
                    self._stop(child, f"more than {self._limit} bytes of output")
        poll.unregister(alarm_fd)
        poll.unregister(child.exit_fd)

    def _stop_if_due(self, child: Child) -> None:
        if self._aborted or self._context.kill:
            self._stopped = self._stopped or self._context.reason or "interrupted"
            self._kill_at = None
            child.signal_group(signal.SIGKILL)
        elif self._stopped is None:
            if (reason := self._context.reason) is not None:
                self._stop(child, reason)
        elif self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._kill_at = None
            child.signal_group(signal.SIGKILL)

    def _stop(self, child: Child, why: str) -> None:
        self._stopped = why
        self._kill_at = time.monotonic() + self._grace
        child.signal_group(signal.SIGTERM)

    def _milliseconds(self) -> int | None:
        """Return how long to sleep, None for as long as nothing happens."""
        if self._stopped is None:
            left = self._context.remaining()
        else:
            left = None if self._kill_at is None else self._kill_at - time.monotonic()
        return None if left is None else min(max(0, int(left * 1000) + 1), MOST_MILLISECONDS)


_live: set[_Watch] = set()


os.register_at_fork(after_in_child=_live.clear)


@atexit.register
def _abort_all() -> None:
    """Kill what other threads of this program execute when it ends."""
    watches = list(_live)
    for watch in watches:
        watch.abort()
    for watch in watches:
        watch.wait(LAST_WAIT_SECONDS)
