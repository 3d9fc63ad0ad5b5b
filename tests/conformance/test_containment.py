"""What a testee leaves behind, prints without end or keeps to itself, and processes that take its status away."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conformance.drive import capabilities
from conformance.drive.capabilities import load
from conformance.drive.contain import contained
from conformance.drive.control import Lines
from conformance.drive.process import Child, environment
from conformance.drive.programs import run_program, wrong_first_line
from conformance.drive.pump import Pump
from conformance.outcomes import Failure, HarnessError
from tests.conformance import bad_testees
from tests.conformance.foreign import COMMAND, ONE_CASE, SCRIPT, run

REFERENCE = f"exec {shlex.quote(sys.executable)} -P -m conformance.reference"
DAEMON = "setsid sh -c 'echo $$ >> {file}; exec sleep 300' {out} &"


def script(folder: Path, text: str) -> str:
    """A testee that is a shell script."""
    path = folder / "testee.sh"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def alive(file: Path) -> list[int]:
    """The processes of a list that are still there."""
    found = []
    for word in file.read_text().split():
        try:
            state = Path(f"/proc/{word}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        found += [int(word)] if state != "Z" else []
    return found


@pytest.mark.parametrize("start", [COMMAND, [*SCRIPT, *ONE_CASE[:2]]])
def test_a_parent_that_ignores_sigchld(start: list[str], tmp_path: Path) -> None:
    prefix = "--" if start == COMMAND else "--conformance-"
    words = [*start, f"{prefix}case", "plugin/ends/exit-status", f"{prefix}case", "host/ends/success"]
    code = f"import os, signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv({words[0]!r}, {words!r})"
    done = run(tmp_path, sys.executable, "-c", code)
    assert done.status == 0, done.output


def test_a_handler_that_reaps_every_child_is_set_aside() -> None:
    def reap(*_: object) -> None:
        while True:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    return
            except ChildProcessError:
                return

    before = signal.signal(signal.SIGCHLD, reap)
    try:
        with contained():
            assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL
            assert run_program(["sh", "-c", "exit 3"], timeout=30).status == 3
        assert signal.getsignal(signal.SIGCHLD) is reap
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_status_that_somebody_else_has_taken_is_no_fault_of_the_testee() -> None:
    pump = Pump()
    child = Child(pump, ["sh", "-c", "exit 3"])
    os.waitpid(child.pid, 0)
    with pytest.raises(HarnessError, match=rf"^the exit status of process {child.pid} is lost"):
        pump.until(lambda: child.ended, time.monotonic() + 30)
    child.kill()
    pump.close()


def test_info_that_leaves_a_child_with_its_standard_output(tmp_path: Path) -> None:
    left = tmp_path / "left"
    command = script(tmp_path, f'[ "$1" = info ] && {DAEMON.format(file=left, out="")}\n{REFERENCE} "$@"')
    began = time.monotonic()
    assert load(command).name == "plugsvc-reference"
    assert time.monotonic() - began < 20
    assert alive(left) == []


@pytest.mark.parametrize("start", [[*COMMAND, "--testee"], [*SCRIPT, *ONE_CASE, "--conformance-testee"]])
def test_children_in_sessions_of_their_own_do_not_outlive_the_suite(start: list[str], tmp_path: Path) -> None:
    left = tmp_path / "left"
    daemon = DAEMON.format(file=left, out=">/dev/null 2>&1")
    command = script(tmp_path, f'{daemon}\n{REFERENCE} "$@"')
    words = ["--case", "plugin/requests/call"] if start[0] == COMMAND[0] else []
    done = run(tmp_path, *start, command, *words)
    assert done.status == 0, done.output
    assert len(left.read_text().split()) >= 4  # of `info`, of three sides at the start, of the case
    assert alive(left) == []


def test_processes_of_the_user_are_spared() -> None:
    theirs = subprocess.Popen(["sleep", "300"], start_new_session=True)
    try:
        with contained():
            left = subprocess.Popen(["sleep", "300"], start_new_session=True)
        assert theirs.poll() is None
        left.returncode = 0
        assert not Path(f"/proc/{left.pid}").exists()
    finally:
        theirs.kill()
        theirs.wait()


def test_info_that_prints_without_end() -> None:
    with pytest.raises(capabilities.TesteeError, match=r"yes: `info` printed more than 1 MiB$"):
        load("yes")


ENDLESS = """
    for line in sys.stdin:
        order = json.loads(line)
        while order["op"] == "call":
            os.write(1, b"x" * 65536)
        print(json.dumps({"id": order["id"], "unsupported": "?"}), flush=True)
