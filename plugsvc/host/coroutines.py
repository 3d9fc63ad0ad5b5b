"""Await discovery and execution, which run in threads of their own.

A task that is cancelled stops the processes as a `Context` does, and does not end before they have.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import TypeVar, Unpack

from . import discovery, execution, plugin
from .context import Context
from .discovery import DISCOVERY_PARALLELISM, DiscoveryHandler
from .execution import Completed, Target
from .plugin import INFO_OUTPUT_LIMIT, INFO_TIMEOUT, Plugin
from .settings import ExecuteOptions

__all__ = ["as_completed", "discover_plugins", "execute", "new_plugin"]

T = TypeVar("T")


async def execute(
    targets: Iterable[Target] | Plugin,
    args: Iterable[str] = (),
    *,
    context: Context | None = None,
    on_completed: Callable[[Completed], None] | None = None,
    **options: Unpack[ExecuteOptions],
) -> list[Completed]:
    """Execute commands of plugins; as `plugsvc.execute`, with the same options.

    Services that are coroutine functions run in this event loop. Everything else that is given, interceptors and
    `on_completed`, is called in threads. Cancelling stops the processes, and waits until they are gone.
    """
    options.setdefault("loop", asyncio.get_running_loop())
    return await _in_thread(
        lambda context: execution.execute(targets, args, context=context, on_completed=on_completed, **options), context
    )


async def as_completed(
    targets: Iterable[Target] | Plugin,
    args: Iterable[str] = (),
    *,
    context: Context | None = None,
    **options: Unpack[ExecuteOptions],
) -> AsyncGenerator[Completed, None]:
    """Execute commands of plugins and yield the successful executions as they end; otherwise as `execute`.

    What failed is raised at the end, unless the option `handler` is told. Leaving the loop early stops the rest, when
    the iterator is closed: at once with `contextlib.aclosing`.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Queue[Completed | None] = asyncio.Queue()

    def on_completed(completed: Completed) -> None:
        loop.call_soon_threadsafe(found.put_nowait, completed)

    whole = asyncio.ensure_future(execute(targets, args, context=context, on_completed=on_completed, **options))
    whole.add_done_callback(lambda _: found.put_nowait(None))
    try:
        while (completed := await found.get()) is not None:
            yield completed
        await whole
    finally:
        if not whole.done():
            whole.cancel()
            await asyncio.wait([whole])
        if not whole.cancelled():
            whole.exception()  # of no interest to whoever has left


async def discover_plugins(
    root: str | os.PathLike[str],
    *,
    glob: str | Iterable[str] = (),
    handler: DiscoveryHandler | None = None,
    parallelism: int = DISCOVERY_PARALLELISM,
    timeout: float = INFO_TIMEOUT,
    output_limit: int = INFO_OUTPUT_LIMIT,
    context: Context | None = None,
) -> list[Plugin]:
    """Return the plugins below a directory; as `plugsvc.discover_plugins`, whose handler is called in a thread."""
    return await _in_thread(
        lambda context: discovery.discover_plugins(
            root,
            glob=glob,
            handler=handler,
            parallelism=parallelism,
            timeout=timeout,
            output_limit=output_limit,
            context=context,
        ),
        context,
    )


async def new_plugin(
    path: str | os.PathLike[str],
    *,
    timeout: float = INFO_TIMEOUT,
    output_limit: int = INFO_OUTPUT_LIMIT,
    context: Context | None = None,
) -> Plugin:
    """Ask an executable for its manifest; as `plugsvc.new_plugin`."""
    return await _in_thread(
        lambda context: plugin.new_plugin(path, timeout=timeout, output_limit=output_limit, context=context), context
    )


async def _in_thread(function: Callable[[Context], T], outer: Context | None) -> T:
    """Return what a function returns that heeds a context; being cancelled cancels that, and waits for its end."""
    # Not one of the default executor: as many executions as are wanted may wait at the same time, and a loop that
    # ends does not wait for those threads without telling them.
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    context = Context(parent=outer)
    variables = contextvars.copy_context()

    def settle(result: T | None, error: BaseException | None) -> None:
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failure = None, None
        try:
            result = variables.run(function, context)
        except BaseException as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop was closed, nobody waits
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name="plugsvc-await", daemon=True).start()
    try:
        await asyncio.wait([done])
    except asyncio.CancelledError:
        context.cancel("cancelled")
        while not done.done():
            # Whoever cancels again has to wait as well: no process is left behind.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([done])
        done.exception()
        raise
    return done.result()
