"""Child processes: how they ended is told truly, and they do end."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from plugsvc.host.context import Context
from plugsvc.host.process import Exit, Launch, run_process

from .conftest import ROOT, TIMEOUT

Script = Callable[..., str]


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run a program in an interpreter of its own."""
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)


def run(path: str, *args: str, timeout: float = TIMEOUT, **options: object) -> Exit:
    return run_process(Launch((path, *args)), Context(timeout), **options)  # type: ignore[arg-type]


@pytest.fixture(params=["pidfd", "thread"], autouse=True)
def how_exits_are_seen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every test with the descriptor of the kernel, and with what stands in for it on older ones."""
    if request.param == "thread":
        monkeypatch.delattr(os, "pidfd_open")


@pytest.mark.parametrize("status", [0, 1, 7, 255])
def test_statuses(status: int, script: Script) -> None:
    exit = run(script(f"raise SystemExit({status})"))
    assert (exit.status, exit.signal, exit.ok) == (status, None, status == 0)
    assert exit.describe() == f"ended with status {status}"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_signals(number: signal.Signals, script: Script) -> None:
    exit = run(script(f"import os; os.kill(os.getpid(), {int(number)})"))
    assert (exit.status, exit.signal, exit.ok) == (None, number, False)
    assert exit.describe() == f"was killed by signal {int(number)} ({number.name})"


def test_a_signal_without_a_name(script: Script) -> None:
    assert run(script("import os; os.kill(os.getpid(), 40)")).describe() == "was killed by signal 40"


def test_standard_streams_are_open(script: Script) -> None:
    body = """
        import os, sys
        print(os.readlink("/proc/self/fd/0"), os.read(0, 10))
        print("error", file=sys.stderr)
    """
    exit = run(script(body))
    assert exit.stdout == b"/dev/null b''\n"
    assert exit.stderr == b"error\n"


def test_the_end_of_much_output_is_kept(script: Script) -> None:
    body = """
        import sys
        for number in range(300_000):
            print(number)
            print(-number, file=sys.stderr)
    """
    exit = run(script(body), keep=20)
    assert exit.stdout == b"99997\n299998\n299999\n"
    assert exit.stderr == b"9997\n-299998\n-299999\n"[-20:]


def test_output_elsewhere(script: Script, tmp_path: Path) -> None:
    path = script("import sys; print('out'); print('err', file=sys.stderr)")
    with (tmp_path / "out").open("wb") as file:
        exit = run_process(Launch((path,), stdout=file, stderr=file.fileno()), Context(TIMEOUT))
    assert (exit.stdout, exit.stderr) == (b"", b"")
    assert (tmp_path / "out").read_bytes() == b"err\nout\n"


def test_output_that_is_inherited(script: Script, capfd: pytest.CaptureFixture[str]) -> None:
    run_process(Launch((script("print('out')"),), stdout="inherit"), Context(TIMEOUT))
    assert capfd.readouterr().out == "out\n"


def test_environment_directory_and_input(script: Script, tmp_path: Path) -> None:
    path = script("import os, sys; print(os.getcwd(), os.environ['X'], sys.stdin.read())")
    (tmp_path / "in").write_text("input")
    with (tmp_path / "in").open() as file:
        launch = Launch((path,), env={"X": "y"}, cwd=tmp_path, stdin=file)
        assert run_process(launch, Context(TIMEOUT)).stdout == f"{tmp_path} y input\n".encode()


def test_it_has_a_session_of_its_own(script: Script) -> None:
    sid, pid = run(script("import os; print(os.getsid(0), os.getpid())")).stdout.split()
    assert sid == pid


def test_a_grandchild_that_holds_the_output_is_not_waited_for(script: Script) -> None:
    body = """
        import os, signal, sys
        print("before", flush=True)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(writer)
            os.read(reader, 1)
            signal.pause()
        print(child, flush=True)
        os._exit(0)
    """
    exit = run(script(body))
    first, pid = exit.stdout.split()
    assert (first, exit.ok) == (b"before", True)
    os.kill(int(pid), signal.SIGKILL)


def test_lingering_output_is_read(script: Script) -> None:
    body = """
        import os
        parent = os.getpid()
        if os.fork() == 0:
            while os.getppid() == parent:
                pass
            print("after")
        else:
            os._exit(0)
    """
    assert run(script(body), linger=TIMEOUT).stdout == b"after\n"


def test_a_deadline(script: Script) -> None:
    exit = run(script("import signal; signal.pause()"), timeout=0.3)
    assert (exit.status, exit.signal) == (None, signal.SIGTERM)
    assert exit.stopped == "not finished within 0.3 s"
    assert not exit.ok


def test_who_ignores_sigterm_is_killed(script: Script) -> None:
    body = """
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("ready", flush=True)
        while True:
            signal.pause()
    """
    exit = run(script(body), timeout=0.5, grace=0.1)
    assert exit.signal == signal.SIGKILL


def test_who_ends_well_on_sigterm_was_stopped_all_the_same(script: Script) -> None:
    body = """
        import os, signal, sys
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        open(sys.argv[1], "w").close()
        while True:
            signal.pause()
    """
    ready = Path(script("")).with_name("ready")
    context = Context(TIMEOUT)

    def cancel() -> None:
        deadline = time.monotonic() + TIMEOUT
        while not ready.exists() and time.monotonic() < deadline:
            continue
        context.cancel("enough")

    thread = threading.Thread(target=cancel)
    thread.start()
    exit = run_process(Launch((script(body), str(ready))), context)
    thread.join(TIMEOUT)
    assert (exit.status, exit.stopped, exit.ok) == (0, "enough", False)


def test_the_whole_group_is_killed(script: Script) -> None:
    body = """
        import os, signal, sys
        reader, writer = os.pipe()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.write(writer, b"x")
            os.close(2)
            while True:
                signal.pause()
        os.read(reader, 1)
        print("ready", flush=True)
        signal.pause()
    """
    reader, writer = os.pipe()
    try:
        launch = Launch((script(body),), pass_fds=(writer,))
        exit = run_process(launch, Context(0.5), grace=0.1)
        os.close(writer)
        # The end of the stream: nobody has the other end any more.
        assert os.read(reader, 1) == b""
    finally:
        os.close(reader)
    assert exit.stopped == "not finished within 0.5 s"


def test_too_much_output(script: Script) -> None:
    exit = run(script("while True: print('x' * 1000)"), output_limit=5000)
    assert exit.stopped == "more than 5000 bytes of output"
    assert exit.stdout == (b"x" * 1000 + b"\n") * 4 + b"x" * 996


def test_a_context_that_is_over_already(script: Script) -> None:
    context = Context()
    context.cancel("too late")
    assert run_process(Launch((script("import signal; signal.pause()"),)), context).stopped == "too late"


def test_what_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run(str(tmp_path / "missing"))


def test_an_exception_leaves_no_process(script: Script) -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_process(Launch((script("import signal; signal.pause()"),), on_start=fail), Context())


def lose_the_status() -> None:
    """Wait for the child that was just started, as a part of the program would that waits for any child."""
    os.waitpid(-1, 0)


@pytest.mark.parametrize("status", [0, 3])
def test_a_status_that_somebody_else_took_is_unknown(status: int, script: Script) -> None:
    launch = Launch((script(f"print('x'); raise SystemExit({status})"),), on_start=lose_the_status)
    exit = run_process(launch, Context(TIMEOUT))
    assert (exit.status, exit.signal, exit.ok, exit.stdout) == (None, None, False, b"x\n")
    assert exit.describe() == (
        "ended with an unknown status: this program ignores SIGCHLD, or another part of it has waited for the process"
    )


@pytest.mark.parametrize("status", [0, 3])
def test_an_ignored_sigchld_makes_the_status_unknown(status: int, script: Script) -> None:
    previous = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        exits = [run(script(f"raise SystemExit({status})")) for _ in range(5)]
    finally:
        signal.signal(signal.SIGCHLD, previous)
    assert {(exit.status, exit.signal, exit.ok) for exit in exits} == {(None, None, False)}


def test_what_cannot_be_started_while_sigchld_is_ignored(tmp_path: Path) -> None:
    previous = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.raises(FileNotFoundError):
            run(str(tmp_path / "missing"))
    finally:
        signal.signal(signal.SIGCHLD, previous)


def test_no_signal_goes_to_a_number_that_may_be_reused(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process was waited for by somebody else when the context says stop."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "killpg", lambda pid, number: sent.append((pid, number)))
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    context = Context(TIMEOUT)

    def on_start() -> None:
        lose_the_status()
        context.cancel("enough")

    exit = run_process(Launch((script("pass"),), on_start=on_start), context)
    assert (exit.status, exit.stopped, sent) == (None, "enough", [])


def test_a_host_without_standard_streams(script: Script, tmp_path: Path) -> None:
    """As in a daemon: what would be inherited is the null device, not a closed descriptor."""
    plugin = script(
        "import os; open('seen', 'w').write(os.readlink('/proc/self/fd/1') + os.readlink('/proc/self/fd/2'))"
    )
    host = f"""
        import os
        os.closerange(0, 3)
        from plugsvc.host.context import Context
        from plugsvc.host.process import Launch, run_process
        launch = Launch(({plugin!r},), cwd={str(tmp_path)!r}, stdout="inherit", stderr="inherit")
        exit = run_process(launch, Context(20))
        os._exit(exit.status)
    """
    assert python(host).returncode == 0
    assert (tmp_path / "seen").read_text() == "/dev/null" * 2


@pytest.mark.parametrize("wanted", [True, False])
def test_a_process_that_dies_with_its_host(wanted: bool, script: Script, tmp_path: Path) -> None:
    """Also when the thread that asked for it has ended long ago."""
    os.mkfifo(tmp_path / "fifo")
    plugin = script(
        "import os, signal, sys; f = open(sys.argv[1], 'w'); print(os.getpid(), file=f, flush=True); signal.pause()"
    )
    host = f"""
        import os, signal, threading
        from plugsvc.host.context import Context
        from plugsvc.host.process import Launch, run_process
        launch = Launch(({plugin!r}, {str(tmp_path / "fifo")!r}), die_with_host={wanted})
        threading.Thread(target=run_process, args=(launch, Context()), daemon=True).start()
        signal.pause()
    """
    command = [sys.executable, "-c", textwrap.dedent(host)]
    with subprocess.Popen(command, cwd=ROOT) as process, (tmp_path / "fifo").open() as file:
        pid = int(file.readline())
        process.kill()
        process.wait(TIMEOUT)
        if wanted:
            assert file.read() == ""  # the end of the stream: the plugin is gone
        else:
            os.kill(pid, signal.SIGKILL)


def test_what_a_thread_executes_ends_with_the_program(script: Script, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    plugin = script("import signal, sys; f = open(sys.argv[1], 'w'); print('x', file=f, flush=True); signal.pause()")
    host = f"""
        import threading
        from plugsvc.host.context import Context
        from plugsvc.host.process import Launch, run_process
        launch = Launch(({plugin!r}, {str(tmp_path / "fifo")!r}))
        threading.Thread(target=run_process, args=(launch, Context()), daemon=True).start()
        with open({str(tmp_path / "fifo")!r}) as file:
            file.readline()
            print("ready", flush=True)
            # The program ends here.
            globals()["kept"] = file
    """
    done = python(host)
    assert (done.returncode, done.stdout) == (0, "ready\n")
    found = subprocess.run(["pgrep", "-f", plugin], capture_output=True, text=True, timeout=60, check=False)
    assert found.stdout == ""


def test_an_exit_is_waited_for_without_polling(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the wait depends on time when there is no deadline."""
    seen: list[int | None] = []
    real = select.poll

    class Poll:
        def __init__(self) -> None:
            self._poll = real()
            self.register, self.unregister = self._poll.register, self._poll.unregister

        def poll(self, timeout: int | None = None) -> object:
            seen.append(timeout)
            return self._poll.poll(timeout)

    monkeypatch.setattr(select, "poll", Poll)
    assert run_process(Launch((script("print('x')"),)), Context()).ok
    assert set(seen) == {None}


def test_without_poll(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """As eventlet makes it."""
    monkeypatch.delattr(select, "poll")
    with pytest.raises(
        OSError, match=r"select\.poll is missing: with eventlet, use eventlet\.monkey_patch\(select=False\)$"
    ):
        run(script("import signal; signal.pause()"))
