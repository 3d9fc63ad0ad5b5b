"""Processes under test: started in a session of their own, watched, and never left behind."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance.drive.pump import Pump
from conformance.outcomes import HarnessError

TAIL = 1 << 16
SAFE_PATH = "CONFORMANCE_PYTHONSAFEPATH"
"""The variable that keeps the user's PYTHONSAFEPATH, empty for none, where the suite has set one of its own."""


class Tail:
    """The beginning and the end of a stream of text, bounded."""

    def __init__(self, limit: int = TAIL) -> None:
        self._limit = limit
        self._data = bytearray()
        self.total = 0

    def add(self, data: bytes) -> None:
        """Take more of the stream."""
        self.total += len(data)
        self._data += data
        if len(self._data) > 2 * self._limit:
            del self._data[: -self._limit]

    def text(self) -> str:
        """What is kept of it, undecodable bytes escaped."""
        kept = bytes(self._data[-self._limit :]).decode("utf-8", "backslashreplace")
        return kept if self.total <= self._limit else f"… ({self.total} bytes in all)\n{kept}"


def describe_status(status: int) -> str:
    """An exit status as a person says it: ``exit 3`` or ``killed by SIGSEGV``."""
    if status >= 0:
        return f"exit {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a testee: the suite's own, less what belongs to the suite, with stack dumps switched on."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "CONFORMANCE_"))}
    if SAFE_PATH in os.environ:  # set for the suite's own processes; the testee gets what the user has set
        env["PYTHONSAFEPATH"] = os.environ[SAFE_PATH]
        if not env["PYTHONSAFEPATH"]:
            del env["PYTHONSAFEPATH"]
    env.setdefault("PYTHONFAULTHANDLER", "1")
    env.update(extra or {})
    return env


class Child:
    """A process under test and its standard streams, on a pump.

    Standard error (and standard output, unless somebody reads it) is kept for the report. ``stdout`` is given where
    standard output is not for the suite at all.
    """

    def __init__(
        self,
        pump: Pump,
        argv: Sequence[str],
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
        pass_fds: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> None:
        self._pump = pump
        self.argv = list(argv)
        self.stderr, self.stdout = Tail(), Tail()
        self.status: int | None = None
        self._popen = subprocess.Popen(
            self.argv,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            pass_fds=pass_fds,
            env=environment(env),
            cwd=cwd,
            start_new_session=True,
        )
        self.pid = self._popen.pid
        resource.prlimit(self.pid, resource.RLIMIT_CORE, (0, 0))
        assert self._popen.stderr is not None
        self.stdout_fd = -1
        if self._popen.stdout is not None:
            self.stdout_fd = os.dup(self._popen.stdout.fileno())
            self._popen.stdout.close()
        self.stdin_fd = -1
        if self._popen.stdin is not None:
            self.stdin_fd = os.dup(self._popen.stdin.fileno())
            self._popen.stdin.close()
        stderr_fd = os.dup(self._popen.stderr.fileno())
        self._popen.stderr.close()
        self.stderr_channel = pump.read(stderr_fd, self.stderr.add)
        self._pidfd = os.pidfd_open(self.pid)
        pump.watch(self._pidfd, self._ended)

    def keep_stdout(self) -> None:
        """Nobody interprets standard output: keep it for the report."""
        self.stdout_channel = self._pump.read(self.stdout_fd, self.stdout.add)

    def _ended(self) -> None:
        self.status = self._reap()
        self._unwatch()

    def _reap(self) -> int:
        """The exit status, negative for a signal, of a process that has ended.

        Raises:
            HarnessError: somebody else in this process has taken it.
        """
        try:
            ended = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            self._popen.returncode = 0  # there is nothing left to wait for
            self._unwatch()
            raise HarnessError(
                f"the exit status of process {self.pid} is lost: something in the process of the suite waits for any"
                " child, or SIGCHLD is ignored"
            ) from None
        assert ended is not None
        self._popen.wait()
        return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status

    def _unwatch(self) -> None:
        if self._pidfd >= 0:
            self._pump.unwatch(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1

    @property
    def ended(self) -> bool:
        """Whether the process has ended; its status is known then."""
        return self.status is not None

    def state(self) -> str:
        """One line on what the process is doing, for the report of a hang."""
        if self.ended:
            return describe_status(self.status or 0)
        try:
            before = _cpu_ticks(self.pid)
            began = time.monotonic()
            self._pump.until(lambda: self.ended, began + 0.2)
            ticks = _cpu_ticks(self.pid) - before
            letter = _stat(self.pid)[0]
        except (OSError, IndexError):
            return "gone"
        share = 100 * ticks / os.sysconf("SC_CLK_TCK") / (time.monotonic() - began)
        threads = len(list(Path(f"/proc/{self.pid}/task").iterdir()))
        return f"alive (state {letter}, {share:.0f} % CPU, {threads} threads)"

    def cpu_seconds(self) -> float:
        """The CPU time that the process has taken so far; unlike the time on the wall no other process adds to it."""
        return _cpu_ticks(self.pid) / os.sysconf("SC_CLK_TCK")

    def send_signal(self, name: str) -> None:
        """Send a signal to the process itself, not to its children; that it has ended is for the next wait to say."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, getattr(signal, name))

    def descriptors(self) -> list[str]:
        """What the process has open, by the names of the kernel."""
        found = []
        for path in Path(f"/proc/{self.pid}/fd").iterdir():
            try:
                found.append(os.readlink(path))
            except FileNotFoundError:  # closed in the meantime
                continue
        return sorted(found)

    def seconds(self) -> float:
        """Processor time that the process has used so far."""
        return _cpu_ticks(self.pid) / os.sysconf("SC_CLK_TCK")

    def has_terminal(self) -> bool:
        """Whether the process has a controlling terminal."""
        return _stat(self.pid)[4] != "0"

    def dump_stacks(self) -> str:
        """Ask the runtime for the stacks of all threads (SIGABRT) and take what it prints; the process dies of it."""
        if self.ended:
            return ""
        before = self.stderr.total
        self._signal(signal.SIGABRT)
        self._pump.until(lambda: self.ended and self.stderr_channel.eof, time.monotonic() + 1.0)
        printed = self.stderr.total - before
        return self.stderr.text()[-printed:] if printed else ""

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass

    def kill(self) -> None:
        """Kill the process group, and reap it."""
        self._signal(signal.SIGKILL)
        if self.status is None and self._pidfd >= 0:
            self.status = self._reap()
        self._unwatch()


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _cpu_ticks(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[11]) + int(fields[12])
