"""One child process: started in a session of its own, watched, its output kept, ended for certain, and
reaped.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Literal

from ..openers.descriptors import above_standard, pipe, standard_reserved
from .context import Context

__all__ = ["CAPTURE", "INHERIT", "Exit", "Launch", "OutputTarget", "run_process"]

CAPTURE: Literal["capture"] = "capture"
INHERIT: Literal["inherit"] = "inherit"

OutputTarget = Literal["capture", "inherit"] | int | IO[bytes] | IO[str]
"""Where output goes: kept (its end), to the host's own stream, or to a file or descriptor."""

READ_SIZE = 64 * 1024
KEPT_BYTES = 64 * 1024
GRACE_SECONDS = 3.0
LAST_READ_SECONDS = 0.25


@dataclass(frozen=True)
class Launch:
    """What to start, as an executor sees it.

    `argv`: program and arguments. `pass_fds`: descriptors that the process needs, under the same numbers.
    `env`: the whole environment, None for the host's. `stdin`: None for the null device. `on_start` is called
    once, right after the start, also by an executor that starts the process in its own way.
    """

    argv: tuple[str, ...]
    pass_fds: tuple[int, ...] = ()
    env: Mapping[str, str] | None = None
    cwd: str | os.PathLike[str] | None = None
    stdin: int | IO[bytes] | IO[str] | None = None
    stdout: OutputTarget = CAPTURE
    stderr: OutputTarget = CAPTURE
    on_start: Callable[[], None] = field(default=lambda: None)


@dataclass(frozen=True)
class Exit:
    """How a process ended.

    `status`: its exit status, None after a signal. `signal`: that signal's number, else None. `stdout`,
    `stderr`: the end of what it wrote there, as far as that was captured. `stopped`: why the host ended it,
    None when it ended by itself.
    """

    status: int | None
    signal: int | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    stopped: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the process ended by itself, with status 0."""
        return self.status == 0 and self.stopped is None

    def describe(self) -> str:
        """Return how the process ended, in words."""
        if self.signal is not None:
            return f"was killed by {signal_name(self.signal)}"
        return f"ended with status {self.status}"


def signal_name(number: int) -> str:
    """Return `signal 9 (SIGKILL)`."""
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


class _Capture:
    """The reading end of one output stream."""

    def __init__(self, stream: IO[bytes], limit: int, keep_start: bool) -> None:
        self.stream = stream
        self.fd = stream.fileno()
        self.data = bytearray()
        self.exceeded = False
        self._limit = limit
        self._keep_start = keep_start
        os.set_blocking(self.fd, False)

    def take(self) -> bool | None:
        """Read once; True when there was something, None when there is nothing now, False at the end."""
        try:
            data = os.read(self.fd, READ_SIZE)
        except BlockingIOError:
            return None
        if not data:
            return False
        self.data += data
        if len(self.data) > self._limit:
            self.exceeded = True
            if self._keep_start:
                del self.data[self._limit :]
            else:
                del self.data[: -self._limit]
        return True


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

    Raises `OSError` when the process cannot be started.
    """
    with standard_reserved():
        process = subprocess.Popen(
            launch.argv,
            stdin=subprocess.DEVNULL if launch.stdin is None else launch.stdin,
            stdout=_target(launch.stdout),
            stderr=_target(launch.stderr),
            cwd=launch.cwd,
            env=None if launch.env is None else dict(launch.env),
            pass_fds=launch.pass_fds,
            start_new_session=True,
        )
    try:
        launch.on_start()
        return _Watch(process, context, grace, keep, output_limit, linger).run()
    except BaseException:
        # Not only errors: Ctrl-C, too. Nobody is left to wait for a graceful end.
        _kill_group(process, signal.SIGKILL)
        process.wait()
        raise
    finally:
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _target(target: OutputTarget) -> int | IO[bytes] | IO[str] | None:
    if target == CAPTURE:
        return subprocess.PIPE
    return None if target == INHERIT else target


def _kill_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # Only while the process is not reaped: until then nobody else can have its group's number.
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)


