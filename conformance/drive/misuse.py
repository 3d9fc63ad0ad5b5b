"""A misuse under test: the testee commits it in a process of its own and must be refused."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

from conformance.drive.capabilities import Testee
from conformance.drive.process import Child, describe_status
from conformance.drive.session import Session
from conformance.outcomes import Failure, HarnessError, Unsupported
from conformance.requirements import Side

ACCIDENTS = (
    r"ModuleNotFoundError|ImportError|SyntaxError|IndentationError|NameError|ReferenceError|AttributeError",
    r"index out of range|slice bounds|IndexError|KeyError|IndexOutOfBounds|NullPointerException",
    r"invalid memory address|nil pointer dereference|segmentation|Cannot read propert|has no attribute",
    r"Cannot find module|command not found|No such file or directory|NoClassDefFound|ClassNotFound",
    r"(?i)\busage:|\b(unknown|no such|unsupported) (kind|misuse|command)|\bno misuse\b",
    r"(?i)not (yet )?implemented|assertion failed|AssertionError|KeyboardInterrupt|out of memory|MemoryError",
)
"""Messages of something that went wrong by itself; none of them refuses anything."""

_FRAME = re.compile(
    r"^(\s|goroutine \d|created by |File |at |exit status|\S+\.go:\d|file://|node:|\S+\(.*\)$|\[signal )"
)
_CLASS = re.compile(
    r"^(uncaught |fatal |unhandled |thread \S+ |exception in thread \S+ )*[\w.$]*(panic|error|exception)\b", re.I
)


class MisuseSession(Session):
    """One run of ``TESTEE conformance-panic KIND``."""

    def __init__(self, testee: Testee, kind: str, *, timeout: float = 10.0) -> None:
        super().__init__(timeout=timeout)
        role = testee.role(Side.MISUSE)
        if role is None:
            raise HarnessError("the testee has no command for misuse")
        self.kind = kind
        self._declared = role.kinds
        self.started = Child(self.pump, [*testee.argv, *role.path, kind])
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

    def refused(self, says: str, *patterns: str) -> str:
        """Expect the misuse to be refused with a message that ``says`` what is wrong; returns it.

        Every one of ``patterns``, generous as to the words, must be found in it.

        Raises:
            Unsupported: the testee does not declare the kind, or says that its language rules it out.
            Failure: the misuse was let pass, or what ended the process was something else than a refusal.
        """
        if self.kind not in self._declared:
            raise Unsupported(f"the testee does not declare the misuse {self.kind}")
        status, stdout, stderr = self.finish()
        if status == 0 and stdout.startswith("unsupported:"):
            raise Unsupported(f"the testee says: {stdout.removeprefix('unsupported:').strip()}")
        if "survived" in stdout:
            raise Failure(
                f"the misuse {self.kind} was let pass", expected="a refusal", seen=f"{stdout.strip()[:200]!r}"
            )
        expected = "a status other than 0, and a message on standard error"
        if status == 0:
            raise Failure(f"the misuse {self.kind} ended with exit 0", expected=expected, seen=repr(stdout[:200]))
        if status < 0 and status != -signal.SIGABRT:  # some languages end that way when nobody handles an exception
            raise Failure(f"the misuse {self.kind} killed the process", expected=expected, seen=describe_status(status))
        message = message_of(stderr)
        if not message:
            raise Failure(
                f"the misuse {self.kind} was refused without a word", expected=expected, seen=repr(stderr[:200])
            )
        self._judge(message, says, patterns)
        return message

    def _judge(self, message: str, says: str, patterns: Sequence[str]) -> None:
        for pattern in ACCIDENTS:
            if re.search(pattern, message):
                raise Failure(
                    f"the process of the misuse {self.kind} failed by accident",
                    expected=f"a message that says {says}",
                    seen=message[:300],
                )
        words = "\n".join(_CLASS.sub("", line).lstrip(": ") for line in message.splitlines())
        for pattern in patterns:
            if not re.search(pattern, words, re.IGNORECASE):
                raise Failure(
                    f"the refusal of {self.kind} does not name what is wrong",
                    expected=f"a message that says {says}",
                    seen=message[:300],
                )


def message_of(stderr: str) -> str:
    """What a process that ended by an exception or a panic says, without the stack that its runtime prints."""
    last = stderr.rpartition("Traceback (most recent call last):")[2]
    lines = [line for line in last.splitlines() if line.strip() and not _FRAME.match(line)]
    panics = [line for line in lines if line.startswith("panic:")]
    return "\n".join(panics or lines)
