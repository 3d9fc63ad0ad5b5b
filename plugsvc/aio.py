"""The interface for asyncio, of plugins and hosts: what waits is awaited.

An `async def` given to `get_service`, `service` or `namespace_stub` makes a stub to be awaited, and one that is
added to a `Registry` makes a service; neither needs this module. Here are the other functions that wait, under
the names and with the errors that they have in `plugsvc`. What does not wait is there only: `hosted`, `close`,
`set_default_timeout`.

All of it works in any event loop of asyncio, uvloop's as well, and in several at once. The functions for hosts are
imported when they are used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from .client.api import default_session, manifest_decoder
from .client.asyncio_driver import driver_of
from .client.binding import Timeout
from .client.coroutines import connected, request
from .client.many import BatchRequest, BoundCall, check_bound
from .client.stubs import call_untyped, make_stub
from .errors import ServiceError
from .imports import importing
from .wire import GET_MANIFEST, HAS_NAMESPACE, LIST_SERVICES

if TYPE_CHECKING:
    from .host.coroutines import (
        as_completed as as_completed,
        discover_plugins as discover_plugins,
        execute as execute,
        new_plugin as new_plugin,
    )

__all__ = [
    "as_completed",
    "call_many",
    "discover_plugins",
    "execute",
    "get_manifest",
    "get_service",
    "has_namespace",
    "init_service_client",
    "list_services",
    "new_plugin",
]

P = ParamSpec("P")
R = TypeVar("R")


async def init_service_client(urls: Sequence[str] | None = None, timeout: float | None = None) -> None:
    """Connect to the host now instead of on the first call; as `plugsvc.init_service_client`."""
    await asyncio.to_thread(default_session.init, urls, timeout)


async def has_namespace(namespace: str, *, timeout: Timeout = ...) -> bool:
    """Whether the host has a namespace; as `plugsvc.has_namespace`."""
    return bool(await request(default_session, HAS_NAMESPACE, namespace, timeout))


async def list_services(namespace: str, *, timeout: Timeout = ...) -> list[str]:
    """Return the names of the services in a namespace; as `plugsvc.list_services`."""
    return list(await request(default_session, LIST_SERVICES, namespace, timeout))


async def get_manifest(namespace: str, type: Any = Any, *, timeout: Timeout = ...) -> Any:
    """Return the manifest of a namespace, as a value of `type`; as `plugsvc.get_manifest`."""
    decode = manifest_decoder(namespace, type)
    return decode(await request(default_session, GET_MANIFEST, namespace, timeout))


@overload
def get_service(
    namespace: str,
    name: str,
    prototype: Callable[P, Coroutine[Any, Any, R]],
    *,
    fallback: Callable[P, Coroutine[Any, Any, R]] | None = None,
    timeout: Timeout = ...,
) -> Callable[P, Coroutine[Any, Any, R]]: ...


@overload
def get_service(
    namespace: str,
    name: str,
    prototype: Callable[P, R],
    *,
    fallback: Callable[P, R | Coroutine[Any, Any, R]] | None = None,
    timeout: Timeout = ...,
) -> Callable[P, Coroutine[Any, Any, R]]: ...


@overload
def get_service(namespace: str, name: str, *, timeout: Timeout = ...) -> Callable[..., Coroutine[Any, Any, Any]]: ...


def get_service(
    namespace: str,
    name: str,
    prototype: Any = ...,
    *,
    fallback: Callable[..., Any] | None = None,
    timeout: Timeout = ...,
) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Return a coroutine function that calls a service of the host; otherwise as `plugsvc.get_service`.

    `prototype` and `fallback` may be plain functions as well as coroutine functions; a plain fallback is called in
    the event loop.
    """
    if prototype is ...:
        if fallback is None:
            return call_untyped(default_session, namespace, name, timeout, is_async=True)
        prototype = fallback
    return make_stub(default_session, namespace, name, prototype, fallback, timeout, is_async=True)


async def call_many(calls: Iterable[BoundCall[R]], *, timeout: Timeout = ...) -> list[R | ServiceError]:
    """Make many calls at once; as `plugsvc.call_many`, also for calls of async stubs."""
    bound = check_bound(calls, "call_many")
    if not bound:
        return []
    batch = BatchRequest(bound, timeout)
    if not batch.session.hosted():
        return [await _by_itself(call) for call in bound]
    try:
        connection = await connected(batch.session, batch.limit)
    except ServiceError as error:
        return batch.failed(error)
    return batch.outcomes(*await driver_of(connection).call_batch(batch.requests, batch.limit))


async def _by_itself(call: BoundCall[R]) -> R | ServiceError:
    try:
        value = call.stub(*call.args, **call.kwargs)
        return await value if isawaitable(value) else value  # type: ignore[no-any-return]
    except ServiceError as error:
        return error


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with importing():
        from .host import coroutines

    value: object = getattr(coroutines, name)
    globals()[name] = value
    return value
