"""What a person at a terminal sees: the progress display, Ctrl-C, and a plugin started by hand."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from conformance.pytest_process import PytestProcess
from tests.conformance import bad_testees

ONE_CASE = ("--case", "plugin/requests/call", "--scheme", "file", "--timeout", "100", "-n", "0")


@pytest.fixture
def terminal() -> Iterator[list[pexpect.spawn[str]]]:
    """Programs on terminals, ended after the test."""
    started: list[pexpect.spawn[str]] = []
    yield started
    for child in started:
        child.close(force=True)


def spawn(terminal: list[pexpect.spawn[str]], *words: str, cwd: Path | None = None) -> pexpect.spawn[str]:
    """Start this interpreter with these words on a terminal of its own."""
    child = pexpect.spawn(sys.executable, list(words), timeout=60, dimensions=(40, 120), cwd=cwd, encoding="utf-8")
    terminal.append(child)
    return child


def test_the_progress_display_counts_and_ends_in_the_table(terminal: list[pexpect.spawn[str]]) -> None:
    choice = ("--case", "plugin/requests/*", "--scheme", "file", "-n", "0")
    child = spawn(terminal, "-m", "conformance.cli", "run", *choice)
    child.expect(r"testee plugsvc-reference: ")
    child.expect(r"\d+/\d+")
    child.expect("plugin side of plugsvc-reference")
    child.expect(r"REQ Requests")
    child.expect(r"\d+ cases: \d+ passed")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0


@pytest.mark.parametrize(
    ("number", "background"),
    [(signal.SIGINT, False), (signal.SIGTERM, False), (signal.SIGHUP, False), (signal.SIGTERM, True)],
    ids=["SIGINT", "SIGTERM", "SIGHUP", "SIGTERM in the background"],
)
def test_an_interrupt_ends_a_run_with_one_line_and_130(
    terminal: list[pexpect.spawn[str]],
    tmp_path: Path,
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    background: bool,
) -> None:
    monkeypatch.setenv("TMPDIR", str(temporary))
    hangs = """
    for line in sys.stdin:
        order = json.loads(line)
        if order["op"] == "conformance-made-up":
            print(json.dumps({"id": order["id"], "unsupported": "unknown op"}), flush=True)
"""
    command = bad_testees.write(tmp_path, bad_testees.manifest(), hangs)
    if background:
        # As a shell does; the tests themselves may have been started so.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = spawn(terminal, "-m", "conformance.cli", "run", "--testee", command, *ONE_CASE)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    child.expect("0/1")
    began = time.monotonic()
    if number == signal.SIGINT:
        child.sendintr()
    else:
        child.kill(number)
    child.expect("plugsvc-conformance: interrupted after 0 of 1 cases")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 130
    # It has ended what it had started before, for that uses this folder; and in order, not by force.
    assert list(temporary.iterdir()) == []
    assert time.monotonic() - began < PytestProcess.TIMEOUT


def test_a_plugin_at_a_prompt_is_unhosted_and_works_by_itself(
    terminal: list[pexpect.spawn[str]], tmp_path: Path
) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(
        "import plugsvc\n"
        "@plugsvc.service('greetings', 'greet')\n"
        "def greet(name: str) -> str:\n"
        "    return f'hello {name}, from nobody'\n"
        "print('hosted:', plugsvc.hosted())\n"
        "print(greet(input('your name? ')))\n"
    )
    child = spawn(terminal, str(plugin))
    child.expect("hosted: False")
    child.expect(r"your name\? ")
    child.sendline("Ada")
    child.expect("hello Ada, from nobody")
    child.expect(pexpect.EOF)


def test_a_signal_leaves_no_testee_behind(terminal: list[pexpect.spawn[str]], tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    hangs = f"""
    open({str(pid_file)!r}, "a").write(str(os.getpid()) + "\\n")
    for line in sys.stdin:
        order = json.loads(line)
        if order["op"] == "conformance-made-up":
            print(json.dumps({{"id": order["id"], "unsupported": "unknown op"}}), flush=True)
    time.sleep(1000)
"""
    command = bad_testees.write(tmp_path, bad_testees.manifest(), hangs)
    words = (
        "run",
        "--testee",
        command,
        "--case",
        "plugin/requests/call",
        "--scheme",
        "file",
        "--timeout",
        "100",
        "-n",
        "0",
    )
    child = spawn(terminal, "-m", "conformance.cli", *words)
    child.expect("0/1")
    child.kill(signal.SIGINT)
    child.expect(pexpect.EOF)
    child.wait()
    pids = [int(line) for line in pid_file.read_text().split()]
    assert pids
    alive = [pid for pid in pids if os.path.exists(f"/proc/{pid}/stat")]
    assert alive == []
