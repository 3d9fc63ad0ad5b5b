"""Plugins at work: which commands, how often, and with what outcome."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from plugsvc.errors import PluginFailed, RegistrationError
from plugsvc.host import (
    Command,
    Context,
    Exit,
    Launch,
    Limits,
    Manifest,
    Plugin,
    Registry,
    Server,
    execute,
    iterate_all,
    iterate_typed,
    new_plugin,
)
from plugsvc.host.binds import BINDS
from plugsvc.host.settings import ExecuteOptions, Next, NextOptions, Options

from .conftest import ROOT, TIMEOUT, one, run

Write = Callable[..., str]


# The command line and the process.


def test_the_command_line(plugin: Write) -> None:
    path = plugin("print(sys.argv[1:])")
    options: ExecuteOptions = {
        "prepend_args": ["--a", "b"],
        "spec_flags": ["small:run.x=1", "other.y"],
        "interceptors": [lambda context, plugin, command, next: next(prepend_args=["--c"], spec_flags=["small.z"])],
    }
    assert run(path, args=("last",), **options) == "['run', '--a', 'b', '--c', '-x', '1', '-z', 'last']\n"


def test_surroundings(plugin: Write, tmp_path: Path) -> None:
    path = plugin("print(os.getcwd(), dict(os.environ).get('X'))")
    assert run(path, cwd=tmp_path, env={"X": "y"}) == f"{tmp_path} y\n"


def test_output_to_a_file(plugin: Write, tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        assert run(plugin("print('text')"), stdout=file) == ""
    assert (tmp_path / "out").read_text() == "text\n"


def test_a_chatty_plugin_blocks_nobody(plugin: Write, registry: Registry, calls: list[Any]) -> None:
    path = plugin("""
        pair = connect()
        for number in range(50):
            print("x" * 10_000)
            print("y" * 10_000, file=sys.stderr)
            call(pair, "note", number)
    """)
    assert len(run(path, bind=registry.bind())) == 65536
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
        return start(replace(launch, argv=(env, "Y=z", *launch.argv)))

    assert run(plugin("print(os.environ['Y'])"), executor=through_env) == "z\n"


def test_an_executor_returns_how_it_ended(plugin: Write) -> None:
    with pytest.raises(PluginFailed, match="ended with status 3"):
        run(plugin(), executor=lambda launch, start: Exit(3))
    with pytest.raises(RegistrationError, match="returned None instead of an Exit"):
        run(plugin(), executor=lambda launch, start: None)  # type: ignore[return-value, arg-type, unused-ignore]


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
            exit = next(prepend_args=[name])
            order.append((name, exit.stdout))

        return intercept

    run(plugin("print(sys.argv[1:])"), interceptors=[noting("outer"), noting("inner")])
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

    assert execute(one(plugin("sys.exit(3)")), (), interceptors=[forgive]) == []
    assert [str(error) for error in seen] == ["plugin small run ended with status 3"]


def test_an_interceptor_may_keep_it_from_happening(plugin: Write) -> None:
    assert execute(one(plugin("print('ran')")), (), interceptors=[lambda *given: None]) == []


def test_a_generator_repeats(plugin: Write, registry: Registry, calls: list[Any]) -> None:
    def generate(plugin: Plugin, command: Command) -> Iterator[Options]:
        for letter in "abc":
            yield {"prepend_args": [letter]}

    path = plugin("call(connect(), 'note', sys.argv[2]); print(sys.argv[2])")
    completed = execute(one(path), (), generator=generate, bind=registry.bind())
    assert [each.stdout for each in completed] == ["a\n", "b\n", "c\n"]
    assert calls == ["a", "b", "c"]


def test_side_by_side(plugin: Write, registry: Registry) -> None:
    """Each waits until both are there."""
    barrier = threading.Barrier(2)

    @registry.service("test")
    def meet() -> None:
        barrier.wait(TIMEOUT)

    path = plugin("reply = call(connect(), 'meet'); assert 'error' not in reply, reply")
    assert len(execute(new_plugin(path), (), bind=registry.bind(), parallelism=2)) == 2


def test_one_failure_of_many_is_raised_at_the_end(plugin: Write) -> None:
    path = plugin("print(sys.argv[1:]); sys.exit(len(sys.argv) == 2)")
    ran: list[tuple[str, ...]] = []

    def note(context: Context, plugin: Plugin, command: Command, next: Next) -> None:
        ran.append(command.path)
        next()

    with pytest.raises(PluginFailed, match="plugin small run ended with status 1"):
        execute(new_plugin(path), (), interceptors=[note])
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
    completed = execute(new_plugin(path), (), handler=lambda *failure: failures.append(failure))
    assert [each.command.path for each in completed] == [("run", "twice")]
    assert [(plugin.name, command.path, str(error)) for plugin, command, error in failures] == [
        ("small", ("run",), "plugin small run ended with status 1")
    ]


@pytest.mark.parametrize("parallelism", [1, 2])
def test_a_handler_that_raises_ends_it_all(parallelism: int, plugin: Write) -> None:
    def handler(plugin: Plugin, command: Command, error: Exception) -> None:
        raise LookupError("stop")

    with pytest.raises(LookupError, match="stop"):
        execute(one(plugin("sys.exit(1)")) * 5, (), handler=handler, parallelism=parallelism)


@pytest.mark.parametrize("parallelism", [1, 2])
def test_an_interceptor_may_end_the_program(parallelism: int, plugin: Write) -> None:
    def leave(*given: Any) -> None:
        raise SystemExit(5)

    with pytest.raises(SystemExit):
        execute(one(plugin()), (), interceptors=[leave], parallelism=parallelism)


def test_a_generator_yields_options_of_single_executions(plugin: Write) -> None:
    text = r"^'parallelism' is not an option of a single execution$"
    with pytest.raises(RegistrationError, match=text):
        execute(one(plugin()), generator=lambda plugin, command: [{"parallelism": 2}])  # type: ignore[typeddict-unknown-key,unused-ignore,list-item]
    with pytest.raises(RegistrationError, match=r"^the generator .* yielded 'x' instead of a dict$"):
        execute(one(plugin()), generator=lambda plugin, command: ["x"])  # type: ignore[list-item]
    with pytest.raises(RegistrationError, match=r"^'colour' is not an option$"):
        execute(one(plugin()), interceptors=[lambda context, plugin, command, next: next(colour="red")])  # type: ignore[call-arg]


class Nameless:
    """A file without a descriptor."""

    def fileno(self) -> int:
        raise OSError("no descriptor")


SECONDS = "must be a number of seconds from 0 to 1e+09, not "
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"args": "abc"}, "args must be an iterable of strings, not 'abc'"),
    ({"args": 5}, "args must be an iterable of strings, not 5"),
    ({"args": ["a", 5]}, "args[1] must be a string, not 5"),
    ({"args": ["a\0"]}, "args[0] cannot be 'a\\x00': it has a null character"),
    (
        {"args": ["\ud800"]},
        "args[0] cannot be '\\ud800': it has a character that the file system's encoding cannot carry",
    ),
    ({"targets": "abc"}, "targets must be a Plugin or an iterable of (Plugin, Command), not 'abc'"),
    ({"targets": ["ab"]}, "each of targets must be a pair of Plugin and Command, not 'ab'"),
    ({"bind": "unix"}, "bind must be what Registry.bind returns, not 'unix'"),
    ({"parallelism": 0}, "parallelism must be at least 1, not 0"),
    ({"parallelism": 1.5}, "parallelism must be a whole number, not 1.5"),
    ({"parallelism": True}, "parallelism must be a whole number, not True"),
    ({"timeout": float("inf")}, f"timeout {SECONDS}inf"),
    ({"timeout": float("nan")}, f"timeout {SECONDS}nan"),
    ({"timeout": 1e10}, f"timeout {SECONDS}10000000000.0"),
    ({"timeout": -1}, f"timeout {SECONDS}-1"),
    ({"timeout": "5"}, f"timeout {SECONDS}'5'"),
    ({"grace": None}, f"grace {SECONDS}None"),
    ({"handler": 5}, "handler must be a function, not 5"),
    ({"prepend_args": "--x"}, "prepend_args must be an iterable of strings, not '--x'"),
    ({"spec_flags": "a.b"}, "spec_flags must be an iterable of strings, not 'a.b'"),
    ({"spec_flags": ["nonsense"]}, "'nonsense' is not a flag of the form name[:commandPath].flag[=value]"),
    ({"env": ["A=b"]}, "env must be a mapping of strings to strings, not ['A=b']"),
    ({"env": {"A": 5}}, "env['A'] must be a string, not 5"),
    ({"env": {"A": "\0"}}, "env['A'] cannot be '\\x00': it has a null character"),
    ({"env": {"A=B": "c"}}, "env has the key 'A=B', which cannot be the name of a variable"),
    ({"cwd": "/no/such/folder"}, "cwd must be a folder, but '/no/such/folder' does not exist"),
    ({"cwd": "/etc/passwd"}, "cwd must be a folder, but '/etc/passwd' is not a folder"),
    ({"cwd": b"/"}, "cwd must be a path, not b'/'"),
    ({"cwd": "a\0b"}, "cwd cannot be the path 'a\\x00b': it has a null character"),
    ({"stdin": "file"}, "stdin must be a descriptor or a file that has one, not 'file'"),
    ({"stdin": 9999}, "stdin must be an open descriptor, not 9999"),
    ({"stdout": "nope"}, "stdout must be 'capture', 'inherit', a file or a descriptor, not 'nope'"),
    ({"stderr": -1}, "stderr must be an open descriptor, not -1"),
    ({"pass_fds": 5}, "pass_fds must be an iterable of descriptors, not 5"),
    ({"pass_fds": [9999]}, "each of pass_fds must be an open descriptor, not 9999"),
    ({"on_start": "x"}, "on_start must be a function, not 'x'"),
    ({"interceptors": 5}, "interceptors must be an iterable of functions, not 5"),
    ({"interceptors": [5]}, "each of interceptors must be a function, not 5"),
    ({"generator": []}, "generator must be a function, not []"),
    ({"executor": "sudo"}, "executor must be a function, not 'sudo'"),
    ({"loop": 5}, "loop must be an event loop of asyncio, not 5"),
    ({"limits": {"max_running": 5}}, "limits must be a Limits, not {'max_running': 5}"),
    ({"limits": Limits(max_running=0)}, "max_running must be at least 1, not 0"),
    ({"limits": Limits(drain_timeout=-1)}, f"drain_timeout {SECONDS}-1"),
    ({"die_with_host": 1}, "die_with_host must be True or False, not 1"),
    ({"context": 5}, "context must be a Context, not 5"),
    ({"on_completed": 5}, "on_completed must be a function, not 5"),
]


@pytest.mark.parametrize(("options", "text"), REFUSED, ids=[str(options)[:40] for options, _ in REFUSED])
def test_every_option_is_checked_when_it_is_given(options: dict[str, Any], text: str) -> None:
    """Nothing is started, and the error is one line that names the option."""
    given: dict[str, Any] = {"targets": [], **options}
    with pytest.raises(RegistrationError) as caught:
        execute(**given)
    assert str(caught.value) == text
    assert "\n" not in text


def test_every_option_is_in_the_table_above() -> None:
    names = set(signature(execute).parameters)
    assert {name for options, _ in REFUSED for name in options} == names


def test_the_limits_are_those_of_a_server() -> None:
    parameters = signature(Server).parameters.values()
    assert {each.name: each.default for each in parameters if each.kind == each.KEYWORD_ONLY} == Limits()._asdict()


def test_a_file_without_a_descriptor() -> None:
    with pytest.raises(RegistrationError, match=r"^stdout must be a descriptor or a file that has one, not <"):
        execute([], stdout=Nameless())  # type: ignore[arg-type]


def test_options_that_are_passed_on_have_types() -> None:
    """`ExecuteOptions` has all that `execute` has, but what each function names itself."""
    names = set(signature(execute).parameters) - {"targets", "args", "context", "on_completed"}
    assert set(ExecuteOptions.__annotations__) == names
    assert set(NextOptions.__annotations__) - names == {"standard_streams"}


def test_a_working_folder_that_has_gone(plugin: Write, tmp_path: Path) -> None:
    """Between the check and the start."""
    folder = tmp_path / "folder"
    folder.mkdir()
    path = plugin()

    def remove(context: Context, plugin: Plugin, command: Command, next: Next) -> None:
        folder.rmdir()
        next()

    with pytest.raises(PluginFailed) as caught:
        run(path, cwd=folder, interceptors=[remove])
    assert str(caught.value) == f"plugin small run cannot be started: No such file or directory: {str(folder)!r}"


def test_an_argument_that_an_executor_has_spoilt(plugin: Write) -> None:
    with pytest.raises(PluginFailed, match=r"^plugin small run cannot be started: embedded null byte$"):
        run(plugin(), executor=lambda launch, run: run(replace(launch, argv=("a\0", *launch.argv))))


@pytest.mark.parametrize("bind", [bind for bind in BINDS if bind != "shm"])  # which the test's plugin has not
def test_a_host_whose_working_folder_is_gone(bind: str, plugin: Write, tmp_path: Path) -> None:
    path = plugin("print(call(connect(), 'add', 1, 2))")
    host = f"""
        import os, sys
        sys.path.insert(0, {str(ROOT)!r})
        from plugsvc.host import *
        os.mkdir({str(tmp_path / "gone")!r})
        os.chdir({str(tmp_path / "gone")!r})
        os.rmdir({str(tmp_path / "gone")!r})
        registry = Registry()
        registry.define("test")
        @registry.service("test")
        def add(a: int, b: int) -> int:
            return a + b
        target = next(iterate_all([new_plugin({path!r})]))
        done = execute([target], bind=registry.bind({bind!r}))
        print(done[0].stdout, done[0].stderr)
    """
    command = [sys.executable, "-c", textwrap.dedent(host)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "'results': [3]" in done.stdout or "3]" in done.stdout, done.stderr


# Ends.


def test_a_time_limit(plugin: Write, registry: Registry) -> None:
    text = r"was stopped \(not finished within 0.3 s\) and was killed by signal 15 \(SIGTERM\)"
    with pytest.raises(PluginFailed, match=text) as caught:
        run(plugin("signal.pause()"), bind=registry.bind(), timeout=0.3)
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
        run(path, bind=registry.bind(), grace=0.1, context=context)
    deadline = time.monotonic() + TIMEOUT
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
        execute(targets, (), bind=registry.bind(), context=context)


@pytest.mark.parametrize("parallelism", [1, 2])
def test_cancellation_by_a_signal_handler(parallelism: int, plugin: Write, registry: Registry) -> None:
    context = Context()

    @registry.service("test")
    def send() -> None:
        os.kill(os.getpid(), signal.SIGUSR1)

    previous = signal.signal(signal.SIGUSR1, lambda *_: context.cancel("a signal"))
    path = plugin("call(connect(), 'send'); signal.pause()")
    try:
        with pytest.raises(PluginFailed, match=r"was stopped \(a signal\) and was killed by signal 15"):
            run(path, bind=registry.bind(), parallelism=parallelism, context=context)
    finally:
        signal.signal(signal.SIGUSR1, previous)


@pytest.mark.parametrize("parallelism", [1, 2])
def test_ctrl_c_takes_the_plugin_along(parallelism: int, plugin: Write, tmp_path: Path) -> None:
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
        target = next(iterate_all([new_plugin({path!r})]))
        execute([target], [{str(tmp_path / "fifo")!r}], bind=Registry().bind(), parallelism={parallelism})
    """
    command = [sys.executable, "-c", "\n".join(map(str.strip, host.splitlines()))]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        with (tmp_path / "fifo").open() as file:
            file.readline()
            process.send_signal(signal.SIGINT)
            # The end of the stream: the plugin is gone.
            assert file.readline() == ""
        _, stderr = process.communicate(timeout=TIMEOUT)
    assert stderr.rstrip().endswith(b"KeyboardInterrupt")
