"""Plugins in processes of their own, connected over shared memory."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plugsvc.errors import PluginFailed, ProtocolError
from plugsvc.host import Registry, execute
from plugsvc.host.binds import bind_of, shm
from plugsvc.host.binds.shm import ShmBind

from .conftest import ROOT, TIMEOUT, one, run

Write = Callable[..., str]

PROGRAM = f"""
import json, os, signal, sys
sys.path.insert(0, {str(ROOT)!r})
if sys.argv[1:] == ["info"]:
    print(json.dumps({{"manifestVersion": 1, "name": "small", "commands": [{{"path": ["run"], "type": "one"}}]}}))
    sys.exit()
import select, threading
from plugsvc.openers import open_stream
urls = [sys.argv[i + 1] for i, word in enumerate(sys.argv) if word == "--host"]

def sleep(end):
    if end.arm():
        poll = select.poll()
        poll.register(end.fileno(), select.POLLIN)
        assert poll.poll({TIMEOUT * 1000})

def read(reader):
    while (data := reader.read(1 << 20)) is None:
        sleep(reader)
    return data

def write(writer, data):
    while data:
        count = writer.write(data)
        data = data[count:]
        if not count:
            sleep(writer)

def words(end):
    return next(words for ring, words in end.memory.words.items() if ring.name == end.ring.name)

def call(duplex, name, *args):
    request = {{"sequence": 1, "type": "call", "namespace": "test", "name": name, "args": args}}
    write(duplex.writer, json.dumps(request).encode())
    reply = b""
    while not reply.endswith(b"\\n"):
        more = read(duplex.reader)
        if not more:
            sys.exit("end of file")
        reply += more
    return json.loads(reply)
