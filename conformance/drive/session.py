"""What both kinds of session share: waiting under a deadline, and saying who owed what."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from conformance.drive.process import Child, describe_status
from conformance.drive.pump import Pump
from conformance.drive.wire import WireEnd
from conformance.outcomes import Crash, Failure, HarnessError, Timeout


class Session:
    """A testee's process, one connection with it, and the timeout of each wait.

    ``timeout`` is in seconds and bounds every single wait; ``scale`` multiplies the sizes of large cases.
    """

    def __init__(self, *, timeout: float, scale: float = 1.0) -> None:
        self.timeout = timeout
        self.scale = scale
        self.pump = Pump()
        self.wire = WireEnd(self.pump)
        self.started: Child | None = None
        self.stacks = ""
        self.expected_end = False
        self.spent = False  # its connection has ended, rightly: another example needs another process

    @property
    def child(self) -> Child:
        """The testee's process.

        Raises:
            HarnessError: it was not started.
        """
        if self.started is None:
            raise HarnessError("the testee was not started")
        return self.started

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def cpu_time(self) -> float:
        """Seconds of processor time that the testee's process has used, to the microsecond."""
        assert self.child is not None
        if self.child.ended:
            return self.child.cpu_seconds()
        return time.clock_gettime(~self.child.pid << 3 | _CPUCLOCK_SCHED)

    def wait(
        self,
        done: Callable[[], bool],
        what: str,
        *,
        timeout: float | None = None,
        may_end: bool = False,
        owed_by: str = "the testee",
        waited: float = 0.0,
    ) -> None:
        """Wait until ``done()``; ``waited`` is how many seconds the caller has waited for it already.

        Raises:
            Timeout: the time is up; says what was awaited and what the process was doing.
            Crash: the process ended before (unless it ``may_end``).
            Failure: the testee wrote something on the connection that is no message.
        """
        limit = self.timeout if timeout is None else timeout
        child = self.started

        def over() -> bool:
            ended = not may_end and child is not None and child.ended and self._drained()
            return done() or bool(self.wire.broken) or ended

        in_time = self.pump.until(over, self.now() + limit)
        if done():
            return
        if self.wire.broken:
            raise Failure("the testee wrote something that is no message", seen=self.wire.broken)
        if in_time and child is not None:
            raise Crash(
                f"the testee's process ended while {what} was awaited",
                expected=what,
                seen=describe_status(child.status or 0),
                note=_last_lines(child.stderr.text()),
            )
        state = child.state() if child is not None else "not started"
        if child is not None and not self.stacks:
            self.stacks = child.dump_stacks()
        raise Timeout(
            f"{owed_by} did not deliver {what} within {waited + limit:g} s",
            expected=what,
            seen=f"nothing; the process is {state}",
        )

    def stays(self, still: Callable[[], bool], seconds: float) -> bool:
        """Whether something stays true for a while; for what must *not* happen."""
        return not self.pump.until(lambda: not still(), self.now() + seconds)

    def look_for(self, done: Callable[[], bool], seconds: float | None = None) -> bool:
        """Whether something comes true in time that happens outside of the pump, and has to be looked for."""
        deadline = self.now() + (self.timeout if seconds is None else seconds)
        while not done() and self.now() < deadline:
            self.pump.until(lambda: False, self.now() + 0.002)
        return done()

    def _drained(self) -> bool:
        return self.started is None or self.started.stderr_channel.eof

    def send(self, data: bytes, *, wait: bool = True) -> None:
        """Write raw bytes to the testee; waits until they have left, or cannot leave any more."""
        self.wire.put(data)
        if wait and not self.wire.flush():
            self.wait(lambda: self.wire.written, f"the reading of {len(data)} bytes", may_end=True)

    def deliver(self, data: bytes) -> None:
        """Write raw bytes and wait until the testee has read them: what follows comes with another read."""
        self.send(data)
        deadline, tries = self.now() + self.timeout, 0
        while self.wire.unread:
            tries += 1
            if tries < 100:
                os.sched_yield()
            elif self.now() < deadline and not (self.started and self.started.ended):
                self.pump.until(lambda: False, self.now() + 0.001)
            else:
                what = f"the reading of {len(data)} bytes"
                self.wait(lambda: not self.wire.unread, what, timeout=0, waited=self.timeout)
        if self.wire.unread is None:
            self.pump.until(lambda: False, self.now() + 0.002)

    def wait_for_bytes(self, count: int, what: str) -> None:
        """Wait until ``count`` bytes have come since the start, or a whole message has."""
        self.wait(lambda: self.wire.received >= count or bool(self.wire.frames), what)

    def read_slowly(self, times: int) -> None:
        """Read a few kilobytes so many times, with time after each to fill what became free; then the rest."""
        self.wire.slow_reads(4093)
        for number in range(times):
            if self.wire.frames:
                break
            self.wire.hold(False)
            self.wait_for_bytes(self.wire.received + 1, f"slow read {number}")
            self.wire.hold(True)
            self.stays(lambda: True, 0.002)
        self.wire.hold(False)

    def eof(self, what: str = "end of file on the connection") -> None:
        """Wait until the testee has closed its writing end."""
        self.wait(lambda: self.wire.eof, what, may_end=True)

    def forget(self) -> None:
        """Forget what has crossed the wire: another example begins on the same process."""
        self.wire.log.clear()
        self.wire.between.clear()

    def unwritable(self, why: str) -> None:
        """Check that what the suite goes on to write is refused: the testee has closed the end that it reads from."""

        def refused() -> bool:
            self.wire.put(b" " * 1024)
            return self.wire.write_error is not None

        if not self.look_for(refused):
            raise Failure(
                f"{why}, and the testee does not close the end that it reads from",
                expected="writes that fail",
                seen="a connection that takes bytes which nobody reads",
            )

    def close(self) -> None:
        """Kill and reap the testee, close every descriptor."""
        if self.started is not None:
            self.started.kill()
        self.pump.close()


_CPUCLOCK_SCHED = 2
"""The kernel's number for the clock of a process (``clock_getcpuclockid``, which Python has for threads only)."""


def _last_lines(text: str, count: int = 12) -> str:
    return "\n".join(text.strip().splitlines()[-count:])
