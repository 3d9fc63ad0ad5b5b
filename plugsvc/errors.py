"""The exceptions that plugsvc raises, as one tree.

There are three groups, because they are handled in different places:

- `MisuseError`: a mistake of the program. It is raised when something is registered or bound, never by a call.
- `ServiceError`: a call failed. `RemoteError` is the provider's error, the others are errors of the connection.
- `ProtocolError`, `PluginError`: the peer sent malformed bytes; a plugin could not be found, read or run.

Each class also derives from the built-in exception that a caller would expect (`TypeError`, `TimeoutError`, ...).
"""

from __future__ import annotations

__all__ = [
    "ArgumentError",
    "CallTimeout",
    "ConnectionLost",
    "DiscoveryError",
    "IncompatiblePlugin",
    "ManifestError",
    "MarshalError",
    "MisuseError",
    "NotHosted",
    "OpenError",
    "PluginError",
    "PluginFailed",
    "PlugsvcError",
    "ProtocolError",
    "RegistrationError",
    "RemoteError",
    "ResultError",
    "ServiceError",
    "SignatureError",
]


class PlugsvcError(Exception):
    """Base of every exception that plugsvc raises on purpose."""


class MisuseError(PlugsvcError):
    """The library is used wrongly: what other implementations of the protocol call a panic."""


class SignatureError(MisuseError, TypeError):
    """A function cannot be a service: it is not callable, or has parameters or types that JSON cannot represent."""


class RegistrationError(MisuseError, ValueError):
    """A namespace, service, opener or bind is undefined, invalid, or registered twice."""


class ManifestError(MisuseError, TypeError):
    """A manifest cannot be written as JSON."""


class ServiceError(PlugsvcError):
    """A call failed. A provider raises `ServiceError("text")` to fail with exactly that text."""


class RemoteError(ServiceError):
    """The provider failed; `str(error)` is exactly what it said, which may be empty.

    `results` is the JSON array of results that came with the error, or None.
    """

    def __init__(self, text: str = "", results: bytes | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.results = results

    def __str__(self) -> str:
        return self.text

    def __reduce__(self) -> tuple[type[RemoteError], tuple[str, bytes | None]]:
        return type(self), (self.text, self.results)


class MarshalError(ServiceError):
    """A value does not fit its type.

    `path` says where, as a JSON path into the array of arguments or results (`$[1].name`), or is empty.
    """

    def __init__(self, text: str = "", path: str = "") -> None:
        super().__init__(text, path)
        self.text = text
        self.path = path

    def __str__(self) -> str:
        return f"{self.text}, at {self.path}" if self.path else self.text


class ArgumentError(MarshalError):
    """An argument does not fit, found before anything was sent, or by the provider."""


class ResultError(MarshalError):
    """A result does not fit, found by the provider before it was sent, or by the consumer."""


class ConnectionLost(ServiceError, ConnectionError):
    """The connection to the host has ended; `reason` says why, in this call and in every later one."""

    def __init__(self, reason: str = "the connection has ended") -> None:
        super().__init__(reason)
        self.reason = reason


class CallTimeout(ServiceError, TimeoutError):
    """No reply came in time. The call may still be carried out by the provider."""


class OpenError(ServiceError, OSError):
    """A URL could not be opened. The text names the scheme and path, the reason, and what may help."""

    def __init__(self, text: str = "", url: str = "") -> None:
        # One argument: OSError would turn two into errno and strerror.
        super().__init__(text)
        self.url = url

    def __reduce__(self) -> tuple[type[OpenError], tuple[str, str]]:
        return type(self), (str(self), self.url)


class NotHosted(ServiceError):
    """A service was called, but no host started this process."""


class ProtocolError(PlugsvcError):
    """The peer sent malformed bytes, so the connection has ended.

    `reason` says what is wrong, `offset` is where in the stream (bytes since its start), `excerpt` the bytes around it.
    """

    def __init__(self, reason: str = "malformed message", offset: int = 0, excerpt: bytes = b"") -> None:
        super().__init__(reason, offset, excerpt)
        self.reason = reason
        self.offset = offset
        self.excerpt = excerpt

    def __str__(self) -> str:
        text = f"protocol error: {self.reason} (byte {self.offset} of the stream)"
        return f"{text}: {self.excerpt!r}" if self.excerpt else text


class PluginError(PlugsvcError):
    """Discovering or executing a plugin failed."""


class DiscoveryError(PluginError):
    """A plugin could not be discovered: its `info` failed, or its output is no manifest."""


class IncompatiblePlugin(DiscoveryError):
    """A plugin has a manifest of a version that this library does not know."""


class PluginFailed(PluginError):
    """A plugin exited with a status other than 0, or was killed by a signal.

    `status` is its exit status, or None after a signal; `signal` is that signal's number, or None;
    `stderr` is the end of what it wrote to its standard error.
    """

    def __init__(
        self, text: str = "", *, status: int | None = None, signal: int | None = None, stderr: str = ""
    ) -> None:
        super().__init__(text)
        self.text = text
        self.status = status
        self.signal = signal
        self.stderr = stderr

    def __str__(self) -> str:
        return self.text

    def __reduce__(self) -> tuple[object, ...]:
        return _plugin_failed, (type(self), self.text, self.status, self.signal, self.stderr)


def _plugin_failed(
    kind: type[PluginFailed], text: str, status: int | None, signal: int | None, stderr: str
) -> PluginFailed:
    """Rebuild a pickled `PluginFailed`; its keyword-only arguments do not fit a plain `__reduce__`."""
    return kind(text, status=status, signal=signal, stderr=stderr)
