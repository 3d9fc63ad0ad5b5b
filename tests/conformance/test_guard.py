"""The command on broken ground: one line, and status 3, which no verdict has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.pytest_process import PytestProcess, PytestProcessError
from conformance.temporary_files import TemporaryFolderError, keep_temporary_files_together, why_unsuitable
from tests.conformance.foreign import run

COMMAND = f"{sys.executable} -m conformance.command"
ONE_CASE = "run --case plugin/requests/call"


def shell(folder: Path, text: str, **env: str) -> tuple[int, list[str]]:
    """The status of a command in a shell, and the lines on its standard error."""
    done = run(folder, "bash", "-c", f"{{ {text}; }} 2>&1 >/dev/null", env=env)
    return done.status, [line for line in done.output.splitlines() if line]


@pytest.mark.parametrize("words", ["list", ONE_CASE])
def test_nobody_reads_standard_output(words: str, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND.split(), *words.split()],
        stdout=writer,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        cwd=tmp_path,
        text=True,
        timeout=100,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (3, "plugsvc-conformance: standard output: Broken pipe\n")


@pytest.mark.parametrize("words", ["list", ONE_CASE])
def test_standard_output_is_full(words: str, tmp_path: Path) -> None:
    says = "plugsvc-conformance: standard output: No space left on device"
    done = run(tmp_path, "bash", "-c", f"{COMMAND} {words} >/dev/full")
    assert done.status == 3
    assert says in done.output or "unexpected OSError: [Errno 28]" in done.output


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_closed_stream_changes_no_verdict(closed: str, tmp_path: Path) -> None:
    done = run(tmp_path, "bash", "-c", f"{COMMAND} {ONE_CASE} --json report.json {closed}")
    assert done.status == 0
    assert (tmp_path / "report.json").stat().st_size


def test_the_report_does_not_fit(tmp_path: Path) -> None:
    status, lines = shell(tmp_path, f"{COMMAND} {ONE_CASE} --json /dev/full")
    assert (status, lines) == (3, ["plugsvc-conformance: --json /dev/full: No space left on device"])


def test_the_working_folder_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    status, lines = shell(folder, f'rmdir "$PWD"; {COMMAND} {ONE_CASE}', PYTHONPATH=str(Path(__file__).parents[2]))
    assert (status, lines[-1:]) == (3, ["plugsvc-conformance: the working folder: No such file or directory"])


def test_a_folder_for_temporary_files_that_is_not_utf8(tmp_path: Path) -> None:
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    os.mkdir(folder)
    done = run(tmp_path, *COMMAND.split(), *ONE_CASE.split(), "--case", "host/namespaces/*", env={"TMPDIR": folder})
    assert done.status == 0, done.output
    assert os.listdir(folder) == []


def test_folders_that_do_not_do(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert why_unsuitable(str(temporary)) == ""
    assert why_unsuitable("/no/such/folder") == "it cannot be written"
    assert why_unsuitable(f"/{'x' * 60}") == "its path is too long for the sockets below it"
    real = os.statvfs(temporary)
    flags = [*real[:8], real.f_flag | os.ST_NOEXEC, real.f_namemax]
    monkeypatch.setattr(os, "statvfs", lambda folder: os.statvfs_result(flags))
    says = "it is mounted noexec, and the suite has to execute a plugin in it"
    assert why_unsuitable(str(temporary)) == says
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    with (
        pytest.raises(TemporaryFolderError, match=f"^temporary files in {temporary}: {says}; set TMPDIR"),
        keep_temporary_files_together(),
    ):
        pass


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo ..s..; kill -KILL $$", "pytest ended: killed by SIGKILL, which the kernel does when memory runs out"),
        ("kill -SEGV $$", "pytest ended: killed by SIGSEGV; it printed nothing"),
        ("exit 70", "pytest ended: exit 70; it printed nothing"),
    ],
)
def test_a_pytest_that_ends_early(script: str, says: str, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    output = tmp_path / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(["sh", "-c", script], stdout=file, stderr=file, pass_fds=[writer])
    os.close(writer)
    running = PytestProcess(process, reader, output)
    assert list(running) == []
    with pytest.raises(PytestProcessError) as caught:
        running.exit_code()
    assert str(caught.value).startswith(says)


def test_an_unexpected_error_is_one_line(tmp_path: Path) -> None:
    code = (
        "import conformance.cli as cli, sys\nfrom conformance.command import main\n"
        "def fails(*words, **options):\n    raise RuntimeError('of two\\nlines')\n"
        "cli.main.commands['explain'].callback = fails\n"
        "sys.argv = ['x', 'explain', 'REQ-01']\nmain()\n"
    )
    done = run(tmp_path, sys.executable, "-c", code)
    assert (done.status, done.output) == (
        3,
        "plugsvc-conformance: unexpected RuntimeError: of two lines (at <string>:4)\n",
    )


def test_interrupts_keep_their_status(tmp_path: Path) -> None:
    code = (
        "import conformance.cli as cli, os, sys\nfrom conformance.command import main\n"
        f"cli.main.commands['explain'].callback = lambda **_: os.kill(os.getpid(), {int(signal.SIGINT)})\n"
        "sys.argv = ['x', 'explain', 'REQ-01']\nmain()\n"
    )
    done = run(tmp_path, sys.executable, "-c", code)
    assert (done.status, done.output) == (130, "plugsvc-conformance: interrupted\n")
