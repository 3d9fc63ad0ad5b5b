"""The host's end of one connection: requests in, replies out, until the plugin goes or talks nonsense."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..wire import (
    CALL,
    GET_MANIFEST,
    HAS_NAMESPACE,
    LIST_SERVICES,
    MAX_DEPTH,
    MAX_MESSAGE,
    Request,
    RequestReader,
    encode_reply,
)
from .calls import Service
from .channel import Channel
from .dispatch import MAX_AWAITING, MAX_QUEUED, MAX_RUNNING, MAX_UNSENT, Dispatcher
from .namespaces import Namespaces
from .outbox import Outbox

if TYPE_CHECKING:
    from .tasks import Venue

__all__ = ["Server"]

DRAIN_SECONDS = 5.0


class Server:
    """Serves one registry on one channel, which it owns. `start` it once; then it needs no further attention.

    It ends by itself when the plugin closes its end; when the plugin sends something malformed (the calls
    before that are answered, for at most `drain_timeout` seconds, then both ends are closed); by `finish`,
    when the plugin is known to be gone; and by `close`. `wait` for that; then `error` says how it ended: None
    for a clean end between two messages or by `close`, else the `ProtocolError` (anything else would be a bug
    in this library). `venue` is where coroutine functions run (`tasks.Venue.here(loop)`), by default in a loop of the
    library's own.
    """

    def __init__(
        self,
        registry: Namespaces,
        channel: Channel,
        venue: Venue | None = None,
        *,
        max_running: int = MAX_RUNNING,
        max_awaiting: int = MAX_AWAITING,
        max_queued: int = MAX_QUEUED,
        max_unsent: int = MAX_UNSENT,
        max_message: int = MAX_MESSAGE,
        max_depth: int = MAX_DEPTH,
        drain_timeout: float = DRAIN_SECONDS,
    ) -> None:
        self._registry = registry
        self._channel = channel
        self._messages = RequestReader(max_message=max_message, max_depth=max_depth)
        self._outbox = Outbox(channel)
        self._drain_timeout = drain_timeout
        self._closing = threading.Event()
        self._done = threading.Event()
        self._gone = threading.Event()
        self._dispatcher = Dispatcher(
            self._read,
            self._lookup,
            self._outbox,
            self._settle,
            venue,
            max_running=max_running,
            max_awaiting=max_awaiting,
            max_queued=max_queued,
            max_unsent=max_unsent,
        )
        self.error: BaseException | None = None

    def start(self) -> None:
        """Begin to serve, in threads of its own. Raises `RuntimeError` without them; then the channel is closed."""
        try:
            self._dispatcher.start()
        except BaseException:
            self.close()
            self._outbox.close()
            self._done.set()
            raise

    def finish(self) -> None:
        """The plugin is gone: read what it has left behind, wait for nothing else, and end."""
        self._gone.set()
        self._dispatcher.hurry()
        self._channel.wake()

    def close(self) -> None:
        """End now. Calls that are running are not waited for, and their replies are dropped."""
        self._closing.set()
        self._gone.set()
        self._dispatcher.stop()
        self._channel.wake()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the connection has ended; return False when that takes longer than `timeout` seconds."""
        return self._done.wait(timeout)

    def _read(self) -> Sequence[Request] | None:
        messages = self._messages
        # A malformed message ends the reading, but not before the requests in front of it were handed out.
        while messages.error is None and not self._closing.is_set():
            data = self._channel.read()
            if not data:
                if not self._closing.is_set():
                    messages.eof()
                return None
            requests = messages.feed(data)
            if requests:
                return requests
        return None

    def _lookup(self, request: Request) -> bytes | Service:
        kind = request.type
        namespace = self._registry.find(request.namespace)
        if kind == CALL and namespace is not None:  # first, since there is nothing more usual
            service = namespace.services.get(request.name)
            if service is not None:
                return service
        sequence = request.sequence
        if kind == HAS_NAMESPACE:
            return encode_reply(sequence, ok=namespace is not None)
        if namespace is None:
            return encode_reply(sequence, error=f"undefined namespace {_quoted(request.namespace)}")
        if kind == CALL:
            return encode_reply(sequence, error=f"undefined service {_quoted(request.name)}")
        if kind == GET_MANIFEST:
            return encode_reply(sequence, reply=namespace.manifest)
        if kind == LIST_SERVICES:
            return encode_reply(sequence, services=namespace.services)
        return encode_reply(sequence, error=f"invalid request type {_quoted(kind)}")

    def _settle(self, error: BaseException | None) -> None:
        """End the connection, in the thread that has read last."""
        try:
            self.error = error if error is not None else self._messages.error
            if not self._closing.is_set() and not self._channel.woken:
                # Malformed: what came before it is still answered. A plain end of file: a plugin may close
                # the end that it writes to and wait for its last replies; one that is gone has closed the
                # other end, too.
                self._dispatcher.when_drained(self._channel.wake)
                self._channel.wait_for_reader_gone(self._drain_timeout if self.error is not None else None)
                if self._channel.linger is not None:
                    self._channel.linger(self._gone)
        finally:
            self._dispatcher.stop()
            self._outbox.close()
            self._done.set()


def _quoted(text: str) -> str:
    """Return `text` in double quotes, with the escapes of JSON, so that an error stays on one line."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in escaped) + '"'
