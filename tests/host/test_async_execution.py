"""Plugins at work, awaited: what a task that is cancelled leaves behind is nothing."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from plugsvc import aio
from plugsvc.errors import DiscoveryError, PluginFailed
from plugsvc.host import (
    Completed,
    Context,
    Registry,
    iterate_all,
)

from .conftest import TIMEOUT

Write = Callable[..., str]

CALLS = """
pair = connect()
print(call(pair, "double", int(sys.argv[-1]))["reply"])
"""

HANGS = """
import time
child = os.fork()
if child == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
path = sys.argv[-1]
with open(f"{path}.{'child' if child == 0 else 'parent'}.new", "w") as file:
    file.write(str(os.getpid()))
os.rename(file.name, file.name.removesuffix(".new"))
time.sleep(60)
"""
"""Two processes, one of which takes no hint."""


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


async def all_gone(pids: list[int]) -> None:
    """Wait for the end of processes: what was killed may take a moment to die."""
    while any(alive(pid) for pid in pids):
        await asyncio.sleep(0.001)


def limited(coroutine: object) -> object:
    async def main() -> object:
        async with asyncio.timeout(TIMEOUT):
            return await coroutine  # type: ignore[misc]

    return asyncio.run(main())


async def pids(tmp_path: Path) -> list[int]:
    """Wait until both processes of HANGS run."""
    paths = [tmp_path / f"pid.{name}" for name in ("parent", "child")]
    while not all(path.exists() for path in paths):
        await asyncio.sleep(0.005)
    return [int(path.read_text()) for path in paths]


def test_services_run_in_the_loop_that_waits(plugin: Write, registry: Registry) -> None:
    var: contextvars.ContextVar[str] = contextvars.ContextVar("var")
    threads = []

    @registry.service("test")
    async def double(number: int) -> str:
        threads.append(threading.current_thread())
        await asyncio.sleep(0)
        return f"{number * 2} {var.get()}"

    async def main() -> None:
        var.set("of the caller")
        found = await aio.new_plugin(plugin(CALLS))
        (one, two) = await aio.execute(found, ["4"], bind=registry.bind())
        assert one.stdout == two.stdout == "['8 of the caller']\n"

    limited(main())
    assert threads == [threading.main_thread()] * 2


def test_failures(plugin: Write) -> None:
    async def main() -> None:
        found = await aio.new_plugin(plugin("sys.exit(3)"))
        with pytest.raises(ExceptionGroup, match=r"^2 executions failed$"):
            await aio.execute(found)
        with pytest.raises(PluginFailed, match=r"^plugin small run ended with status 3$"):
            await aio.execute([(found, found.commands[0])])
        failures: list[str] = []
        assert await aio.execute(found, [], handler=lambda *failure: failures.append(str(failure[2]))) == []
        assert len(failures) == 2

    limited(main())


def test_what_an_interceptor_raises_gets_through(plugin: Write) -> None:
    def leave(*_: object) -> None:
        raise SystemExit(7)

    async def main() -> None:
        found = await aio.new_plugin(plugin())
        with pytest.raises(SystemExit, match=r"^7$"):
            await aio.execute(found, [], interceptors=[leave])

    limited(main())


def test_cancelling_kills_the_whole_group(plugin: Write, tmp_path: Path) -> None:
    async def main() -> None:
        found = await aio.new_plugin(plugin(HANGS))
        task = asyncio.ensure_future(aio.execute(found, [str(tmp_path / "pid")], grace=0.1))
        running = await pids(tmp_path)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()  # cancelling again changes nothing
        with pytest.raises(asyncio.CancelledError):
            await task
        await all_gone(running)

    limited(main())


def test_a_timeout_of_asyncio(plugin: Write, tmp_path: Path) -> None:
    async def main() -> None:
        found = await aio.new_plugin(plugin(HANGS))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await aio.execute(found, [str(tmp_path / "pid")], grace=0.1)

    limited(main())


def test_a_context_stops_it_as_well(plugin: Write, tmp_path: Path) -> None:
    context = Context()

    async def main() -> None:
        found = await aio.new_plugin(plugin(HANGS))
        target = [(found, found.commands[0])]
        task = asyncio.ensure_future(aio.execute(target, [str(tmp_path / "pid")], grace=0.1, context=context))
        await pids(tmp_path)
        context.cancel("no longer wanted")
        with pytest.raises(PluginFailed, match=r"^plugin small run was stopped \(no longer wanted\) and was killed by"):
            await task

    limited(main())


def test_as_completed(plugin: Write, tmp_path: Path) -> None:
    """Each is there as soon as it has ended, whatever the others do."""
    go = tmp_path / "go"
    waits = """
import time
while not os.path.exists(sys.argv[-1]):
    time.sleep(0.005)
"""

    async def main() -> None:
        slow, quick = await aio.new_plugin(plugin(waits, name="slow")), await aio.new_plugin(plugin(name="quick"))
        targets = [(each, each.commands[0]) for each in (slow, quick)]
        seen = []
        async for done in aio.as_completed(targets, [str(go)], parallelism=2):
            seen.append(done.plugin)
            go.touch()
        assert seen == [quick, slow]

    limited(main())


def test_as_completed_raises_at_the_end(plugin: Write) -> None:
    async def main() -> None:
        good, bad = await aio.new_plugin(plugin(name="good")), await aio.new_plugin(plugin("sys.exit(3)", name="bad"))
        seen: list[Completed] = []

        async def collect() -> None:
            async for done in aio.as_completed([(bad, bad.commands[0]), (good, good.commands[0])]):
                seen.append(done)

        with pytest.raises(PluginFailed, match=r"^plugin small run ended with status 3$"):
            await collect()
        assert [each.plugin for each in seen] == [good]

    limited(main())


def test_leaving_as_completed_stops_the_rest(plugin: Write, tmp_path: Path) -> None:
    async def main() -> None:
        quick = await aio.new_plugin(plugin(name="quick"))
        slow = await aio.new_plugin(plugin(HANGS, name="slow"))
        targets = [(slow, slow.commands[0]), (quick, quick.commands[0])]
        async with contextlib.aclosing(
            aio.as_completed(targets, [str(tmp_path / "pid")], parallelism=2, grace=0.1)
        ) as completions:
            async for done in completions:
                assert done.plugin is quick
                running = await pids(tmp_path)
                break
        await all_gone(running)

    limited(main())


def test_discovery(plugin: Write, script: Write, tmp_path: Path) -> None:
    plugin(name="plugins/one")
    script("import time; time.sleep(60)", "hangs")

    async def main() -> None:
        assert [each.name for each in await aio.discover_plugins(tmp_path / "plugins")] == ["small"]
        with pytest.raises(DiscoveryError):
            await aio.discover_plugins(tmp_path / "nothing")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await aio.new_plugin(tmp_path / "hangs")
        commands = [command.type for _, command in iterate_all(await aio.discover_plugins(tmp_path / "plugins"))]
        assert commands == ["one", "two"]

    limited(main())
    assert os.path.exists(tmp_path / "hangs")
