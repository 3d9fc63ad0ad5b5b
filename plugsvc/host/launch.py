"""What to start, how it is started, and how it ended."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Literal

from ..openers.descriptors import standard_reserved

__all__ = ["CAPTURE", "INHERIT", "Exit", "Launch", "OutputTarget", "start"]

CAPTURE: Literal["capture"] = "capture"
INHERIT: Literal["inherit"] = "inherit"

OutputTarget = Literal["capture", "inherit"] | int | IO[bytes] | IO[str]
"""Where output goes: kept (its end), to the host's own stream, or to a file or descriptor."""

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Launch:
    """What to start, as an executor sees it.

    `argv`: program and arguments. `pass_fds`: descriptors that the process needs, under the same numbers.
    `env`: the whole environment, None for the host's. `stdin`: None for the null device. `on_start` is called
    once, right after the start, also by an executor that starts the process in its own way. `die_with_host`: the
    kernel kills the process when the host dies, see `execute`.
    """

    argv: tuple[str, ...]
    pass_fds: tuple[int, ...] = ()
    env: Mapping[str, str] | None = None
    cwd: str | os.PathLike[str] | None = None
    stdin: int | IO[bytes] | IO[str] | None = None
    stdout: OutputTarget = CAPTURE
    stderr: OutputTarget = CAPTURE
    on_start: Callable[[], None] = field(default=lambda: None)
    die_with_host: bool = False


@dataclass(frozen=True)
class Exit:
    """How a process ended.

    `status`: its exit status, None after a signal. `signal`: that signal's number, else None. Both are None when the
    status is lost, because something else in this program has waited for the process. `stdout`, `stderr`: the end of
    what it wrote there, as far as that was captured. `stopped`: why the host ended it, None when it ended by itself.
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
        if self.status is None:
            return (
                "ended with an unknown status: this program ignores SIGCHLD,"
                " or another part of it has waited for the process"
            )
        return f"ended with status {self.status}"


def signal_name(number: int) -> str:
    """Return `signal 9 (SIGKILL)`."""
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


class _Process(subprocess.Popen[bytes]):
    """A process that `Child` waits for."""

    def __init__(self, *args: Any, **options: Any) -> None:
        try:
            super().__init__(*args, **options)
        except BaseException:
            # Popen waits for a child that could not execute the program, but not where reading the child's report
            # failed: then the program may be running.
            if getattr(self, "pid", None) is not None and self.returncode is None:
                with contextlib.suppress(OSError):
                    os.killpg(self.pid, signal.SIGKILL)
                with contextlib.suppress(OSError):
                    os.kill(self.pid, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(self.pid, 0)
            raise

    def __del__(self, *unused: object) -> None:
        # Popen waits here for the process ID, which may belong to another process by now.
        pass


def start(launch: Launch) -> subprocess.Popen[bytes]:
    """Start the process in a session of its own. Raises `OSError`."""
    try:
        with standard_reserved():
            return _Process(
                launch.argv,
                stdin=subprocess.DEVNULL if launch.stdin is None else launch.stdin,
                stdout=_target(launch.stdout, 1),
                stderr=_target(launch.stderr, 2),
                cwd=launch.cwd,
                env=None if launch.env is None else dict(launch.env),
                pass_fds=launch.pass_fds,
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()) if launch.die_with_host else None,
            )
    except ValueError as error:
        # A null character or a lone surrogate in an argument, a name or a value of the environment.
        raise OSError(errno.EINVAL, str(error)) from error


def _target(target: OutputTarget, number: int) -> int | IO[bytes] | IO[str] | None:
    if target == CAPTURE:
        return subprocess.PIPE
    if target != INHERIT:
        return target
    try:
        return None if os.get_inheritable(number) else subprocess.DEVNULL
    except OSError:
        return subprocess.DEVNULL  # closed, as in a daemon: a process expects standard streams


def _die_with(parent: int) -> Callable[[], None]:
    """Return a function that is called in the new process, before it executes the program."""
    import ctypes  # not for hosts that do without

    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def set_signal() -> None:
        # Nothing but a system call: other threads' locks may be held for ever in this copy of the program.
        prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)  # the host has died before

    return set_signal
