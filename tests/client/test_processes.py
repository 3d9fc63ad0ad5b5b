"""The connection belongs to the process that the host started; all others are told so, whatever the transport."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from plugsvc import Command, Manifest, Plugin, Registry, execute
from plugsvc.client.process import FOREIGN
from plugsvc.host.binds import BINDS, bind_of

ROOT = Path(__file__).parents[2]
TIMEOUT = 60.0

CHILDREN = """
import multiprocessing, os, sys
if "fork before import" in sys.argv:
    read, write = os.pipe()
    child = os.fork()
    if child:
        os.close(write)
        early = os.read(read, 10000).decode()
        os.waitpid(child, 0)

sys.path.insert(0, ROOT)
import plugsvc

@plugsvc.service("test")
def echo(text: str) -> str: raise NotImplementedError

@plugsvc.service("test")
def report(how: str, text: str) -> None: raise NotImplementedError

def attempt(*names):
    try:
        return "answered " + echo("child")
    except plugsvc.ConnectionLost as error:
        return str(error)

if "fork before import" in sys.argv and not child:
    os.write(write, attempt().encode())
    os._exit(0)

def in_a_fork():
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, attempt().encode())
        os._exit(0)
    os.close(write)
    with open(read) as file:
        text = file.read()
    os.waitpid(child, 0)
    return text

def in_a_pool(method):
    with multiprocessing.get_context(method).Pool(2) as pool:
        return pool.apply_async(attempt).get(30)

if __name__ == "__main__":
    found = {}
    if "fork before import" in sys.argv:
        found["fork before import"] = early
    for when in ("before", "after"):
        for how, run in {
            "os.fork": in_a_fork,
            "fork": lambda: in_a_pool("fork"),
            "spawn": lambda: in_a_pool("spawn"),
            "forkserver": lambda: in_a_pool("forkserver"),
        }.items():
            if how in sys.argv:
                found[f"{how} {when} the first call"] = run()
        assert echo("parent") == "parent"
    for how, text in found.items():
        report(how, text)
"""


def children(tmp_path: Path, bind: str, *hows: str) -> tuple[dict[str, str], list[str]]:
    """Return what the children of a plugin were told, and all that the host was asked to echo."""
    path = tmp_path / "plugin"
    path.write_text(f"#!{sys.executable} -I\nROOT = {str(ROOT)!r}\n{CHILDREN}", encoding="utf-8")
    path.chmod(0o755)
    registry = Registry()
    registry.define("test")
    told: dict[str, str] = {}
    echoed: list[str] = []

    @registry.service("test")
    def echo(text: str) -> str:
        echoed.append(text)
        return text

    @registry.service("test")
    def report(how: str, text: str) -> None:
        told[how] = text

    plugin = Plugin(str(path), Manifest(1, "plugin", commands=(Command(("run",)),)))
    execute(plugin, hows, bind=registry.bind(bind_of(bind, trusted=True)))
    return told, echoed


@pytest.mark.parametrize("bind", list(BINDS))
def test_forked_children(tmp_path: Path, bind: str) -> None:
    told, echoed = children(tmp_path, bind, "os.fork", "fork", "fork before import")
    assert told == dict.fromkeys(
        (
            "fork before import", "os.fork before the first call", "fork before the first call",
            "os.fork after the first call", "fork after the first call",
        ),
        FOREIGN,
    )  # fmt: skip
    assert echoed == ["parent"] * 2


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
@pytest.mark.parametrize("bind", list(BINDS))
def test_children_of_multiprocessing(tmp_path: Path, bind: str, method: str) -> None:
    told, echoed = children(tmp_path, bind, method)
    assert told == {f"{method} before the first call": FOREIGN, f"{method} after the first call": FOREIGN}
    assert echoed == ["parent"] * 2


def run(code: str, *arguments: str) -> str:
    """Run a program of its own, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_other_urls_are_free_to_a_child() -> None:
    """It may connect to what is not on the command line, and says about what is that it belongs to the other."""
    code = """
    import os, plugsvc
    child = os.fork()
    if not child:
        for urls in (None, ["file:///nowhere"], ["file:///elsewhere"]):
            try:
                plugsvc.init_service_client(urls)
            except plugsvc.ServiceError as error:
                print(type(error).__name__, flush=True)
        assert plugsvc.hosted()
        os._exit(0)
    os.waitpid(child, 0)
    """
    assert run(code, "--host", "file:///nowhere").split() == ["ConnectionLost", "ConnectionLost", "OpenError"]