"""
"""What the programs begin with: they use the opener, and nothing else of the library."""


@pytest.fixture
def program(script: Callable[..., str]) -> Write:
    """Return a function that writes a plugin from the body of its command."""

    def write(body: str) -> str:
        return script(PROGRAM + textwrap.dedent(body))

    return write


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    """A directory for binds, in which they leave nothing."""
    directory = tmp_path / "shm"
    directory.mkdir()
    yield directory
    assert list(directory.iterdir()) == []


def test_it_is_there_by_name(program: Write, registry: Registry, calls: list[Any]) -> None:
    path = program("print(urls, call(open_stream(urls), 'note', 1)['reply'])")
    found = re.fullmatch(
        r"\['shm://(/dev/shm/plugsvc-bind-\w+)/ring'\] \[1\]\n",
        run(path, bind=registry.bind(bind_of("shm", trusted=True))),
    )
    assert calls == [1]
    assert found is not None
    assert not os.path.exists(found[1])


def test_what_the_plugin_finds(program: Write, registry: Registry, where: Path) -> None:
    path = program("""
        path = urls[0].removeprefix("shm://")
        names = sorted(os.listdir(os.path.dirname(path)))
        print(len(names), oct(os.stat(os.path.dirname(path)).st_mode), os.stat(path).st_size)
        duplex = open_stream(urls)
        print(os.listdir(os.path.dirname(path)))
    """)
    found = run(path, bind=registry.bind(ShmBind(1024, where, trusted=True)))
    assert found == f"5 {oct(stat.S_IFDIR | 0o700)} {4096 + 2048}\n[]\n"


def test_the_directory_is_gone_with_the_first_request(
    program: Write, registry: Registry, calls: list[Any], where: Path
) -> None:
    """Also the names, should the plugin have left them."""
    path = program("""
        directory = os.path.dirname(urls[0].removeprefix("shm://"))
        duplex = open_stream(urls)
        os.mkfifo(directory + "/ring.requests.filled")
        print(os.listdir(directory))
        call(duplex, "note", 1)
        print(os.path.exists(directory))
    """)
    assert run(path, bind=registry.bind(ShmBind(64, where, trusted=True))) == "['ring.requests.filled']\nFalse\n"


@pytest.mark.parametrize("capacity", [64, 4096, 1 << 20])
def test_more_than_the_rings_hold_both_ways(capacity: int, program: Write, registry: Registry, where: Path) -> None:
    @registry.service("test")
    def turn(text: str) -> str:
        return text[::-1]

    path = program("""
        duplex = open_stream(urls)
        for n in (1, 50, 64, 65, 5000, 30000):
            text = "".join(chr(32 + (n + i) % 90) for i in range(n))
            assert call(duplex, "turn", text)["reply"] == [text[::-1]], n
        print("done")
    """)
    assert run(path, bind=registry.bind(ShmBind(capacity, where, trusted=True))) == "done\n"


def test_both_write_more_than_fits_at_once(program: Write, registry: Registry, where: Path) -> None:
    """The plugin reads nothing before it has written everything but the last byte, the host all the same replies."""

    @registry.service("test")
    def blob(size: int) -> str:
        return "x" * size

    path = program("""
        duplex = open_stream(urls)
        request = {"type": "call", "namespace": "test", "name": "blob", "args": [100000]}
        data = b"".join(json.dumps({"sequence": n, **request}).encode() for n in range(40))
        thread = threading.Thread(target=write, args=(duplex.writer, data))
        thread.start()
        got, lines = [], 0
        while lines < 40:
            got.append(read(duplex.reader))
            lines += got[-1].count(b"\\n")
        thread.join()
        replies = [json.loads(line) for line in b"".join(got).splitlines()]
        print(sorted(reply["sequence"] for reply in replies) == list(range(40)), len(replies[0]["reply"][0]))
    """)
    assert run(path, bind=registry.bind(ShmBind(1024, where, trusted=True))) == "True 100000\n"


def test_half_close(program: Write, registry: Registry, where: Path) -> None:
    """A plugin that has no more to say still gets its replies."""
    go_on = threading.Event()

    @registry.service("test")
    def wait() -> str:
        assert go_on.wait(TIMEOUT)
        return "done"

    @registry.service("test")
    def go() -> None:
        go_on.set()

    path = program("""
        duplex = open_stream(urls)
        request = {"type": "call", "namespace": "test", "args": []}
        write(duplex.writer, json.dumps({"sequence": 1, "name": "wait", **request}).encode())
        write(duplex.writer, json.dumps({"sequence": 2, "name": "go", **request}).encode())
        duplex.writer.close()
        got = b""
        while got.count(b"\\n") < 2:
            got += read(duplex.reader)
        print(b"done" in got)
    """)
    assert run(path, bind=registry.bind(ShmBind(1024, where, trusted=True))) == "True\n"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "open_stream(urls)",
        "open_stream(urls).writer.close()",
        "open_stream(urls).reader.close()",
        "d = open_stream(urls); d.close()",
        "d = open_stream(urls); call(d, 'note', 1); d.reader.close(); write(d.writer, b' ' * 100)",
        "os.open(urls[0].removeprefix('shm://') + '.requests.filled', os.O_WRONLY)",
    ],
)
def test_a_plugin_need_not_use_its_connection(
    body: str, program: Write, registry: Registry, where: Path, calls: list[Any]
) -> None:
    assert run(program(body + "\nprint('done')"), bind=registry.bind(ShmBind(64, where, trusted=True))) == "done\n"


def test_calls_left_unanswered_are_no_failure(program: Write, registry: Registry, where: Path) -> None:
    release = threading.Event()

    @registry.service("test")
    def wait() -> None:
        assert release.wait(TIMEOUT)

    path = program("""
        duplex = open_stream(urls)
        for sequence in range(20):
            request = {"sequence": sequence, "type": "call", "namespace": "test", "name": "wait", "args": []}
            write(duplex.writer, json.dumps(request).encode())
        print("done")
    """)
    assert run(path, bind=registry.bind(ShmBind(256, where, trusted=True))) == "done\n"
    release.set()


KILL = "os.kill(os.getpid(), 9)"


@pytest.mark.parametrize(
    "body",
    [
        KILL,
        f"d = open_stream(urls); {KILL}",
        f"d = open_stream(urls); d.reader.arm(); {KILL}",
        f"d = open_stream(urls); call(d, 'note', 1); {KILL}",
        f"d = open_stream(urls); call(d, 'note', 1); d.reader.arm(); {KILL}",
        f"d = open_stream(urls); write(d.writer, b' ' * 60); d.writer.arm(); {KILL}",
    ],
)
def test_a_plugin_that_is_killed(body: str, program: Write, registry: Registry, where: Path, calls: list[Any]) -> None:
    with pytest.raises(PluginFailed, match=r"^plugin small run was killed by signal 9 \(SIGKILL\)$"):
        run(program(body), bind=registry.bind(ShmBind(64, where, trusted=True)))


def test_an_end_amid_a_message_is_a_failure(program: Write, registry: Registry, where: Path) -> None:
    with pytest.raises(PluginFailed, match="in the middle of a message"):
        run(
            program("d = open_stream(urls); write(d.writer, b'{')"),
            bind=registry.bind(ShmBind(64, where, trusted=True)),
        )


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("words(d.writer)[0] += 1000", "the ring of requests is corrupt: head 0, tail 1000, capacity 64"),
        (
            "write(d.writer, b' ' * 60); words(d.reader)[32] = 9; call(d, 'note', 1)",
            "the ring of replies is corrupt: head 9, tail 0, capacity 64",
        ),
    ],
)
def test_a_plugin_that_breaks_its_ring_fails(
    body: str, why: str, program: Write, registry: Registry, where: Path, calls: list[Any]
) -> None:
    path = program(f"d = open_stream(urls); {body}; os.write(d.writer.doorbells.rung, b'x'); sleep(d.reader)")
    with pytest.raises(PluginFailed) as caught:
        run(path, bind=registry.bind(ShmBind(64, where, trusted=True)))
    assert isinstance(caught.value.__cause__, ProtocolError)
    assert caught.value.__cause__.reason == why


def test_a_second_process_gets_nothing(program: Write, registry: Registry, where: Path, calls: list[Any]) -> None:
    """Of ten that open it at the same time, one does."""
    path = program("""
        gate = os.pipe()
        for _ in range(10):
            if os.fork() == 0:
                os.close(gate[1])
                os.read(gate[0], 1)
                try:
                    duplex = open_stream(urls)
                except OSError as error:
                    assert "another process has opened it" in str(error), error
                    os._exit(0)
                call(duplex, "note", "mine")
                os._exit(7)
        os.close(gate[1])
        print(sorted(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(10)))
    """)
    assert run(path, bind=registry.bind(ShmBind(1024, where, trusted=True))) == f"{[0] * 9 + [7]}\n"
    assert calls == ["mine"]


def test_many_plugins_side_by_side(program: Write, registry: Registry, where: Path, calls: list[Any]) -> None:
    path = program("d = open_stream(urls)\nfor n in range(50): call(d, 'note', n)")
    assert len(execute(one(path) * 4, (), bind=registry.bind(ShmBind(128, where, trusted=True)), parallelism=4)) == 4
    assert sorted(calls) == sorted([*range(50)] * 4)


def test_a_host_that_dies(program: Write, where: Path) -> None:
    """The plugin finds the end of the connection, in the middle of a call, and nothing keeps its memory."""
    path = program("""
        if os.fork() == 0:
            os.close(1)
            duplex = open_stream(urls)
            request = {"sequence": 1, "type": "call", "namespace": "test", "name": "die", "args": []}
            write(duplex.writer, json.dumps(request).encode())
            end = read(duplex.reader)
            with open(sys.argv[-1], "w") as report:
                report.write(repr(end))
            os._exit(0)
        os.wait()  # so that it is there as long as needed, and no longer
    """)
    report = where.with_name("report")
    os.mkfifo(report)
    host = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from plugsvc.host import Registry, execute, iterate_typed, new_plugin
from plugsvc.host.binds.shm import ShmBind
registry = Registry()
registry.define("test", None)
registry.add_service("test", "die", lambda: os.kill(os.getpid(), 9))
binding = registry.bind(ShmBind(64, {str(where)!r}, trusted=True))
execute(iterate_typed([new_plugin({path!r})], "one"), [{str(report)!r}], bind=binding)
"""
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", host], os.environ)
    reading = os.open(report, os.O_RDWR)  # so that nobody waits for the other side
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -9
    assert os.read(reading, 100) == b"b''"
    os.close(reading)


