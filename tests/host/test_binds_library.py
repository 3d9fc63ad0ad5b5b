"""The library at both ends, over every bind: what its own plugins see."""

from __future__ import annotations

import os
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plugsvc.errors import PluginFailed, RegistrationError
from plugsvc.host import (
    Registry,
    execute,
    with_anonymous_pipe,
    with_default_bind,
)
from plugsvc.host.binds import BINDS, DevFdBind, ProcFSBind, bind_of
from plugsvc.host.binds.unix import UnixBind
from plugsvc.host.process import Exit, Launch

from .conftest import ROOT, TIMEOUT, one, run

Write = Callable[..., str]

PROGRAM = f"""
import json, sys
sys.path.insert(0, {str(ROOT)!r})
if sys.argv[1:] == ["info"]:
    print(json.dumps({{"manifestVersion": 1, "name": "small", "commands": [{{"path": ["run"], "type": "one"}}]}}))
    sys.exit()
import os, plugsvc, threading
note = plugsvc.get_service("test", "note")
fail = plugsvc.get_service("test", "fail")
"""


@pytest.fixture(params=list(BINDS))
def bind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def program(script: Callable[..., str]) -> Write:
    """Return a function that writes a plugin that uses the library, from the body of its command."""

    def write(body: str) -> str:
        return script(PROGRAM + textwrap.dedent(body))

    return write


def test_calls_and_prints(bind: str, program: Write, registry: Registry, calls: list[Any]) -> None:
    path = program("""
        print("hosted", plugsvc.hosted())
        print(note({"a": [1.5, None, "ä"]}), plugsvc.get_manifest("test"), plugsvc.has_namespace("zz"))
        try:
            fail("boom")
        except plugsvc.RemoteError as error:
            print(error)
    """)
    assert (
        run(path, bind=registry.bind(bind_of(bind, trusted=True)))
        == "hosted True\n{'a': [1.5, None, 'ä']} {'a': 1} False\nboom\n"
    )
    assert calls == [{"a": [1.5, None, "ä"]}]


def test_many_big_calls_at_once_in_both_directions(bind: str, program: Write, registry: Registry) -> None:
    """More than all buffers hold, from both sides at the same time."""

    @registry.service("test")
    def turn(text: str) -> str:
        return text[::-1]

    path = program("""
        import hashlib
        turn = plugsvc.get_service("test", "turn")
        text = "".join(chr(32 + n % 90) for n in range(700_000))
        good = []
        def one(n):
            good.append(turn(text[n:]) == text[n:][::-1])
        threads = [threading.Thread(target=one, args=(n,)) for n in range(6)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(good == [True] * 6)
    """)
    assert run(path, bind=registry.bind(bind_of(bind, trusted=True))) == "True\n"


def test_the_plugin_ends_cleanly_and_leaves_no_descriptor(bind: str, program: Write, registry: Registry) -> None:
    path = program("""
        before = os.listdir("/proc/self/fd")
        has = plugsvc.has_namespace("test")
        plugsvc.close()
        import gc
        plugsvc.client.default_session.forget()
        gc.collect()
        after = os.listdir("/proc/self/fd")
        print(has, len(before) - len(after))
    """)
    inherited = {"devfd": 2, "fd-pair": 2, "fd": 1}.get(bind, 0)
    assert run(path, bind=registry.bind(bind_of(bind, trusted=True))) == f"True {inherited}\n"


def test_the_host_leaves_no_descriptor(bind: str, program: Write, registry: Registry, calls: list[Any]) -> None:
    path = program("note(1)")
    targets = one(path) * 3
    run(path, bind=registry.bind(bind_of(bind, trusted=True)))
    before = os.listdir("/proc/self/fd")
    assert len(execute(targets, (), bind=registry.bind(bind_of(bind, trusted=True)), parallelism=3)) == 3
    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert calls == [1] * 4


def test_a_plugin_that_is_killed_amid_a_call(bind: str, program: Write, registry: Registry) -> None:
    called = threading.Event()
    go_on = threading.Event()

    @registry.service("test")
    def kill(pid: int) -> None:
        os.kill(pid, 9)
        called.set()
        assert go_on.wait(TIMEOUT)

    with pytest.raises(PluginFailed, match=r"was killed by signal 9 \(SIGKILL\)$"):
        run(
            program("plugsvc.get_service('test', 'kill')(os.getpid())"), bind=registry.bind(bind_of(bind, trusted=True))
        )
    assert called.is_set()
    go_on.set()


def test_errors_of_opening_reach_the_plugin(bind: str, program: Write, registry: Registry) -> None:
    """With a launcher that closes descriptors, inherited ones are missed with a reason; others go on working."""

    def closing(launch: Launch, run: Callable[[Launch], Exit]) -> Exit:
        from dataclasses import replace

        return run(replace(launch, pass_fds=()))

    path = program("""
        try:
            print(plugsvc.has_namespace("test"))
        except plugsvc.OpenError as error:
            print(str(error).partition("(")[2])
    """)
    why = "whatever started this process has closed it, as sudo does; a host can offer a path instead:"
    expected = f"{why} unix, fifo, procfs)\n" if bind in ("devfd", "fd", "fd-pair") else "True\n"
    assert run(path, bind=registry.bind(bind_of(bind, trusted=True)), executor=closing) == expected


# Standard input and output


def test_a_plugin_that_prints_into_the_protocol_fails(program: Write, registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(PluginFailed, match="ended with status 0, after protocol error: "):
        run(program("os.write(1, b'hello\\n')"), bind=registry.bind("stdio"))


def test_prints_before_connecting_are_saved(program: Write, registry: Registry, calls: list[Any]) -> None:
    path = program("""
        plugsvc.init_service_client()
        print("x" * 100000, flush=True)
        note(1)
    """)
    assert run(path, bind=registry.bind("stdio")).endswith("x" * 1000 + "\n")
    assert calls == [1]


@pytest.mark.parametrize("option", [{"stdout": sys.__stdout__}, {"stdin": 2}])
def test_standard_streams_cannot_be_used_twice(option: dict[str, Any], program: Write, registry: Registry) -> None:
    with pytest.raises(RegistrationError) as caught:
        run(program(""), bind=registry.bind("stdio"), **option)
    assert str(caught.value) == (
        "the bind stdio needs standard input and output for the connection;"
        " the options stdin and stdout cannot be used with it"
    )


# The default


def test_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(with_default_bind(), DevFdBind)
    assert isinstance(with_anonymous_pipe(), DevFdBind)
    assert isinstance(with_default_bind(keeps_descriptors=False), ProcFSBind)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert isinstance(with_default_bind(), UnixBind)
    assert isinstance(with_default_bind(keeps_descriptors=False), UnixBind)


def test_what_is_the_default_is_used(program: Write, registry: Registry) -> None:
    path = program("print(sys.argv[3])")
    assert run(path, bind=registry.bind()).startswith("file:///dev/fd/")
    assert run(path, bind=registry.bind(with_default_bind(keeps_descriptors=False))).startswith("file:///proc/")