LAZY_IMPORTS = {
    "a name of the package": ("plugsvc.client.api", "plugsvc.get_service", "plugsvc.get_service('n', 's')"),
    "the functions for coroutines": (
        "plugsvc.client.coroutines",
        "plugsvc.aio.get_service('n', 's')",
        "plugsvc.aio.get_service('n', 's')",
    ),
    "the opener of a scheme": (
        "plugsvc.openers.fd",
        "plugsvc.openers.open_stream(['fd:99'])",
        "plugsvc.openers.open_stream(['fd:99'])",
    ),
}


@pytest.mark.parametrize("name", LAZY_IMPORTS)
def test_a_fork_during_an_import_behind_a_call(name: str) -> None:
    """The child must not wait for a module that a thread of its parent was importing."""
    module, in_thread, in_child = LAZY_IMPORTS[name]
    code = f"""
    import contextlib, os, signal, sys, threading, time
    import plugsvc
    if "{module}" == "plugsvc.client.coroutines":
        import plugsvc.client.stubs
        def get(*names): return plugsvc.client.stubs.call_untyped(None, *names, None, is_async=True)
        class aio: get_service = staticmethod(get)
        plugsvc.aio = aio
    elif "{module}" == "plugsvc.openers.fd":
        import plugsvc.openers
    begun = threading.Event()
    class Slow:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "{module}" and threading.current_thread() is not threading.main_thread():
                begun.set()
                time.sleep(0.3)
    sys.meta_path.insert(0, Slow)
    def work():
        with contextlib.suppress(plugsvc.ServiceError):
            {in_thread}
    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(20)
    child = os.fork()
    if not child:
        signal.alarm(5)  # kills it if it hangs
        try:
            {in_child}
        except plugsvc.OpenError:
            pass
        os._exit(0)
    thread.join()
    print(os.waitpid(child, 0)[1])
    """
    assert run(code) == "0\n"


def test_what_is_told_of_this_process() -> None:
    from plugsvc.client import process

    assert not process.is_foreign()
    assert "this process was forked" in FOREIGN


LOGGING = """
import logging, os, signal, sys, threading
import plugsvc, plugsvc.log, plugsvc.testing

arrived = []
registry = plugsvc.Registry()
host = logging.Logger("host", 1)
host.propagate = False
class Keeper(logging.Handler):
    def emit(self, record):
        arrived.append(record.getMessage())
host.addHandler(Keeper())
plugsvc.log.add_log_service(registry, host, delay=DELAY)
logger = logging.Logger("plugin", 1)
with plugsvc.testing.hosted_by(registry):
    logger.addHandler(plugsvc.log.HostHandler(1))
    before()
    child = os.fork()
    if not child:
        signal.alarm(10)
        for number in range(20):
            logger.info("child %d", number)
        handler = logger.handlers[0]
        handler.flush()
        assert handler.dropped == 20, handler.dropped
        handler.close()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    logger.info("after")
    after()
    logger.handlers[0].close()
print(status, len(arrived), len(set(arrived)), arrived[-1])
"""


def test_records_from_before_a_fork_are_sent_once() -> None:
    code = LOGGING.replace("DELAY", "5").replace("before()", 'logger.info("before")').replace("after()", "pass")
    assert run(code) == "0 2 2 after\n"


def test_a_child_that_logs_while_its_parent_does() -> None:
    """The locks of the handler, of its thread and of the sending may be held at the moment of the fork."""
    code = LOGGING.replace("DELAY", "0").replace("before()", "begin()").replace("after()", "end()")
    helper = """
import os, signal, threading
stop, threads = threading.Event(), []
def work(number):
    count = 0
    while not stop.is_set():
        count += 1
        logger.info("%d %d", number, count)
        logger.handlers[0].flush()
def begin():
    threads[:] = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads: thread.start()
    for _ in range(100):
        child = os.fork()
        if not child:
            signal.alarm(10)
            logger.info("child")
            logger.handlers[0].flush()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
def end():
    stop.set()
    for thread in threads: thread.join()
"""
    status, count, different, *_ = run(helper + code).split()
    assert status == "0"
    assert count == different
    assert int(count) > 3
