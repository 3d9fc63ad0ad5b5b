"""One execution of a plugin with a fault in the host or in the plugin, in a process of its own, and what it left.

A run forks from a process that has imported everything and has one thread, so a run is quick and starts from the same
state each time. `run` returns what is wrong, in one line each: something that hangs, leaks, stays, or is not true.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import plugsvc
import plugsvc.host.tasks
from plugsvc.client.api import default_session
from plugsvc.errors import PlugsvcError
from plugsvc.host.binds import BINDS, bind_of
from plugsvc.host.binds.shm import ShmBind
from plugsvc.host.jobs import prepare_jobs
from plugsvc.host.settings import Bind
from plugsvc.openers import fd, shm, stdio, tcp, unix

from .inject import Fault, arm, disarm

__all__ = ["SIDES", "TRANSPORTS", "Result", "count_calls", "run"]

SIDES = ("host", "plugin")
TIMEOUT = 15.0
"""Seconds after which a run counts as one that hangs."""
THREADS_TIMEOUT = 5.0

IMPORTED = (fd, shm, stdio, tcp, unix, plugsvc.host.tasks, resource)
"""Modules that are imported lazily: an import that fails is not what is looked at here."""

PLUGIN = f"""#!{sys.executable}
import signal, sys
signal.alarm(30)  # it has a session of its own, and outlives a run that hangs and is killed
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
import plugsvc

@plugsvc.service("test")
def double(value: int) -> int: ...

