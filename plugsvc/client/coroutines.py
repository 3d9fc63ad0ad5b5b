"""Stubs to be awaited, and what a host can be asked by coroutines."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from inspect import isawaitable
from types import EllipsisType
from typing import Any
from weakref import WeakKeyDictionary

from ..errors import CallTimeout, ServiceError
from ..wire import request_prefix
from .asyncio_driver import driver_of
from .binding import Binding, Timeout, answer_of, check_name, raise_remote
from .connection import Connection
from .session import Session, check_timeout

__all__ = ["connected", "make_coroutine_function", "request"]


def make_coroutine_function(binding: Binding) -> Callable[..., Any]:
    """Return the coroutine function that calls a service."""
    session, signature, fallback = binding.session, binding.signature, binding.fallback
    prefix, encode, decode, timeout = binding.prefix, binding.encode, binding.decode, binding.timeout

    async def stub(*args: Any, **kwargs: Any) -> Any:
        connection = session.connection
        limit = session.default_timeout if timeout is ... else timeout
        if connection is None:
            if fallback is not None and not session.hosted():
                value = fallback(*args, **kwargs)
                return await value if isawaitable(value) else value
            connection = await connected(session, limit)
        driver = driver_of(connection)
        call = driver.begin(prefix, encode(args, kwargs), limit)
        try:
            reply = await call.future
        except CallTimeout as error:
            raise CallTimeout(f"{binding.namespace}.{binding.name}: {error}") from None
        finally:
            if limit is not None or not call.done:
                driver.finish(call)
        assert reply is not None
        if reply.error is not None:
            raise_remote(reply)
        return decode(reply.reply)

    if signature is None or not signature.returns_error:
        return stub

    async def returning(*args: Any, **kwargs: Any) -> Any:
        try:
            return await stub(*args, **kwargs)
        except ServiceError as error:
            return signature.failed(error)

    return returning


async def request(session: Session, type: str, namespace: str, timeout: Timeout) -> Any:
    """Send a request about a namespace and return the answer. Raises `ServiceError` as a stub does."""
    check_name("namespace", namespace)
    limit = session.default_timeout if isinstance(timeout, EllipsisType) else timeout
    check_timeout(limit)
    try:
        connection = await connected(session, limit)
        reply = await driver_of(connection).call_raw(request_prefix(type, namespace), b"null", limit)
    except CallTimeout as error:
        raise CallTimeout(f"{type} {namespace!r}: {error}") from None
    return answer_of(type, reply)


_attempts: WeakKeyDictionary[Session, dict[object, asyncio.Future[Connection]]] = WeakKeyDictionary()
"""Who is connecting a session, by event loop: many tasks may need it at once, and one thread does it for all."""


async def connected(session: Session, timeout: float | None = None) -> Connection:
    """Return the connection of a session, making it without blocking the loop. Raises as `Session.connect`.

    A task that is cancelled leaves the attempt to the others.
    """
    if session.connection is not None:
        return session.connection
    loop = asyncio.get_running_loop()
    attempts = _attempts.setdefault(session, {})
    attempt = attempts.get(loop)
    if attempt is None:
        attempt = attempts[loop] = loop.run_in_executor(None, session.connect, timeout)

        def over(attempt: asyncio.Future[Connection]) -> None:
            del attempts[loop]
            if not attempt.cancelled():
                attempt.exception()  # seen, also where every task was cancelled

        attempt.add_done_callback(over)
    try:
        return await asyncio.shield(attempt)
    except ServiceError as error:
        raise copy.copy(error) from error.__cause__  # one for each task, whose tracebacks differ