"""


def test_an_outcome_that_has_no_end(tmp_path: Path) -> None:
    command = bad_testees.write(tmp_path, bad_testees.manifest(), ENDLESS)
    done = run(tmp_path, *COMMAND, "--testee", command, "--case", "plugin/requests/call", "--scale", "0.001")
    assert done.status == 1, done.output
    assert "the testee printed an outcome line that is too long" in done.output
    assert "expected: a line feed within 134217728 bytes" in done.output


def test_lines_of_outcomes_are_bounded() -> None:
    lines = Lines(4)
    assert lines.feed(b"1234\n12") == [b"1234"]
    assert lines.feed(b"34") == []
    assert lines.feed(b"\n\n1234\n") == [b"1234", b"", b"1234"]
    assert lines.feed(b"ab") == []
    with pytest.raises(Failure, match=r"too long") as caught:
        lines.feed(b"cde")
    assert caught.value.expected == "a line feed within 4 bytes"
    assert caught.value.seen == "5 bytes without one, which begin with b'ab'"


def test_info_that_does_not_end(tmp_path: Path) -> None:
    with pytest.raises(capabilities.TesteeError, match=r": `info` did not end within 0\.5 s$"):
        load(script(tmp_path, "exec sleep 300"), timeout=0.5)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"#!/bin/sh\r\n", "cannot be started: its first line ends with CR LF"),
        (b"#!/usr/bin/env python3\r\n", "`info` ended with exit 127: its first line ends with CR LF"),
        (b"#!/no/such/interpreter -x\n", "cannot be started: its interpreter /no/such/interpreter does not exist"),
    ],
)
def test_a_script_that_has_no_interpreter(line: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "testee"
    path.write_bytes(line + b"exit 0\r\n")
    path.chmod(0o755)
    with pytest.raises(capabilities.TesteeError) as caught:
        load(str(path))
    assert str(caught.value).startswith(f"{path}: {says}")


def test_first_lines_that_are_right(tmp_path: Path) -> None:
    for text in ("#!/bin/sh\n", "#!\n", "no script", ""):
        (tmp_path / "x").write_text(text)
        assert wrong_first_line(str(tmp_path / "x")) in ("", "its interpreter  does not exist")
    assert wrong_first_line("/no/such/file") == ""


def test_a_testee_that_does_not_flush(tmp_path: Path) -> None:
    late = """
    with open(1, "w", buffering=1 << 16) as buffered:
        for line in sys.stdin:
            print(json.dumps({"id": json.loads(line)["id"], "unsupported": "no"}), file=buffered)
"""
    command = bad_testees.write(tmp_path, bad_testees.manifest(), late)
    done = run(tmp_path, *COMMAND, "--testee", command, "--timeout", "1", "--case", "plugin/requests/call")
    assert done.status == 3
    assert done.output.strip() == (
        f"plugsvc-conformance: {command}: the plugin side prints its outcomes when its input ends, not when they are"
        " due: flush standard output after each line"
    )


@pytest.mark.parametrize("prefix", ["--", "--conformance-"])
def test_nothing_is_written_into_the_working_folder(prefix: str, tmp_path: Path) -> None:
    start = COMMAND if prefix == "--" else [*SCRIPT, *ONE_CASE[:2], "-p", "no:cacheprovider"]
    done = run(tmp_path, *start, f"{prefix}case", "plugin/fuzz/errors", f"{prefix}examples", "3")
    assert done.status == 0, done.output
    assert list(tmp_path.iterdir()) == []


def test_the_environment_of_a_testee_is_that_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    monkeypatch.setenv("CONFORMANCE_PYTHONSAFEPATH", "")
    assert "PYTHONSAFEPATH" not in environment()
    monkeypatch.setenv("CONFORMANCE_PYTHONSAFEPATH", "x")
    assert environment()["PYTHONSAFEPATH"] == "x"
    assert "CONFORMANCE_PYTHONSAFEPATH" not in environment()
