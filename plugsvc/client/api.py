"""The plugin's interface: functions that use the one host of this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, overload

from ..errors import CallTimeout, ResultError
from ..marshal import Signature
from ..wire import GET_MANIFEST, HAS_NAMESPACE, LIST_SERVICES
from .binding import Timeout, answer_of, check_name
from .session import Session, check_timeout
from .stubs import call_untyped, has_body, make_namespace, make_stub

__all__ = [
    "close",
    "default_session",
    "get_manifest",
    "get_service",
    "has_namespace",
    "hosted",
    "init_service_client",
    "list_services",
    "namespace_stub",
    "service",
    "set_default_timeout",
]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

default_session: Session = Session()
"""What the functions of this module use; connected on first use."""


def hosted() -> bool:
    """Whether a host started this process, that is, whether services can be called.

    Decided by `--host` on the command line, as parsed by `add_host_flags` or `host_option`, else as found in
    `sys.argv`.
    """
    return default_session.hosted()


def init_service_client(urls: Sequence[str] | None = None, timeout: float | None = None) -> None:
    """Connect to the host now instead of on the first call.

    `urls`: one or two, instead of those of the command line. `timeout`: seconds for opening them, 10 by
    default. Does nothing when already connected; connects anew when the connection was lost or closed.

    Raises:
        NotHosted: no `urls`, and none on the command line.
        OpenError: a URL cannot be opened; says which and why. The next call tries again.
        MisuseError: connected to other URLs.
    """
    default_session.init(urls, timeout)


def close() -> None:
    """End the connection to the host; every pending and every later call fails. Safe to call again."""
    default_session.close()


def set_default_timeout(timeout: float | None) -> None:
    """Limit the calls that have no limit of their own to so many seconds; None, as at first, for no limit."""
    check_timeout(timeout)
    default_session.default_timeout = timeout


@overload
def get_service(
    namespace: str,
    name: str,
    prototype: Callable[P, R],
    *,
    fallback: Callable[P, R] | None = None,
    timeout: Timeout = ...,
) -> Callable[P, R]: ...


@overload
def get_service(namespace: str, name: str, *, timeout: Timeout = ...) -> Callable[..., Any]: ...


def get_service(
    namespace: str,
    name: str,
    prototype: Any = ...,
    *,
    fallback: Callable[..., Any] | None = None,
    timeout: Timeout = ...,
) -> Callable[..., Any]:
    """Return a function that calls a service of the host.

    `prototype` is a function whose annotations say what goes over; it is never called. The stub takes the
    same arguments, also by keyword. Without a prototype it takes any arguments, and returns None, the
    result, or a tuple of results. `fallback` is called instead while no host started this process.
    `timeout`: seconds, None for no limit, default `...`.

    Nothing is sent until the stub is called, and whether the host has such a service shows only then. The
    stub raises `RemoteError` with what the provider said, `ArgumentError` and `ResultError` where a value does not
    fit its annotation, `ConnectionLost` and `CallTimeout` when no reply came, `NotHosted` and `OpenError` when there
    is no connection.

    Raises `SignatureError` when `prototype` cannot be carried, `MisuseError` when a name is not a string.
    """
    if prototype is ...:
        if fallback is not None:
            prototype = fallback
        else:
            return call_untyped(default_session, namespace, name, timeout)
    return make_stub(default_session, namespace, name, prototype, fallback, timeout)


def service(
    namespace: str, name: str | None = None, *, fallback: bool | None = None, timeout: Timeout = ...
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Turn the function below into a stub: it calls the service, by the function's own name unless `name` is given.

    While no host started this process the function's body runs instead, unless it is empty (`...`, `pass`);
    then, or with `fallback=False`, the call raises `NotHosted`. With `fallback=True` also an empty body
    counts.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        service_name = getattr(function, "__name__", None) if name is None else name
        use_body = has_body(function) if fallback is None else fallback
        return make_stub(
            default_session,
            namespace,
            service_name,  # type: ignore[arg-type]  # checked there
            function,
            function if use_body else None,
            timeout,
        )

    return decorate


def namespace_stub(
    protocol: type[T],
    namespace: str,
    *,
    names: Mapping[str, str] | None = None,
    timeout: Timeout = ...,
) -> T:
    """Return an object whose methods call the services of a namespace.

    `protocol` is a class, usually a `typing.Protocol`, with a method for each service; `names` maps a method
    to the name of its service where that differs. Methods whose body is not empty serve as fallback while
    unhosted. What begins with an underscore is left out. Raises as `get_service`; `SignatureError` also for
    a public member that is no method.
    """
    return make_namespace(default_session, protocol, namespace, names or {}, timeout)


def has_namespace(namespace: str, *, timeout: Timeout = ...) -> bool:
    """Whether the host has a namespace. Raises `ServiceError` as a stub does."""
    return bool(_request(HAS_NAMESPACE, namespace, timeout))


def list_services(namespace: str, *, timeout: Timeout = ...) -> list[str]:
    """Return the names of the services in a namespace. Raises `ServiceError` as a stub does."""
    return list(_request(LIST_SERVICES, namespace, timeout))


def get_manifest(namespace: str, type: Any = Any, *, timeout: Timeout = ...) -> Any:
    """Return the manifest of a namespace, as a value of `type`. Raises `ServiceError` as a stub does."""
    decode = manifest_decoder(namespace, type)
    return decode(_request(GET_MANIFEST, namespace, timeout))


def manifest_decoder(namespace: str, type: Any) -> Callable[[bytes | None], Any]:
    """Return what turns the JSON of a manifest into a value of `type`. Raises `SignatureError`."""
    signature = Signature.from_types([], [type], side="consumer", name=f"the manifest of {namespace}")

    def decode(manifest: bytes | None) -> Any:
        if manifest is None:
            raise ResultError("the reply has no manifest")
        try:
            return signature.decode_results(b"[%b]" % bytes(manifest))
        except ResultError as error:
            raise ResultError(f"the manifest of {namespace!r}: {error.text}", error.path.replace("$[0]", "$", 1))

    return decode


def _request(type: str, namespace: str, timeout: Timeout) -> Any:
    """Send a request about a namespace and return the answer."""
    check_name("namespace", namespace)
    limit = default_session.default_timeout if timeout is ... else timeout
    check_timeout(limit)
    try:
        reply = default_session.connect(limit).request(type, namespace, "", limit)
    except CallTimeout as error:
        raise CallTimeout(f"{type} {namespace!r}: {error}") from None
    return answer_of(type, reply)
