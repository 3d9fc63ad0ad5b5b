"""Event loops for the tests: each test that takes `run` is done in asyncio's own, in debug mode, and in uvloop's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from plugsvc.client import Connection
from plugsvc.client.asyncio_driver import driver_of

from .hosts import DEADLINE, PREFIX

T = TypeVar("T")

Factory = Callable[[], asyncio.AbstractEventLoop]
Run = Callable[[Coroutine[Any, Any, Any]], Any]

BIG = "x" * 3_000_000
"""More than fits into any pipe."""


def factories() -> dict[str, Factory]:
    """The loops that there are, by name."""
    import uvloop

    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def run_in(factory: Factory, coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, within the deadline."""

    async def limited() -> T:
        async with asyncio.timeout(DEADLINE):
            return await coroutine

    with asyncio.Runner(debug=factory is asyncio.new_event_loop, loop_factory=factory) as runner:
        return runner.run(limited())


async def acall(connection: Connection, *args: Any, timeout: float | None = None) -> Any:
    """Return the results of a call."""
    raw = (await driver_of(connection).call_raw(PREFIX, json.dumps(args).encode(), timeout)).reply
    assert raw is not None
    return json.loads(bytes(raw))


async def begun(connection: Connection, *args: Any) -> asyncio.Task[Any]:
    """Return a call whose request is on its way, as far as there is room."""
    task = asyncio.ensure_future(acall(connection, *args))
    for _ in range(3):
        await asyncio.sleep(0)
    return task


def is_open(connection: Connection) -> bool:
    """Whether a connection holds its descriptors."""
    try:
        connection.descriptors.reader.fileno()
    except ValueError:
        return False
    return True
