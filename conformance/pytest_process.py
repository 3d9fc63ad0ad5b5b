"""Starting pytest on the suite in a process of its own, and reading what comes of it as it comes."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import conformance
from conformance.drive.process import SAFE_PATH, describe_status
from conformance.fork import ForkedProcess
from conformance.outcomes import ExitCode
from conformance.settings import Plan

_PACKAGE = Path(conformance.__file__).parent
LAST = 4000
"""Characters of the output of pytest that a message about its failure has."""
HEEDING = 500
"""Milliseconds after which a wait for events looks for an interrupt."""


class PytestProcessError(Exception):
    """pytest ended without saying what came of the run; the text is what it printed last."""


class PytestProcess:
    """A running pytest; iterate over its events, then ask for its `exit_code`."""

    TIMEOUT = 10.0
    """Seconds that it has to end in order after an interrupt."""
    ENDING = 30.0
    """Seconds that it has to end by itself when it has told everything."""

    def __init__(self, process: subprocess.Popen[bytes] | ForkedProcess, events: int, output: Path) -> None:
        self._process = process
        self._events = events
        self._output = output
        self.finished: dict[str, Any] | None = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The rows, as they come."""
        for line in _lines(self._events):
            event = json.loads(line)
            if event.pop("event") == "finish":
                self.finished = event
            else:
                yield event

    def exit_code(self) -> int:
        """The exit status of the run, when its events have ended.

        Raises:
            PytestProcessError: pytest did not get to the end.
        """
        try:
            self._process.wait(self.ENDING)
        except subprocess.TimeoutExpired:
            self.stop()
        if self.finished is None or self.finished["exit"] not in list(ExitCode):
            raise PytestProcessError(self.printed())
        if self.finished["exit"] == ExitCode.USAGE:  # that of pytest for an interrupt, which was not ours
            raise PytestProcessError(f"pytest was interrupted\n{self.printed()}")
        return int(self.finished["exit"])

    def printed(self) -> str:
        """How pytest ended, and the last of what it printed; of interest when the harness failed."""
        status = self._process.returncode
        how = describe_status(status) if status is not None else "no status yet"
        if status == -signal.SIGKILL:
            how += ", which the kernel does when memory runs out"
        printed = self._output.read_text(encoding="utf-8", errors="replace").strip()[-LAST:]
        return f"pytest ended: {how}" + (f"; it printed last:\n{printed}" if printed else "; it printed nothing")

    def stop(self, timeout: float = TIMEOUT) -> None:
        """End it now: an interrupt, so that pytest ends what it has started, and death if that takes too long."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def start_pytest(
    plan: Plan, *, workers: str = "0", extra: Sequence[str] = (), fork: bool = False
) -> Iterator[PytestProcess]:
    """Run the suite as the plan says.

    ``workers`` is a number or ``auto`` (0: in one process); ``extra`` are further arguments for pytest. Other pytest
    plugins of the environment, its configuration files and environment variables are left out of it. ``fork`` makes a
    copy of this process, which must have one thread, instead of starting a new one: quicker by a second where this
    process has loaded pytest and the cases already.
    """
    with tempfile.TemporaryDirectory(prefix="conformance-run-") as folder:
        plan_file = Path(folder, "plan.json")
        plan_file.write_text(json.dumps(plan.to_json()), encoding="utf-8")
        read_end, write_end = os.pipe()
        words = [
            *("--pyargs", "conformance.cases", "-q", "--tb=short"),
            *("-c", str(_PACKAGE / "pytest.ini"), "--rootdir", str(_PACKAGE), "-p", "no:cacheprovider"),
            *("-p", "pytest_plugsvc_conformance"),
            *("--conformance-plan", str(plan_file), "--conformance-events", str(write_end)),
            *(("-p", "xdist.plugin", "-n", workers) if workers != "0" else ()),
            *extra,
        ]
        output = Path(folder, "output.txt")
        with output.open("wb") as printed:
            start = _forked if fork else _started
            process = start(words, printed.fileno(), write_end)
        os.close(write_end)
        running = PytestProcess(process, read_end, output)
        try:
            yield running
        finally:
            running.stop()


def _lines(descriptor: int) -> Generator[bytes]:
    """The lines that come on a descriptor, to its end; then it is closed.

    An interrupt does not wake a read that begins just after it was noted, nor one where another thread was chosen to
    note it; so no wait is long, and between two of them Python does what the interrupt asks for.
    """
    ready = select.poll()
    ready.register(descriptor, select.POLLIN)
    begun = b""
    with os.fdopen(descriptor, "rb", buffering=0) as events:
        while True:
            if not ready.poll(HEEDING):
                continue
            data = events.read(1 << 16)
            if not data:
                return
            *lines, begun = (begun + data).split(b"\n")
            yield from lines


def _environment() -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    # The workers of xdist are started without `-P`; the variable says the same to them.
    own = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONSAFEPATH": "1"}
    return {**env, **own, SAFE_PATH: os.environ.get("PYTHONSAFEPATH", "")}


def _started(words: Sequence[str], output: int, events: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "pytest", *words],  # -P: no module of the working folder comes first
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        pass_fds=[events],
        env=_environment(),
        start_new_session=True,  # Ctrl-C is ours: pytest gets exactly one interrupt, from `stop`
        preexec_fn=_heed_interrupts,
    )


def _heed_interrupts() -> None:
    # Who was started in the background of a shell ignores them, and would hand that down, to testees as well.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _forked(words: Sequence[str], output: int, events: int) -> ForkedProcess:
    import pytest

    def body() -> int:
        os.environ.clear()
        os.environ.update(_environment())
        return int(pytest.main(list(words)))

    return ForkedProcess(body, output)
