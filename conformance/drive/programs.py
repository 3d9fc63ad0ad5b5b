"""Running a program to its end, with a bound on its time and on what it prints."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from conformance.drive.contain import contained
from conformance.drive.process import Child
from conformance.drive.pump import Pump

LIMIT = 1 << 20
"""Bytes of standard output that a program may print."""
REST = 1.0
"""Seconds for the last of its output to come, after its end, where a child of it keeps standard output open."""


@dataclass(frozen=True)
class Ran:
    """What a program did: its status, None if it did not end in time; ``too_much`` if it printed over the limit."""

    status: int | None
    stdout: bytes
    stderr: str
    too_much: bool


def run_program(argv: Sequence[str], *, timeout: float, data: bytes = b"") -> Ran:
    """Run a program with ``data`` as its standard input, for ``timeout`` seconds at most; nothing of it is left.

    It has ended when its process has, whoever else holds its standard output.

    Raises:
        OSError: it cannot be started.
    """
    pump = Pump()
    printed = bytearray()
    reader, writer = os.pipe()
    with contained():
        try:
            child = Child(pump, argv, stdin=reader)
        except BaseException:
            os.close(writer)
            pump.close()
            raise
        finally:
            os.close(reader)
        input_ = pump.write(writer)
        input_.put(data)
        output = pump.read(child.stdout_fd, printed.extend)

        def over() -> bool:
            if not input_.queue:
                pump.release(input_)
            return child.ended or len(printed) > LIMIT

        try:
            if pump.until(over, time.monotonic() + timeout) and child.ended:
                pump.until(lambda: output.eof or len(printed) > LIMIT, time.monotonic() + REST)
            status = child.status
        finally:
            child.kill()
            pump.close()
    return Ran(status, bytes(printed[:LIMIT]), child.stderr.text(), len(printed) > LIMIT)


def why_not_started(path: str, error: OSError) -> str:
    """Why the kernel did not start a program; of a script, what is wrong with its first line."""
    return wrong_first_line(path) or (error.strerror or str(error))


def wrong_first_line(path: str) -> str:
    """What is wrong with the first line of a script, or nothing; for a program that did not start."""
    try:
        with open(path, "rb") as file:
            line = file.readline(4096)
    except OSError:
        return ""
    if not line.startswith(b"#!"):
        return ""
    if line.endswith(b"\r\n"):
        return "its first line ends with CR LF, and the CR belongs to the name of the interpreter: write LF alone"
    interpreter = os.fsdecode(line[2:].split(maxsplit=1)[0] if line[2:].strip() else b"")
    return f"its interpreter {interpreter} does not exist" if not os.path.exists(interpreter) else ""