# Where it is made


def test_another_place_is_tried(
    program: Write, registry: Registry, calls: list[Any], monkeypatch: pytest.MonkeyPatch, where: Path
) -> None:
    monkeypatch.setattr(shm, "_SHARED_MEMORY", "/no/such/directory")
    monkeypatch.setattr(tempfile, "tempdir", str(where))
    path = program("call(open_stream(urls), 'note', urls[0])")
    run(path, bind=registry.bind(bind_of("shm", trusted=True)))
    assert calls[0].startswith(f"shm://{where}/plugsvc-bind-")


def test_there_has_to_be_room_for_it(
    monkeypatch: pytest.MonkeyPatch, program: Write, registry: Registry, where: Path
) -> None:
    """A file system that is full says so at the start, not by a SIGBUS later."""

    def full(fd: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = program("")
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left on device"):
        run(path, bind=registry.bind(ShmBind(64, where, trusted=True)))


def test_no_place_at_all(registry: Registry, program: Write) -> None:
    with pytest.raises(FileNotFoundError):
        run(program(""), bind=registry.bind(ShmBind(directory="/no/such/directory", trusted=True)))


@pytest.mark.parametrize("capacity", [0, 63, 1000, 1 << 31])
def test_capacities_that_no_ring_can_have(capacity: int) -> None:
    with pytest.raises(ValueError, match="expected a power of two, 64 to 1073741824"):
        ShmBind(capacity, trusted=True)


# Nobody does anything while there is nothing to do


def switches(pid: int) -> dict[str, int]:
    """How often each thread of a process has gone to sleep, or was stopped."""
    found: dict[str, int] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        text = (task / "status").read_text()
        found[task.name] = sum(map(int, re.findall(r"ctxt_switches:\s*(\d+)", text)))
    return found


def test_an_idle_connection_wakes_nobody(script: Callable[..., str], registry: Registry) -> None:
    """Both sides wait for each other: the plugin for a reply, the host for requests and for the end of the call."""
    pids: list[int] = []
    waiting, go_on = threading.Event(), threading.Event()

    @registry.service("test")
    def wait(pid: int) -> None:
        pids.append(pid)
        waiting.set()
        assert go_on.wait(TIMEOUT)

    path = script(f"""
        import json, os, sys
        sys.path.insert(0, {str(ROOT)!r})
        if sys.argv[1:] == ["info"]:
            print(json.dumps({{"manifestVersion": 1, "name": "idle", "commands": [{{"path": [], "type": "one"}}]}}))
            sys.exit()
        import plugsvc
        plugsvc.get_service("test", "wait")(os.getpid())
        print("done")
    """)
    results: list[str] = []
    running = threading.Thread(
        target=lambda: results.append(run(path, bind=registry.bind(bind_of("shm", trusted=True))))
    )
    running.start()
    assert waiting.wait(TIMEOUT)
    me = str(threading.get_native_id())
    deadline = time.monotonic() + TIMEOUT
    while True:
        before = switches(os.getpid()) | switches(pids[0])
        threading.Event().wait(1.0)  # one second without anything
        after = switches(os.getpid()) | switches(pids[0])
        before.pop(me)
        after.pop(me)
        if before == after:
            break
        assert time.monotonic() < deadline, "somebody is woken again and again"
    assert len(after) >= 3
    go_on.set()
    running.join(TIMEOUT)
    assert results == ["done\n"]
