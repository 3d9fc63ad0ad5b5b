"""Processes under test: started in a session of their own, watched, and never left behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance.drive.pump import Pump

_PR_SET_CHILD_SUBREAPER = 36
TAIL = 1 << 16


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


def become_subreaper() -> None:
    """Adopt orphaned descendants, so that whatever a testee leaves behind can be found and killed (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


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
        _known.add(self.pid)
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
        self._unwatch()
        self.status = self._popen.wait()

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
        self._unwatch()
        if self.status is None:
            self.status = self._popen.wait(timeout=30)
        _known.discard(self.pid)


def kill_leftovers() -> list[str]:
    """Kill and reap what a testee left behind (`become_subreaper` made it ours); the commands of what was found."""
    found: list[str] = []
    me = os.getpid()
    for _ in range(100):
        children = _children(me)
        orphans = [pid for pid in children if pid not in _known]
        if not orphans:
            break
        for pid in orphans:
            try:
                found.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (OSError, ChildProcessError):
                continue
    return [command for command in found if command]


_known: set[int] = set()
"""Children that `kill_leftovers` spares: running testees, and what is none of the suite's business."""


def protect_children() -> None:
    """Remember the children that exist now as none of the suite's business."""
    _known.update(_children(os.getpid()))


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found.extend(int(word) for word in (task / "children").read_text().split())
        except OSError:
            continue
    return found


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _cpu_ticks(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[11]) + int(fields[12])
