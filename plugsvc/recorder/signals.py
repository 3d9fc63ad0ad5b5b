"""Signals of a recorder: what it gets, its plugin gets; and it ends by the signal that its plugin ended by."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from ..openers.descriptors import pipe
from .recording import RecordingWriter

__all__ = ["Signals", "end_as", "end_with_parent"]

PASSED_ON = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGWINCH,
)
PR_SET_PDEATHSIG = 1


class Signals:
    """Collects signals from now on. `fd` is readable when one has come, a child has ended, or after `wake`."""

    fd: int

    def __init__(self) -> None:
        self.fd, self._write = pipe()
        for end in (self.fd, self._write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in (*PASSED_ON, signal.SIGCHLD):
            # What is ignored (nohup does so) stays ignored, here and in the plugin.
            if number == signal.SIGCHLD or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, lambda number, frame: None)

    def wake(self) -> None:
        """Make `fd` readable; from any thread."""
        with suppress(BlockingIOError):
            os.write(self._write, b"\0")

    def pass_on(self, process: subprocess.Popen[bytes], recording: RecordingWriter) -> None:
        """Send the plugin what has come."""
        with suppress(BlockingIOError):
            for number in os.read(self.fd, 4096):
                if number in PASSED_ON and process.returncode is None:
                    recording.event("signal", number=number)
                    process.send_signal(number)


def end_with_parent() -> Callable[[], None]:
    """Return a function for the new process: when the recorder dies, the kernel kills the plugin (Linux only)."""
    parent = os.getpid()
    if sys.platform != "linux":
        return lambda: None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def set_signal() -> None:
        prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return set_signal


def end_as(status: int) -> NoReturn:
    """End this process as another one has ended, `status` being what `Popen.returncode` says; without a core dump."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    if status < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -status not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status & 0xFF)