plugsvc.init_service_client(timeout=5)
print(double(21))
"""


@dataclass
class Result:
    """What came of a run. `calls`: how many were counted. `hit`: the function that failed. `wrong`: in words."""

    calls: int = 0
    hit: str | None = None
    outcome: str = ""
    wrong: list[str] = field(default_factory=list)


def count_calls(side: str, transport: str, error: str, place: Path) -> int:
    """Return how many calls of a run without a fault can fail with an error."""
    result = run(side, transport, Fault(error), place)
    assert not result.wrong, result
    return result.calls


def run(side: str, transport: str, fault: Fault, place: Path) -> Result:
    """Execute a plugin with a fault on one side. `place` is a directory for temporary files, empty before and after."""
    read, write = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(read)
            os.setpgid(0, 0)
            result = (_host_side if side == "host" else _plugin_side)(transport, fault, place)
            os.write(write, json.dumps(vars(result)).encode())
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(write)
    try:
        result = _await(read, pid, place)
    finally:
        os.close(read)
    left = os.listdir(place)
    if left:
        result.wrong.append(f"files stay: {left}")
        for name in left:
            _remove(place / name)
    return result


def _await(read: int, pid: int, place: Path) -> Result:
    if select.select([read], [], [], TIMEOUT)[0]:
        data = os.read(read, 1 << 16)
        result = Result(**json.loads(data)) if data else Result(wrong=["the run ended in the middle"])
    else:
        os.kill(pid, signal.SIGUSR1)  # prints the stacks
        time.sleep(0.2)
        result = Result(wrong=["it hangs"])
    # The whole group: with a run that hangs its plugin goes, too.
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    os.waitpid(pid, 0)
    return result


def _remove(path: Path) -> None:
    if path.is_dir():
        for each in path.iterdir():
            each.unlink()
        path.rmdir()
    else:
        path.unlink()


def _registry() -> plugsvc.Registry:
    registry = plugsvc.Registry()
    registry.define("test")

    @registry.service("test")
    def double(value: int) -> int:
        return 2 * value

    return registry


def _carry(context: Any, plugin: Any, command: Any, reader: Any, writer: Any, next: Any) -> None:
    fds = reader.fileno(), writer.fileno()
    next(prepend_args=["--host", "fd:{},{}".format(*fds)], pass_fds=fds)


def _built_in(name: str) -> Callable[[Path], Bind]:
    return lambda place: bind_of(name)


TRANSPORTS: dict[str, Callable[[Path], Bind]] = {
    **{name: _built_in(name) for name in BINDS},
    "shm": lambda place: ShmBind(directory=place, trusted=True),
    "func": lambda place: plugsvc.with_bind_func(_carry),
}
"""What makes the bind of each transport, with its files in a directory."""


_plugins: dict[Path, plugsvc.Plugin] = {}


def prepare(place: Path) -> None:
    """Make what all runs in a place need, without a fault."""
    tempfile.tempdir = str(place)
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    os.environ.pop("LD_PRELOAD", None)
    # On one processor nobody spins, so a run makes as few calls as there are, and the same ones each time.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    path = place.with_suffix(".plugin")
    path.write_text(PLUGIN)
    path.chmod(0o755)
    # Not asked for its manifest: that would start a thread here, and what forks must have one only.
    command = plugsvc.Command(path=("run",), type="x")
    _plugins[place] = plugsvc.Plugin(str(path), plugsvc.Manifest(name="p", commands=(command,)))
    assert threading.active_count() == 1, threading.enumerate()


def _open() -> dict[int, str]:
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue  # that of the listing itself
    return found


def _attempt(result: Result, fault: Fault, action: Callable[[], str], expected: str) -> None:
    """Do it under the fault, and note how it ended."""
    arm(fault)
    try:
        value = action()
    except (PlugsvcError, OSError, MemoryError, ExceptionGroup) as error:
        result.outcome = f"{type(error).__name__}: {error}"
    except RuntimeError as error:
        result.outcome = f"RuntimeError: {error}"
        if "can't start new thread" not in str(error):
            result.wrong.append(f"it raises {error!r}")
    except BaseException as error:
        result.outcome = f"{type(error).__name__}: {error}"
        result.wrong.append(f"it raises {error!r}")
    else:
        result.outcome = "success"
        if value != expected:
            result.wrong.append(f"it returns {value!r}, not {expected!r}")
    result.calls, result.hit = disarm()
    if fault.error == "EINTR" and result.outcome != "success":
        result.wrong.append(f"an interrupted call is not made again: {result.outcome}")


def _check_left(result: Result, before: dict[int, str], threads_before: set[threading.Thread]) -> None:
    deadline = time.monotonic() + THREADS_TIMEOUT
    for thread in set(threading.enumerate()) - threads_before:
        thread.join(max(0.0, deadline - time.monotonic()))
    gc.collect()
    threads = [thread.name for thread in set(threading.enumerate()) - threads_before]
    if threads:
        result.wrong.append(f"threads stay: {threads}")
    leaked = {number: target for number, target in _open().items() if number not in before}
    if leaked:
        result.wrong.append(f"descriptors stay: {leaked}")
    try:
        os.waitpid(-1, os.WNOHANG)
        result.wrong.append("a child stays")
    except ChildProcessError:
        pass


def _host_side(transport: str, fault: Fault, place: Path) -> Result:
    result = Result()
    registry, target = _registry(), _plugins[place]
    bind = TRANSPORTS[transport](place)
    prepare_jobs()  # starts a thread that stays
    before, threads = _open(), set(threading.enumerate())

    def execute() -> str:
        [done] = plugsvc.execute(target, [], bind=registry.bind(bind))
        return done.stderr if transport == "stdio" else done.stdout

    _attempt(result, fault, execute, "42\n")
    _check_left(result, before, threads)
    return result


def _plugin_side(transport: str, fault: Fault, place: Path) -> Result:
    """The plugin is a fork from before any thread was started; it is told by the executor what to connect to."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _be_the_plugin(theirs, fault)
    theirs.close()
    registry = _registry()

    def executor(launch: plugsvc.Launch, run: Callable[[plugsvc.Launch], plugsvc.Exit]) -> plugsvc.Exit:
        urls = [launch.argv[index + 1] for index, word in enumerate(launch.argv) if word == "--host"]
        standard = [each for each in (launch.stdin, launch.stdout) if isinstance(each, int)]
        fds = [*launch.pass_fds, *standard]
        message = json.dumps([urls, [*launch.pass_fds, *range(len(standard))]]).encode()
        socket.send_fds(ours, [message], fds)
        launch.on_start()
        ours.settimeout(TIMEOUT - 1)
        answer.append(ours.recv(1 << 16))
        return plugsvc.Exit(0)

    answer: list[bytes] = []
    try:
        plugsvc.execute(_plugins[place], [], bind=registry.bind(TRANSPORTS[transport](place)), executor=executor)
    except plugsvc.PluginFailed as error:
        # A plugin that ends in the middle of a message has broken the protocol: that is told truly.
        if "in the middle" not in str(error):
            raise
    result = Result(**json.loads(answer[0]))
    if os.waitpid(pid, 0)[1] != 0:
        result.wrong.append("the plugin ended badly")
    return result


def _be_the_plugin(control: socket.socket, fault: Fault) -> None:
    status = 1
    try:
        message, fds, _, _ = socket.recv_fds(control, 1 << 16, 16)
        urls, numbers = json.loads(message)
        kept = os.dup2(control.detach(), 1000)
        for number, fd in enumerate(fds):
            os.dup2(fd, 900 + number)
            os.close(fd)
        for number, wanted in enumerate(numbers):
            os.dup2(900 + number, wanted)
            os.close(900 + number)
        result = Result()
        stub = plugsvc.get_service("test", "double", lambda value: 0)
        before = _open()

        def call() -> str:
            try:
                plugsvc.init_service_client(urls, 5)
                return str(stub(21))
            finally:
                plugsvc.close()
                default_session.forget()  # a closed connection that is kept has a descriptor to be woken by

        _attempt(result, fault, call, "42")
        _check_left(result, before, {threading.current_thread()})
        os.write(kept, json.dumps(vars(result)).encode())
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)