class _Watch:
    """The life of one process, in the thread that waits for it."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        context: Context,
        grace: float,
        keep: int,
        output_limit: int | None,
        linger: float,
    ) -> None:
        self._process, self._context, self._grace, self._linger = process, context, grace, linger
        limit = keep if output_limit is None else output_limit
        self._limit = output_limit
        self._captures = [
            None if stream is None else _Capture(stream, limit, output_limit is not None)
            for stream in (process.stdout, process.stderr)
        ]
        self._open = {each.fd: each for each in self._captures if each is not None}
        self._poll = select.poll()
        for fd in self._open:
            self._poll.register(fd, select.POLLIN)
        self._stopped: str | None = None
        self._kill_at: float | None = None
        self._wake_lock = threading.Lock()
        self._wake_fd: int | None = None

    def run(self) -> Exit:
        exit_fd = _exit_descriptor(self._process.pid)
        try:
            wake_read, wake_write = pipe()
        except OSError:
            os.close(exit_fd)
            raise
        self._wake_fd = wake_write
        try:
            self._poll.register(wake_read, select.POLLIN)
            self._poll.register(exit_fd, select.POLLIN)
            with self._context.calling(self._wake):
                self._wait(exit_fd, wake_read)
            self._poll.unregister(wake_read)
            self._poll.unregister(exit_fd)
        finally:
            with self._wake_lock:
                self._wake_fd = None
            for fd in (wake_read, wake_write, exit_fd):
                os.close(fd)
        if self._stopped is not None:
            _kill_group(self._process, signal.SIGKILL)
        self._read_the_rest()
        if self._limit is not None and self._open:
            # Somebody whom the process has started still holds its output; for a mere question that is not
            # wanted.
            _kill_group(self._process, signal.SIGKILL)
        status = self._process.wait()
        stdout, stderr = (b"" if each is None else bytes(each.data) for each in self._captures)
        if status < 0:
            return Exit(None, -status, stdout, stderr, self._stopped)
        return Exit(status, None, stdout, stderr, self._stopped)

    def _wake(self) -> None:
        # A cancellation may still be on its way here when the process has ended and the pipe is closed.
        with self._wake_lock:
            if self._wake_fd is not None:
                os.write(self._wake_fd, b"\0")

    def _wait(self, exit_fd: int, wake_fd: int) -> None:
        """Wait until the process has ended, and see to it that it does when it should."""
        while True:
            if self._stopped is None and self._context.reason is not None:
                self._stop(self._context.reason)
            now = time.monotonic()
            if self._kill_at is not None and now >= self._kill_at:
                _kill_group(self._process, signal.SIGKILL)
                self._kill_at = None
            if self._stopped is None:
                timeout = self._context.remaining()
            else:
                timeout = None if self._kill_at is None else self._kill_at - now
            ended = False
            for fd, _ in self._poll.poll(None if timeout is None else int(timeout * 1000) + 1):
                if fd == exit_fd:
                    ended = True
                elif fd == wake_fd:
                    self._poll.unregister(wake_fd)
                    self._poll.register(wake_fd, 0)
                else:
                    self._take(fd)
            if ended:
                return

    def _stop(self, why: str) -> None:
        self._stopped = why
        self._kill_at = time.monotonic() + self._grace
        _kill_group(self._process, signal.SIGTERM)

    def _take(self, fd: int) -> bool | None:
        capture = self._open[fd]
        there = capture.take()
        if there is False:
            self._poll.unregister(fd)
            del self._open[fd]
        elif capture.exceeded and self._limit is not None and self._stopped is None:
            self._stop(f"more than {self._limit} bytes of output")
        return there

    def _read_the_rest(self) -> None:
        began = time.monotonic()
        linger_until = began + (self._linger if self._stopped is None else 0.0)
        for fd in list(self._open):
            # Bounded, for somebody else may go on writing for ever.
            while time.monotonic() < began + LAST_READ_SECONDS and self._take(fd):
                continue
        while self._open and self._stopped is None and (left := linger_until - time.monotonic()) > 0:
            for fd, _ in self._poll.poll(int(left * 1000) + 1):
                self._take(fd)


def _exit_descriptor(pid: int) -> int:
    """Return a descriptor that becomes readable when the child has ended; the child is not reaped."""
    if hasattr(os, "pidfd_open"):
        with suppress(OSError):
            return above_standard(os.pidfd_open(pid))
    read, write = pipe()

    def wait() -> None:
        try:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        finally:
            os.close(write)

    threading.Thread(target=wait, name="plugsvc-wait", daemon=True).start()
    return read
