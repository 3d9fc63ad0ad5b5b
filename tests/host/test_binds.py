"""A plugin connected to its host in every way that there is."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plugsvc.errors import PluginFailed, ProtocolError, RegistrationError
from plugsvc.host import (
    Command,
    Context,
    Limits,
    Plugin,
    Registry,
    execute,
    with_anonymous_pipe,
    with_anonymous_pipe_by_procfs,
    with_bind_func,
)
from plugsvc.host.binds import BINDS, bind_of
from plugsvc.host.binds.fifo import FifoBind
from plugsvc.host.settings import Next

from .conftest import ROOT, TIMEOUT, one, run

Write = Callable[..., str]
BIND_NAMES = [name for name in BINDS if name != "shm"]
"""Those whose ends are descriptors; tests/host/test_bind_shm.py has the other one."""


@pytest.fixture(params=BIND_NAMES)
def bind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_plugin_calls_services(bind: str, plugin: Write, registry: Registry, calls: list[Any]) -> None:
    path = plugin("""
        pair = connect()
        for value in (1, "ä", None, [{"a": 1.5}], "x" * 3000):
            assert call(pair, "note", value)["reply"] == [value]
        print(call(pair, "fail", "boom")["error"], call(pair, "zz")["error"], len(paths))
    """)
    urls = 2 if bind in ("devfd", "procfs", "fifo") else 1
    assert run(path, bind=registry.bind(bind)) == f'boom undefined service "zz" {urls}\n'
    assert calls == [1, "ä", None, [{"a": 1.5}], "x" * 3000]


def test_every_byte_passes(bind: str, plugin: Write, registry: Registry, calls: list[Any]) -> None:
    """A terminal that is not raw would turn some of these into signals, echoes and line ends."""
    text = "".join(map(chr, [*range(0x20, 0x80), *range(0xA0, 0x100)])) + "\r\n\t\x7f"
    path = plugin(f"""
        pair = connect()
        text = {text!r}
        os.write(pair[1], b"\\r\\n \\t" * 50)
        for _ in range(20):
            assert call(pair, "note", text * 20)["reply"] == [text * 20]
    """)
    run(path, bind=registry.bind(bind))
    assert calls == [text * 20] * 20


@pytest.mark.parametrize(
    "body",
    ["", "connect()", "os.close(connect()[1])", "paths[-1].startswith('/') and os.open(paths[-1], os.O_WRONLY)"],
)
def test_a_plugin_need_not_use_its_connection(bind: str, body: str, plugin: Write, registry: Registry) -> None:
    assert run(plugin(body + "\nprint('done')"), bind=registry.bind(bind)) == "done\n"


def test_either_end_may_be_opened_first(bind: str, plugin: Write, registry: Registry, calls: list[Any]) -> None:
    path = plugin("""
        if len(paths) == 2:
            writer = os.open(paths[1], os.O_WRONLY)
            reader = os.open(paths[0], os.O_RDONLY)
            call((reader, writer), "note", 1)
        else:
            call(connect(), "note", 1)
    """)
    run(path, bind=registry.bind(bind))
    assert calls == [1]


def test_the_other_end_may_be_opened_after_the_first_request(
    bind: str, plugin: Write, registry: Registry, calls: list[Any]
) -> None:
    path = plugin("""
        if len(paths) == 2:
            writer = os.open(paths[1], os.O_WRONLY)
            os.write(writer, b'{"sequence":1,"type":"call","namespace":"test","name":"note","args":[1]}')
            reader = os.open(paths[0], os.O_RDONLY)
            assert os.read(reader, 100) == b'{"sequence":1,"reply":[1]}\\n'
    """)
    run(path, bind=registry.bind(bind))


def test_calls_left_unanswered_are_no_failure(bind: str, plugin: Write, registry: Registry) -> None:
    release = threading.Event()

    @registry.service("test")
    def wait() -> None:
        assert release.wait(TIMEOUT)

    path = plugin("""
        pair = connect()
        for sequence in range(20):
            request = {"sequence": sequence, "type": "call", "namespace": "test", "name": "wait", "args": []}
            os.write(pair[1], json.dumps(request).encode())
        print("done")
    """)
    assert run(path, bind=registry.bind(bind)) == "done\n"
    release.set()


def test_last_words_are_heard(bind: str, plugin: Write, registry: Registry, calls: list[Any]) -> None:
    """What a plugin sends and does not wait for is carried out all the same."""
    heard = threading.Event()

    @registry.service("test")
    def touch() -> None:
        heard.set()

    path = plugin("""
        pair = connect()
        os.write(pair[1], b'{"sequence":1,"type":"call","namespace":"test","name":"touch","args":[]}')
    """)
    run(path, bind=registry.bind(bind))
    assert heard.wait(TIMEOUT)


@pytest.mark.parametrize(
    ("body", "text", "status", "number"),
    [
        ("sys.exit(7)", "plugin small run ended with status 7", 7, None),
        ("sys.exit('why')", "plugin small run ended with status 1: why", 1, None),
        ("os.kill(os.getpid(), 9)", "plugin small run was killed by signal 9 (SIGKILL)", None, 9),
    ],
)
@pytest.mark.parametrize("first", ["", "pair = connect(); call(pair, 'zz')\n"])
def test_failures_tell_status_or_signal(
    bind: str, body: str, text: str, status: int, number: int, first: str, plugin: Write, registry: Registry
) -> None:
    with pytest.raises(PluginFailed, match=f"^{re.escape(text)}$") as caught:
        run(plugin(first + body), bind=registry.bind(bind))
    assert (caught.value.status, caught.value.signal) == (status, number)
    assert caught.value.stderr == ("why\n" if "why" in body else "")


def test_malformed_input_is_a_failure_even_with_status_0(bind: str, plugin: Write, registry: Registry) -> None:
    path = plugin("""
        pair = connect()
        call(pair, "zz")
        os.write(pair[1], b"}")
        try:
            assert os.read(pair[0], 1) == b""
        except OSError as error:
            assert len(paths) == 1, error
    """)
    with pytest.raises(PluginFailed, match="ended with status 0, after protocol error: ") as caught:
        run(path, bind=registry.bind(bind))
    assert caught.value.status == 0
    assert isinstance(caught.value.__cause__, ProtocolError)


def test_the_last_replies_are_not_lost(bind: str, plugin: Write, registry: Registry, calls: list[Any]) -> None:
    """After something malformed the host closes both ends, but what it has written before is still there."""
    path = plugin("""
        pair = connect()
        request = b'{"sequence":%d,"type":"call","namespace":"test","name":"note","args":["' + b"x" * 100 + b'"]}'
        os.write(pair[1], b"".join(request % number for number in range(20)) + b"}")
        signal.sigtimedwait([signal.SIGUSR1], 0.2)
        text = b""
        try:
            while more := os.read(pair[0], 100):
                text += more
        except OSError as error:
            assert len(paths) == 1, error
        print(text.count(b"\\n"), file=sys.stderr)
    """)
    failures: list[Exception] = []

    def keep(context: Any, plugin: Any, command: Any, next: Next) -> None:
        try:
            next()
        except PluginFailed as error:
            failures.append(error)

    with (Path(path).with_name("out")).open("w+") as file:
        execute(one(path), (), bind=registry.bind(bind), stderr=file, interceptors=[keep])
        file.seek(0)
        assert file.read() == "20\n"
    assert len(failures) == 1


def test_an_end_amid_a_message_is_a_failure(bind: str, plugin: Write, registry: Registry) -> None:
    with pytest.raises(PluginFailed, match="in the middle of a message"):
        run(plugin("os.write(connect()[1], b'{')"), bind=registry.bind(bind))


def test_a_grandchild_that_keeps_the_connection_is_not_waited_for(bind: str, plugin: Write, registry: Registry) -> None:
    path = plugin("""
        pair = connect()
        child = os.fork()
        if child == 0:
            signal.pause()
        call(pair, "zz")
        print(child)
    """)
    child = run(path, bind=registry.bind(bind))
    os.kill(int(child), signal.SIGKILL)


def test_the_plugin_sees_the_end_of_its_host(bind: str, plugin: Write, tmp_path: Path) -> None:
    path = plugin("""
        pair = connect()
        call(pair, "zz")
        with open(sys.argv[-1], "w") as file:
            print(os.getppid(), file=file, flush=True)
            try:
                print(os.read(pair[0], 1), file=file)
            except OSError as error:
                print(error.errno == 5 and b"", file=file)
    """)
    os.mkfifo(tmp_path / "fifo")
    host = f"""
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        from plugsvc.host import *
        target = next(iterate_all([new_plugin({path!r})]))
        execute([target], [{str(tmp_path / "fifo")!r}], bind=Registry().bind({bind!r}))
    """
    command = [sys.executable, "-c", "\n".join(map(str.strip, host.splitlines()))]
    # A killed host cannot remove its named pipes.
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=env) as process, (tmp_path / "fifo").open() as file:
        assert int(file.readline()) == process.pid
        process.kill()
        assert file.readline() == "b''\n"


def test_many_executions_leak_nothing(bind: str, plugin: Write, registry: Registry, calls: list[Any]) -> None:
    targets = one(plugin("call(connect(), 'note', 1)")) * 12
    assert len(execute(targets, (), bind=registry.bind(bind), parallelism=4)) == 12
    assert calls == [1] * 12


def test_inherited_pipes_are_the_only_descriptors(plugin: Write, registry: Registry) -> None:
    assert run(plugin("print(sorted(map(int, os.listdir('/proc/self/fd')))[:3], len(os.listdir('/proc/self/fd')))"),
               registry.bind(with_anonymous_pipe())) == "[0, 1, 2] 6\n"  # fmt: skip


def test_procfs_elsewhere(plugin: Write, registry: Registry, calls: list[Any], tmp_path: Path) -> None:
    (tmp_path / "proc").symlink_to("/proc")
    path = plugin("print(paths[0]); call(connect(), 'note', 1)")
    out = run(path, bind=registry.bind(with_anonymous_pipe_by_procfs(tmp_path / "proc")))
    assert out.startswith(f"{tmp_path}/proc/{os.getpid()}/fd/")
    assert calls == [1]


def test_named_pipes_are_private_and_removed(plugin: Write, registry: Registry, tmp_path: Path) -> None:
    path = plugin("print(paths[0]); print(oct(os.stat(os.path.dirname(paths[0])).st_mode))")
    (tmp_path / "where").mkdir()
    out = run(path, bind=registry.bind(FifoBind(tmp_path / "where"))).split()
    assert out[0].startswith(str(tmp_path / "where"))
    assert out[1] == "0o40700"
    assert list((tmp_path / "where").iterdir()) == []


def test_a_bind_function(plugin: Write, registry: Registry, calls: list[Any], tmp_path: Path) -> None:
    """It shuttles the bytes through named pipes of its own."""
    seen: list[Any] = []
    out, into = tmp_path / "out", tmp_path / "in"

    def shuttle(source: io.FileIO, target: io.FileIO) -> None:
        while data := source.read(65536):
            target.write(data)

    def connect(
        context: Context, plugin: Plugin, command: Command, reader: io.FileIO, writer: io.FileIO, next: Next
    ) -> None:
        seen.append((context.reason, plugin.name, command.type))
        os.mkfifo(out)
        os.mkfifo(into)
        # Both ends at once, so that nobody waits for the plugin to open its own.
        with (
            open(os.open(out, os.O_RDWR), "wb", 0) as to_plugin,
            open(os.open(into, os.O_RDONLY | os.O_NONBLOCK), "rb", 0) as requests,
        ):
            os.set_blocking(requests.fileno(), True)
            with open(os.open(into, os.O_WRONLY), "wb", 0):
                replies = threading.Thread(target=shuttle, args=(reader, to_plugin))
                asking = threading.Thread(target=shuttle, args=(requests, writer))
                replies.start()
                asking.start()
                exit = next(prepend_args=["--host", f"file://{out}", "--host", f"file://{into}"])
                seen.append(exit.ok)
            asking.join(TIMEOUT)
            writer.close()
            replies.join(TIMEOUT)

    assert (
        run(plugin("call(connect(), 'note', 1); print('done')"), bind=registry.bind(with_bind_func(connect)))
        == "done\n"
    )
    assert seen == [(None, "small", "one"), True]
    assert calls == [1]


def test_a_bind_function_may_hand_on_its_descriptors(plugin: Write, registry: Registry, calls: list[Any]) -> None:

    def connect(*given: Any) -> None:
        reader, writer, next = given[3:]

        def started() -> None:
            reader.close()
            writer.close()

        fds = reader.fileno(), writer.fileno()
        urls = [word for fd in fds for word in ("--host", f"file:///dev/fd/{fd}")]
        next(prepend_args=urls, pass_fds=fds, on_start=started)

    run(plugin("call(connect(), 'note', 1)"), bind=registry.bind(with_bind_func(connect)))
    assert calls == [1]


def test_a_bind_function_has_to_call_next(plugin: Write, registry: Registry) -> None:
    with pytest.raises(RegistrationError, match="returned without calling next"):
        run(plugin(), bind=registry.bind(with_bind_func(lambda *given: None)))


def test_what_a_bind_function_raises_is_raised(plugin: Write, registry: Registry) -> None:
    def broken(*given: Any) -> None:
        raise LookupError("no way")

    with pytest.raises(LookupError, match="no way"):
        run(plugin(), bind=registry.bind(with_bind_func(broken)))


def test_limits_of_the_connection(plugin: Write, registry: Registry) -> None:
    path = plugin("pair = connect(); os.write(pair[1], b'{' + b' ' * 2000); os.read(pair[0], 1)")
    with pytest.raises(PluginFailed, match="protocol error"):
        run(path, bind=registry.bind(), limits=Limits(max_message=1000))


@pytest.mark.parametrize("bind", ["procfs", "pty"])
def test_paths_lead_to_the_connection_after_the_host_has_given_it_up(
    bind: str, plugin: Write, registry: Registry, tmp_path: Path
) -> None:
    """A plugin that comes late must find an end, and not something that has got the same number or name."""
    path = plugin("""
        sys.stdin.read(1)
        try:
            print(os.read(connect()[0], 100))
        except OSError as error:
            print(error.strerror)
    """)
    read, write = os.pipe()
    servers: list[Any] = []

    def keep(context: Context, plugin: Plugin, command: Command, next: Next) -> None:
        next(on_start=give_up, stdin=read)

    def give_up() -> None:
        for server in servers:
            server.close()
            assert server.wait(TIMEOUT)
        taken.extend(os.pipe())  # takes the lowest numbers that are free
        taken.extend(os.openpty())
        os.write(write, b"x")

    class Remembering:
        name = bind

        def run(self, context: Any, plugin: Any, command: Any, serve: Any, next: Any) -> Any:
            def remember(channel: Any) -> Any:
                servers.append(serve(channel))
                return servers[-1]

            return bind_of(bind).run(context, plugin, command, remember, next)

    taken: list[int] = []
    try:
        out = run(path, bind=registry.bind(Remembering()), interceptors=[keep])
        assert out in ("b''\n", "No such file or directory\n")
    finally:
        for fd in (read, write, *taken):
            os.close(fd)
