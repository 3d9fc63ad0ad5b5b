"""The reference implementation in an event loop, as a testee: ``python -m conformance.reference_asyncio COMMAND``.

What the testee in `reference` does with functions that block this one does with coroutines: the plugin has async
stubs and `plugsvc.aio`, the host has services that are coroutine functions, run by `plugsvc.aio.execute`.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from inspect import isawaitable
from typing import Any

from . import reference
from .reference_values import instruction_decoder


class Testee(reference.Testee):
    """What is awaited in this testee."""

    name = "reference_asyncio"
    title = "The reference implementation, plugsvc, in an event loop, as a testee of its own conformance suite."

    def plugin(self) -> int:
        """Carry out instructions until there are no more."""
        asyncio.run(plugin(self))
        raise AssertionError("the plugin ends by itself")

    def execute(self, path: str, argv: list[str], bind: list[str]) -> int:
        """Run a plugin with the contract's registry, and return the exit status."""
        try:
            return asyncio.run(execute(self, path, argv, bind))
        except KeyboardInterrupt:
            return reference.complain("interrupted", 130)

    def made(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a coroutine function that does the same."""
        if function is reference.sleep:
            return sleep

        @functools.wraps(function)
        async def awaited(*args: Any) -> Any:
            await asyncio.sleep(0)
            return function(*args)

        return awaited

    def api(self) -> Any:
        """Return where the functions are by which a host is asked."""
        from plugsvc import aio

        return aio


async def sleep(milliseconds: int) -> int:
    """The service of that name."""
    await asyncio.sleep(milliseconds / 1000)
    return milliseconds


async def plugin(testee: Testee) -> None:
    """Carry out instructions until there are no more, and end the process."""
    import faulthandler

    faulthandler.enable()
    reader, writer = reference.control()
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[bytes] = asyncio.Queue()

    def read() -> None:
        with open(reader, "rb", closefd=False) as file:
            for line in file:
                loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, b"")

    threading.Thread(target=read, daemon=True).start()
    decode = instruction_decoder()
    tasks: set[asyncio.Task[None]] = set()

    async def work(instruction: Any) -> None:
        reference.write(writer, await carry_out(instruction, testee))

    while line := await lines.get():
        if not line.strip():
            continue
        instruction = decode(line)
        if instruction.op == "exit":
            os._exit(instruction.code)
        if instruction.is_async:
            task = asyncio.create_task(work(instruction))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        else:
            await work(instruction)
    # At once, whatever is still going on.
    os._exit(0)


async def carry_out(instruction: Any, testee: Testee) -> bytes:
    """Return the outcome of an instruction, one line."""
    try:
        begin, finish = reference.plan(instruction, testee)
        value = begin()
        return reference.outcome(instruction, "ok", finish(await value if isawaitable(value) else value))
    except Exception as error:
        return reference.failure(instruction, error)


async def execute(testee: Testee, path: str, argv: list[str], bind: list[str]) -> int:
    """Run a plugin with the contract's registry, and return the exit status."""
    from plugsvc import aio
    from plugsvc.errors import PluginError

    this = asyncio.current_task()
    assert this is not None
    told: list[int] = []

    def stop() -> None:
        told.append(signal.SIGTERM)
        this.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    try:
        found = await aio.new_plugin(path)
        command = found.find("conformance-plugin")
        if command is None:
            return reference.complain(f"{path}: no command of type conformance-plugin", 1)
        await aio.execute(
            [(found, command)], argv, bind=reference.registry(testee.made).bind(*reference.bind_of_name(bind))
        )
    except PluginError as error:
        return reference.complain(str(error), 1)
    except asyncio.CancelledError:
        if not told:
            raise  # Ctrl-C
        return 128 + signal.SIGTERM
    return 0


if __name__ == "__main__":
    sys.exit(reference.main(sys.argv[1:], Testee()))
