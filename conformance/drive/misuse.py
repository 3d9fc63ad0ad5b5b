"""A misuse under test: the testee commits it in a process of its own and must be refused."""

from __future__ import annotations

from conformance.drive.capabilities import Testee
from conformance.drive.process import Child
from conformance.drive.session import Session
from conformance.outcomes import HarnessError
from conformance.requirements import Side


class MisuseSession(Session):
    """One run of ``TESTEE conformance-panic KIND``."""

    def __init__(self, testee: Testee, kind: str, *, patience: float = 10.0) -> None:
        super().__init__(patience=patience)
        role = testee.role(Side.MISUSE)
        if role is None:
            raise HarnessError("the testee has no command for misuse")
        self.child = Child(self.pump, [*testee.argv, *role.path, kind])
        self.child.keep_stdout()

    def finish(self) -> tuple[int, str, str]:
        """Exit status (negative for a signal), standard output and standard error of the whole run."""
        child = self.child
        assert child is not None
        self.wait(
            lambda: child.ended and child.stderr_channel.eof and child.stdout_channel.eof,
            "the end of the misuse",
            may_end=True,
        )
        return child.status or 0, child.stdout.text(), child.stderr.text()
