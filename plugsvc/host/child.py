"""A child process that is signalled and waited for through its pidfd, never by a number that may be reused."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading
from contextlib import suppress

from ..openers.descriptors import above_standard, pipe

__all__ = ["Child"]

PIDFD_SIGNAL_PROCESS_GROUP = 4
"""A flag of pidfd_send_signal(2), since Linux 6.9; Python has no name for it."""

NO_PIDFD = (errno.ENOSYS, errno.EPERM, errno.EACCES, errno.EINVAL)
"""What pidfd_open(2) fails with on old kernels and in sandboxes that do not allow it."""


class Child:
    """A process that was started in a session of its own.

    Another part of this program may wait for any child, and where SIGCHLD is ignored the kernel does so by itself. Then
    the exit status is lost, and the process ID may belong to another process. So a child is known by its pidfd. Where
    the system has none, it is known by its process ID, and checked before each signal.

    `exit_fd` is a descriptor that becomes readable when the process has ended. Call `reap` and then `close`.
    """

    exit_fd: int

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """Take over a process that was just started. Raises `OSError`, and the process is killed, when no descriptor
        is available.
        """
        self._process = process
        self._reaped = False
        self._idtype, self._id = os.P_PID, process.pid
        try:
            self.exit_fd = self._open()
            # A process that has ended and was waited for by somebody else may have lost its ID to another process
            # before the pidfd was opened. That one is not a child of this process, which this check finds out.
            self._lost = not self._is_waitable()
        except BaseException:
            # `poll` makes sure that the process was not waited for.
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            raise

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the process and its group, as far as they still exist."""
        if self._lost or self._reaped:
            return
        with suppress(ProcessLookupError, PermissionError):
            if self._idtype == os.P_PIDFD:
                try:
                    signal.pidfd_send_signal(self.exit_fd, number, None, PIDFD_SIGNAL_PROCESS_GROUP)
                    return
                except OSError as error:
                    if error.errno != errno.EINVAL:
                        raise
            # Until the process is reaped, its ID and that of its group are not reused.
            if self._is_waitable():
                os.killpg(self._process.pid, number)

    def reap(self) -> int | None:
        """Wait for the process; return its exit status, minus a signal's number, or None.

        None means that the status is lost: somebody else has waited for the process.
        """
        status = None
        if not self._lost:
            with suppress(ChildProcessError):
                info = os.waitid(self._idtype, self._id, os.WEXITED)
                assert info is not None
                status = info.si_status if info.si_code == os.CLD_EXITED else -info.si_status
        self._reaped = True
        # So that Popen does not wait for the process ID.
        self._process.returncode = -1 if status is None else status
        return status

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.exit_fd)

    def _open(self) -> int:
        if hasattr(os, "pidfd_open"):
            try:
                fd = above_standard(os.pidfd_open(self._process.pid))
            except ProcessLookupError:
                pass  # it has ended, and somebody else has waited for it
            except OSError as error:
                if error.errno not in NO_PIDFD:
                    raise
            else:
                self._idtype, self._id = os.P_PIDFD, fd
                return fd
        return _exit_pipe(self._process.pid)

    def _is_waitable(self) -> bool:
        """Return whether the process runs, or has ended and nobody has waited for it."""
        try:
            os.waitid(self._idtype, self._id, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return True


def _exit_pipe(pid: int) -> int:
    """Return a pipe's end that becomes readable when the process has ended; the process is not reaped."""
    read, write = pipe()

    def wait() -> None:
        try:
            with suppress(ChildProcessError):
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        finally:
            os.close(write)

    try:
        threading.Thread(target=wait, name="plugsvc-wait", daemon=True).start()
    except BaseException:
        os.close(read)
        os.close(write)
        raise
    return read
