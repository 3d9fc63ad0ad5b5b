"""Plugins at work: connected in every way, and their outcome told truly."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plugsvc.errors import PluginFailed, ProtocolError, RegistrationError, ServiceError
from plugsvc.host import (
    Command,
    Context,
    Exit,
    Launch,
    Manifest,
    Plugin,
    Registry,
    execute,
    iterate_all,
    iterate_typed,
    new_plugin,
    with_anonymous_pipe,
    with_anonymous_pipe_by_procfs,
    with_bind_func,
    with_cwd,
    with_env,
    with_executor,
    with_generator,
    with_grace,
    with_handler,
    with_interceptor,
    with_parallelism,
    with_prepend_args,
    with_server_limits,
    with_spec_flags,
    with_stdout,
    with_timeout,
)
from plugsvc.host.binds import BINDS
from plugsvc.host.binds.fifo import FifoBind
from plugsvc.host.settings import Next

from .conftest import PATIENCE, ROOT

Write = Callable[..., str]
BIND_NAMES = list(BINDS)


@pytest.fixture
def calls(registry: Registry) -> list[Any]:
    """What the service `note` was called with."""
    seen: list[Any] = []

    @registry.service("test")
    def note(value: Any) -> Any:
        seen.append(value)
        return value

    @registry.service("test")
    def fail(text: str) -> None:
        raise ServiceError(text)

    return seen


def one(path: str) -> list[tuple[Plugin, Command]]:
    """The first command only."""
    return [*iterate_typed([new_plugin(path)], "one")]


def run(path: str, *options: Any, args: tuple[str, ...] = (), **keywords: Any) -> str:
    (completed,) = execute(one(path), args, *options, **keywords)
    return completed.stdout


# Binds.


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
    urls = 1 if bind == "pty" else 2
    assert run(path, registry.bind(bind)) == f'boom undefined service "zz" {urls}\n'
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
    run(path, registry.bind(bind))
    assert calls == [text * 20] * 20


@pytest.mark.parametrize("body", ["", "connect()", "os.close(connect()[1])", "os.open(paths[-1], os.O_WRONLY)"])
def test_a_plugin_need_not_use_its_connection(bind: str, body: str, plugin: Write, registry: Registry) -> None:
    assert run(plugin(body + "\nprint('done')"), registry.bind(bind)) == "done\n"


def test_either_end_may_be_opened_first(bind: str, plugin: Write, registry: Registry, calls: list[Any]) -> None:
    path = plugin("""
        if len(paths) == 2:
            writer = os.open(paths[1], os.O_WRONLY)
            reader = os.open(paths[0], os.O_RDONLY)
            call((reader, writer), "note", 1)
        else:
            call(connect(), "note", 1)
    """)
    run(path, registry.bind(bind))
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
    run(path, registry.bind(bind))


def test_calls_left_unanswered_are_no_failure(bind: str, plugin: Write, registry: Registry) -> None:
    release = threading.Event()

    @registry.service("test")
    def wait() -> None:
        assert release.wait(PATIENCE)

    path = plugin("""
        pair = connect()
        for sequence in range(20):
            request = {"sequence": sequence, "type": "call", "namespace": "test", "name": "wait", "args": []}
            os.write(pair[1], json.dumps(request).encode())
        print("done")
    """)
    assert run(path, registry.bind(bind)) == "done\n"
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
    run(path, registry.bind(bind))
    assert heard.wait(PATIENCE)


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
        run(plugin(first + body), registry.bind(bind))
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
        run(path, registry.bind(bind))
    assert caught.value.status == 0
    assert isinstance(caught.value.__cause__, ProtocolError)


def test_an_end_amid_a_message_is_a_failure(bind: str, plugin: Write, registry: Registry) -> None:
    with pytest.raises(PluginFailed, match="in the middle of a message"):
        run(plugin("os.write(connect()[1], b'{')"), registry.bind(bind))


def test_a_grandchild_that_keeps_the_connection_is_not_waited_for(bind: str, plugin: Write, registry: Registry) -> None:
    path = plugin("""
        pair = connect()
        child = os.fork()
        if child == 0:
            signal.pause()
        call(pair, "zz")
        print(child)
    """)
    child = run(path, registry.bind(bind))
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
        execute([next(iterate_all([new_plugin({path!r})]))], [{str(tmp_path / "fifo")!r}], Registry().bind({bind!r}))
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
    assert len(execute(targets, (), registry.bind(bind), with_parallelism(4))) == 12
    assert calls == [1] * 12


def test_inherited_pipes_are_the_only_descriptors(plugin: Write, registry: Registry) -> None:
    assert run(plugin("print(sorted(map(int, os.listdir('/proc/self/fd')))[:3], len(os.listdir('/proc/self/fd')))"),
               registry.bind(with_anonymous_pipe())) == "[0, 1, 2] 6\n"  # fmt: skip


def test_procfs_elsewhere(plugin: Write, registry: Registry, calls: list[Any], tmp_path: Path) -> None:
    (tmp_path / "proc").symlink_to("/proc")
    path = plugin("print(paths[0]); call(connect(), 'note', 1)")
    out = run(path, registry.bind(with_anonymous_pipe_by_procfs(tmp_path / "proc")))
    assert out.startswith(f"{tmp_path}/proc/{os.getpid()}/fd/")
    assert calls == [1]


def test_named_pipes_are_private_and_removed(plugin: Write, registry: Registry, tmp_path: Path) -> None:
    path = plugin("print(paths[0]); print(oct(os.stat(os.path.dirname(paths[0])).st_mode))")
    (tmp_path / "where").mkdir()
    out = run(path, registry.bind(FifoBind(tmp_path / "where"))).split()
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
                exit = next(with_prepend_args("--host", f"file://{out}", "--host", f"file://{into}"))
                seen.append(exit.ok)
            asking.join(PATIENCE)
            writer.close()
            replies.join(PATIENCE)

    assert run(plugin("call(connect(), 'note', 1); print('done')"), registry.bind(with_bind_func(connect))) == "done\n"
    assert seen == [(None, "small", "one"), True]
    assert calls == [1]


def test_a_bind_function_may_hand_on_its_descriptors(plugin: Write, registry: Registry, calls: list[Any]) -> None:
    from plugsvc.host import with_on_start, with_pass_fds

    def connect(*given: Any) -> None:
        reader, writer, next = given[3:]

        def started() -> None:
            reader.close()
            writer.close()

        fds = reader.fileno(), writer.fileno()
        urls = [word for fd in fds for word in ("--host", f"file:///dev/fd/{fd}")]
        next(with_prepend_args(*urls), with_pass_fds(*fds), with_on_start(started))

    run(plugin("call(connect(), 'note', 1)"), registry.bind(with_bind_func(connect)))
    assert calls == [1]


def test_a_bind_function_has_to_call_next(plugin: Write, registry: Registry) -> None:
    with pytest.raises(RegistrationError, match="returned without calling next"):
        run(plugin(), registry.bind(with_bind_func(lambda *given: None)))


def test_what_a_bind_function_raises_is_raised(plugin: Write, registry: Registry) -> None:
    def broken(*given: Any) -> None:
        raise LookupError("no way")

    with pytest.raises(LookupError, match="no way"):
        run(plugin(), registry.bind(with_bind_func(broken)))


def test_one_registry_per_execution(plugin: Write, registry: Registry) -> None:
    with pytest.raises(RegistrationError, match="can be bound to one registry only"):
        run(plugin(), registry.bind(), Registry().bind())


def test_limits_of_the_connection(plugin: Write, registry: Registry) -> None:
    path = plugin("pair = connect(); os.write(pair[1], b'{' + b' ' * 2000); os.read(pair[0], 1)")
    with pytest.raises(PluginFailed, match="protocol error"):
        run(path, registry.bind(), with_server_limits(max_message=1000))


# The command line and the process.


def test_the_command_line(plugin: Write) -> None:
    path = plugin("print(sys.argv[1:])")
    options = [with_prepend_args("--a", "b"), with_spec_flags(["small:run.x=1", "other.y"]), with_prepend_args("--c")]
    assert run(path, *options, args=("last",)) == "['run', '--a', 'b', '--c', '-x', '1', 'last']\n"


def test_surroundings(plugin: Write, tmp_path: Path) -> None:
    path = plugin("print(os.getcwd(), dict(os.environ).get('X'))")
    assert run(path, with_cwd(tmp_path), with_env({"X": "y"})) == f"{tmp_path} y\n"


def test_output_to_a_file(plugin: Write, tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        assert run(plugin("print('text')"), with_stdout(file)) == ""
    assert (tmp_path / "out").read_text() == "text\n"


def test_a_chatty_plugin_blocks_nobody(plugin: Write, registry: Registry, calls: list[Any]) -> None:
    path = plugin("""
        pair = connect()
        for number in range(50):
            print("x" * 10_000)
            print("y" * 10_000, file=sys.stderr)
            call(pair, "note", number)
    """)
    assert len(run(path, registry.bind())) == 65536
    assert calls == list(range(50))


def test_an_executable_that_is_gone(plugin: Write) -> None:
    path = plugin()
    targets = one(path)
    os.unlink(path)
    with pytest.raises(PluginFailed, match="plugin small run cannot be started: No such file or directory"):
        execute(targets)


def test_an_executor_of_ones_own(plugin: Write) -> None:
    def through_env(launch: Launch, start: Callable[[Launch], Exit]) -> Exit:
        env = shutil.which("env")
        assert env
        from dataclasses import replace

        return start(replace(launch, argv=(env, "Y=z", *launch.argv)))

    assert run(plugin("print(os.environ['Y'])"), with_executor(through_env)) == "z\n"


def test_an_executor_returns_how_it_ended(plugin: Write) -> None:
    with pytest.raises(PluginFailed, match="ended with status 3"):
        run(plugin(), with_executor(lambda launch, start: Exit(3)))
    with pytest.raises(RegistrationError, match="returned None instead of an Exit"):
        run(plugin(), with_executor(lambda launch, start: None))  # type: ignore[arg-type,return-value]


# Which and how often.


def test_iterators() -> None:
    a, b, c = Command(("a",), "t"), Command(("b",), "u"), Command(("c",), "t")
    first, second = Plugin("/1", Manifest(1, "1", commands=(a, b))), Plugin("/2", Manifest(1, "2", commands=(c,)))
    nothing = Plugin("/3", Manifest(1, "3", commands=None))
    assert list(iterate_all([first, nothing, second])) == [(first, a), (first, b), (second, c)]
    assert list(iterate_typed([first, second], "t")) == [(first, a), (second, c)]


def test_a_plugin_stands_for_all_its_commands(plugin: Write) -> None:
    found = new_plugin(plugin("print(sys.argv[1:])"))
    assert [each.stdout for each in execute(found)] == ["['run']\n", "['run', 'twice']\n"]


def test_interceptors_are_around_each_other(plugin: Write) -> None:
    order: list[Any] = []

    def noting(name: str) -> Any:
        def intercept(context: Context, plugin: Plugin, command: Command, next: Next) -> None:
            order.append((name, plugin.name, command.path))
            exit = next(with_prepend_args(name))
            order.append((name, exit.stdout))

        return with_interceptor(intercept)

    run(plugin("print(sys.argv[1:])"), noting("outer"), noting("inner"))
    printed = b"['run', 'outer', 'inner']\n"
    run_ = ("run",)
    assert order == [("outer", "small", run_), ("inner", "small", run_), ("inner", printed), ("outer", printed)]


def test_an_interceptor_sees_the_failure_and_may_forgive(plugin: Write) -> None:
    seen: list[Exception] = []

    def forgive(context: Context, plugin: Plugin, command: Command, next: Next) -> None:
        try:
            next()
        except PluginFailed as error:
            seen.append(error)

    assert execute(one(plugin("sys.exit(3)")), (), with_interceptor(forgive)) == []
    assert [str(error) for error in seen] == ["plugin small run ended with status 3"]


def test_an_interceptor_may_keep_it_from_happening(plugin: Write) -> None:
    assert execute(one(plugin("print('ran')")), (), with_interceptor(lambda *given: None)) == []


def test_a_generator_repeats(plugin: Write, registry: Registry, calls: list[Any]) -> None:
    generate = with_generator(lambda plugin, command: [[with_prepend_args(each)] for each in "abc"])
    path = plugin("call(connect(), 'note', sys.argv[2]); print(sys.argv[2])")
    completed = execute(one(path), (), generate, registry.bind())
    assert [each.stdout for each in completed] == ["a\n", "b\n", "c\n"]
    assert calls == ["a", "b", "c"]


def test_side_by_side(plugin: Write, registry: Registry) -> None:
    """Each waits until both are there."""
    barrier = threading.Barrier(2)

    @registry.service("test")
    def meet() -> None:
        barrier.wait(PATIENCE)

    path = plugin("reply = call(connect(), 'meet'); assert 'error' not in reply, reply")
    assert len(execute(new_plugin(path), (), registry.bind(), with_parallelism(2))) == 2


def test_one_failure_of_many_is_raised_at_the_end(plugin: Write) -> None:
    path = plugin("print(sys.argv[1:]); sys.exit(len(sys.argv) == 2)")
    ran: list[tuple[str, ...]] = []

    def note(context: Context, plugin: Plugin, command: Command, next: Next) -> None:
        ran.append(command.path)
        next()

    with pytest.raises(PluginFailed, match="plugin small run ended with status 1"):
        execute(new_plugin(path), (), with_interceptor(note))
    assert ran == [("run",), ("run", "twice")]


def test_several_failures_are_a_group(plugin: Write) -> None:
    with pytest.raises(ExceptionGroup, match="2 executions failed") as caught:
        execute(new_plugin(plugin("sys.exit(2)")))
    assert [str(each) for each in caught.value.exceptions] == [
        "plugin small run ended with status 2",
        "plugin small run twice ended with status 2",
    ]


def test_a_handler_gets_the_failures(plugin: Write) -> None:
    failures: list[tuple[Any, ...]] = []
    path = plugin("sys.exit(len(sys.argv) == 2)")
    completed = execute(new_plugin(path), (), with_handler(lambda *failure: failures.append(failure)))
    assert [each.command.path for each in completed] == [("run", "twice")]
    assert [(plugin.name, command.path, str(error)) for plugin, command, error in failures] == [
        ("small", ("run",), "plugin small run ended with status 1")
    ]


@pytest.mark.parametrize("parallelism", [1, 2])
def test_a_handler_that_raises_ends_it_all(parallelism: int, plugin: Write) -> None:
    def handler(plugin: Plugin, command: Command, error: Exception) -> None:
        raise LookupError("stop")

    with pytest.raises(LookupError, match="stop"):
        execute(one(plugin("sys.exit(1)")) * 5, (), with_handler(handler), with_parallelism(parallelism))


@pytest.mark.parametrize("option", [None, 5, "x"])
def test_what_is_no_option(option: Any, plugin: Write) -> None:
    with pytest.raises(RegistrationError, match="is not an execution option"):
        execute([], (), option)


def test_parallelism_is_positive() -> None:
    with pytest.raises(RegistrationError, match="parallelism must be at least 1, not 0"):
        with_parallelism(0)


# Ends.


def test_a_time_limit(plugin: Write, registry: Registry) -> None:
    text = r"was stopped \(not finished within 0.3 s\) and was killed by signal 15 \(SIGTERM\)"
    with pytest.raises(PluginFailed, match=text) as caught:
        run(plugin("signal.pause()"), registry.bind(), with_timeout(0.3))
    assert caught.value.signal == signal.SIGTERM


def test_cancellation_kills_the_group(plugin: Write, registry: Registry) -> None:
    context = Context()

    @registry.service("test")
    def ready(pid: int) -> None:
        pids.append(pid)
        context.cancel("enough")

    pids: list[int] = []
    path = plugin("""
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                signal.pause()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        call(connect(), "ready", child)
        while True:
            signal.pause()
    """)
    with pytest.raises(PluginFailed, match=r"was stopped \(enough\) and was killed by signal 9 \(SIGKILL\)"):
        run(path, registry.bind(), with_grace(0.1), context=context)
    deadline = time.monotonic() + PATIENCE
    while Path(f"/proc/{pids[0]}").exists() and " Z " not in Path(f"/proc/{pids[0]}/stat").read_text():
        assert time.monotonic() < deadline, "the grandchild lives on"


def test_a_cancelled_context_starts_nothing(plugin: Write) -> None:
    context = Context()
    context.cancel("too late")
    with pytest.raises(PluginFailed, match="execution stopped: too late"):
        run(plugin("print('ran')"), context=context)


def test_cancellation_ends_the_rest(plugin: Write, registry: Registry) -> None:
    context = Context()

    @registry.service("test")
    def stop() -> None:
        context.cancel("enough")

    targets = one(plugin("call(connect(), 'stop'); signal.pause()")) * 3
    with pytest.raises(PluginFailed, match=r"was stopped \(enough\) and was killed by signal 15"):
        execute(targets, (), registry.bind(), context=context)


def test_ctrl_c_takes_the_plugin_along(plugin: Write, tmp_path: Path) -> None:
    path = plugin("""
        with open(sys.argv[-1], "w") as file:
            print(os.getpid(), file=file, flush=True)
            signal.signal(signal.SIGTERM, lambda *_: None)
            while True:
                signal.pause()
    """)
    os.mkfifo(tmp_path / "fifo")
    host = f"""
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        from plugsvc.host import *
        execute([next(iterate_all([new_plugin({path!r})]))], [{str(tmp_path / "fifo")!r}], Registry().bind())
    """
    command = [sys.executable, "-c", "\n".join(map(str.strip, host.splitlines()))]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        with (tmp_path / "fifo").open() as file:
            file.readline()
            process.send_signal(signal.SIGINT)
            # The end of the stream: the plugin is gone.
            assert file.readline() == ""
        _, stderr = process.communicate(timeout=PATIENCE)
    assert stderr.rstrip().endswith(b"KeyboardInterrupt")
