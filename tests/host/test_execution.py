"""Plugins at work: which commands, how often, and with what outcome."""

from __future__ import annotations

import os
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

from plugsvc.errors import PluginFailed, RegistrationError
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
    with_cwd,
    with_env,
    with_executor,
    with_generator,
    with_grace,
    with_handler,
    with_interceptor,
    with_parallelism,
    with_prepend_args,
    with_spec_flags,
    with_stdout,
    with_timeout,
)
from plugsvc.host.settings import Next

from .conftest import PATIENCE, ROOT, one, run

Write = Callable[..., str]


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


@pytest.mark.parametrize("parallelism", [1, 2])
def test_an_interceptor_may_end_the_program(parallelism: int, plugin: Write) -> None:
    def leave(*given: Any) -> None:
        raise SystemExit(5)

    with pytest.raises(SystemExit):
        execute(one(plugin()), (), with_interceptor(leave), with_parallelism(parallelism))


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
            run(path, registry.bind(), with_parallelism(parallelism), context=context)
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
        execute([target], [{str(tmp_path / "fifo")!r}], Registry().bind(), with_parallelism({parallelism}))
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
