"""A plugin with the recorder in front of it, over every transport: nothing changes but the recording."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from plugsvc.errors import DiscoveryError, PluginFailed
from plugsvc.host import execution
from plugsvc.host.binds import BINDS, bind_of
from plugsvc.host.context import Context
from plugsvc.host.discovery import discover_plugins
from plugsvc.host.plugin import Command, Manifest, Plugin, new_plugin
from plugsvc.host.registry import Registry
from plugsvc.recorder.recording import Event, read_recording
from tests.recorder.conftest import PLUGIN, RECORD, ROOT, Make

SECONDS = 30.0


def described(path: str) -> Plugin:
    """The plugin, without asking it what it is."""
    return Plugin(path, Manifest(1, "recorded", commands=(Command(),)))


def run(plugin: str, registry: Registry, *words: str, bind: str = "devfd", **options: object) -> None:
    """Execute the plugin as a host does."""
    binding = registry.bind(bind_of(bind, trusted=True))
    execution.execute(described(plugin), words, bind=binding, timeout=SECONDS, **options)  # type: ignore[arg-type]


def data(events: list[Event], direction: str) -> bytes:
    """All bytes of one direction."""
    return b"".join(event.data for event in events if event.direction == direction)


def kinds(events: list[Event]) -> list[str]:
    """What happened, data aside."""
    return [event.kind for event in events if event.kind != "data"]


@pytest.mark.parametrize("bind", BINDS)
def test_every_transport_of_a_host(bind: str, recorded: Make, recording: Path, registry: Registry) -> None:
    run(recorded(), registry, "call", "ä", "blob", "300000", bind=bind)
    events = list(read_recording(recording))
    assert events[0].fields["transports"] == {"host": bind, "plugin": bind}
    assert events[-1].kind == "exit"
    assert events[-1].fields == {"status": 0}
    for direction in "><":
        messages = data(events, direction).decode().strip().split("\n")
        assert [json.loads(message)["sequence"] for message in messages] == [1, 2]
        assert "x" * 300000 in messages[1]


@pytest.mark.parametrize("transport", ["pty", "fifo", "unix", "stdio", "shm"])
def test_another_transport_to_the_plugin(transport: str, recorded: Make, recording: Path, registry: Registry) -> None:
    run(recorded("--transport", transport), registry, "call", "a")
    events = list(read_recording(recording))
    assert events[0].fields["transports"] == {"host": "devfd", "plugin": transport}
    assert data(events, "<") == b'{"sequence":1,"reply":["a"]}\n'


def test_exit_status(recorded: Make, recording: Path, registry: Registry) -> None:
    with pytest.raises(PluginFailed) as caught:
        run(recorded(), registry, "call", "a", "status", "7")
    assert (caught.value.status, caught.value.signal) == (7, None)
    assert list(read_recording(recording))[-1].fields == {"status": 7}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_death_by_a_signal(number: int, recorded: Make, recording: Path, registry: Registry) -> None:
    with pytest.raises(PluginFailed) as caught:
        run(recorded(), registry, "call", "a", "signal", str(int(number)))
    assert (caught.value.status, caught.value.signal) == (None, number)
    assert list(read_recording(recording))[-1].fields == {"signal": number}


def test_a_signal_reaches_the_plugin(recorded: Make, recording: Path, tmp_path: Path) -> None:
    """SIGTERM to the recorder alone: the plugin's handler runs, and its exit status is the recorder's."""
    ours, theirs = os.pipe(), os.pipe()
    urls = ["--host", f"file:///dev/fd/{ours[0]}", "--host", f"file:///dev/fd/{theirs[1]}"]
    process = subprocess.Popen(
        [recorded(), *urls, "wait"], pass_fds=[ours[0], theirs[1]], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"waiting\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 42
    process.stdout.close()
    for fd in (*ours, *theirs):
        os.close(fd)
    assert {"signal", "exit"} <= set(kinds(list(read_recording(recording))))


@contextmanager
def when_marked(mark: Path, act: Callable[[int], None]) -> Iterator[None]:
    """While the block runs, wait until the plugin has written its process id to a file, and act on it."""

    def wait() -> None:
        deadline = time.monotonic() + SECONDS
        while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
            os.sched_yield()
        act(int(mark.read_text()))

    thread = threading.Thread(target=wait)
    thread.start()
    yield
    thread.join()


def test_a_cancelled_execution_stops_the_plugin(recorded: Make, registry: Registry, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    context = Context()
    with (
        when_marked(mark, lambda pid: context.cancel("enough")),
        pytest.raises(PluginFailed, match=r"stopped \(enough\)"),
    ):
        execution.execute(
            described(recorded()), ["mark", str(mark), "loop"], bind=registry.bind(), context=context, grace=5.0
        )
    assert_gone(int(mark.read_text()))


def assert_gone(pid: int) -> None:
    """Wait until there is no such process."""
    deadline = time.monotonic() + SECONDS
    while os.path.exists(f"/proc/{pid}/stat") and b") Z" not in Path(f"/proc/{pid}/stat").read_bytes():
        assert time.monotonic() < deadline, f"process {pid} is still there"


def test_a_killed_recorder_takes_its_plugin_along(
    recorded: Make, recording: Path, registry: Registry, tmp_path: Path
) -> None:
    """At some moments of a loop of calls: the host sees a killed plugin, and the recording is read to its last line."""
    path = recorded()
    for moment in range(3):
        mark = tmp_path / f"pid{moment}"

        def kill(pid: int, moment: int = moment) -> None:
            threading.Event().wait(0.01 * moment)
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
            os.kill(parent, signal.SIGKILL)

        with when_marked(mark, kill), pytest.raises(PluginFailed) as caught:
            run(path, registry, "mark", str(mark), "loop")
        assert caught.value.signal == signal.SIGKILL
        assert_gone(int(mark.read_text()))
    assert {event.kind for event in read_recording(recording)} >= {"header", "open", "data"}


def test_without_a_host_the_recorder_becomes_the_plugin(recorded: Make, recording: Path) -> None:
    path = recorded()
    expected = subprocess.run([*PLUGIN, "info"], capture_output=True, check=True, cwd=ROOT).stdout
    assert subprocess.run([path, "info"], capture_output=True, check=True).stdout == expected
    assert subprocess.run([path, "status", "5"], check=False).returncode == 5
    assert not recording.exists()


def test_a_url_that_cannot_be_opened_is_left_to_the_plugin(recorded: Make, recording: Path) -> None:
    done = subprocess.run(
        [recorded(), "--host", "file:///none", "call", "a"], capture_output=True, text=True, check=False
    )
    assert "cannot open 'file:///none'" in done.stderr
    assert done.returncode == 1
    events = list(read_recording(recording))
    assert kinds(events) == ["header", "failed"]
    assert events[1].fields["reason"].startswith("cannot open 'file:///none'")


@pytest.mark.parametrize(("name", "status"), [("/none", 127), ("/dev/null", 126)])
@pytest.mark.parametrize("words", [["info"], ["--host", "fd:0"]])
def test_a_plugin_that_cannot_be_started(name: str, status: int, words: list[str], tmp_path: Path) -> None:
    left, right = socket.socketpair()
    with left, right:
        words = [word.replace("0", str(right.fileno())) for word in words]
        done = subprocess.run(
            [*RECORD, "-o", str(tmp_path / "r"), "--", name, *words],
            capture_output=True, text=True, cwd=ROOT, check=False, pass_fds=[right.fileno()],
        )  # fmt: skip
    assert done.returncode == status
    assert done.stderr.startswith(f"plugsvc: {name} cannot be started: ")


def test_a_recording_that_cannot_be_written_stops_before_the_plugin_starts(tmp_path: Path) -> None:
    done = subprocess.run(
        [*RECORD, "-o", "/none/r", "--", *PLUGIN, "--host", "file:///none"],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "plugsvc: cannot record to /none/r: No such file or directory\n"


def test_stand_ins_for_the_plugins_of_a_folder(
    tmp_path: Path, recording: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    plugins, stand_ins = tmp_path / "plugins", tmp_path / "stand-ins"
    (plugins / "below").mkdir(parents=True)
    for name in ("one", "below/two"):
        (plugins / name).write_text(f'#!/bin/sh\nexec {sys.executable} -P -m tests.recorder.plugin "$@"\n')
        (plugins / name).chmod(0o755)
    done = subprocess.run(
        [*RECORD, "-o", str(recording), "--wrap", str(plugins), "--to", str(stand_ins)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert sorted(done.stdout.split()) == [str(stand_ins / "below" / "two"), str(stand_ins / "one")]
    found = discover_plugins(stand_ins)
    assert [plugin.name for plugin in found] == ["recorded", "recorded"]
    for plugin in found:
        execution.execute(plugin, ["call", "a"], bind=registry.bind(), timeout=SECONDS)
    assert len({event.connection for event in read_recording(recording)}) == 2


def test_what_is_no_plugin_stays_none(recorded: Make) -> None:
    with pytest.raises(DiscoveryError, match="ended with status 3"):
        new_plugin(recorded(plugin=["/bin/sh", "-c", "exit 3"]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no plugin; say plugsvc record -- PLUGIN [ARG...]"),
        (["--transport", "pigeon", "--", "x"], "unknown transport 'pigeon'; there are "),
        (["--wrap", "."], "--wrap and --to go together"),
        (["--wrap", ".", "--to", "x", "--", "x"], "--wrap takes no plugin"),
    ],
)
def test_command_lines_that_make_no_sense(words: list[str], message: str) -> None:
    done = subprocess.run([*RECORD, *words], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert message in done.stderr
