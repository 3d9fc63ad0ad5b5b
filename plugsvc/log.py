"""Log records from plugins to their host, over the log service that comes with the protocol.

On the host, `add_log_service(registry)` offers the service; what plugins log arrives in a `logging.Logger`.
In the plugin, `log_to_host()` sends what the program logs to the host, in batches:

    plugsvc.log.log_to_host()
    logging.getLogger(__name__).info("scanning %s", path, extra={"path": path})

The service has levels of its own, from 0 (panic) to 6 (trace), and two spellings of the keys of a record are
in use, `msg` and `Msg`; both are read, the lower-case one is written.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from .errors import PlugsvcError
from .imports import importing

if TYPE_CHECKING:
    from .host.registry import Registry

__all__ = ["NAMESPACE", "TRACE", "HostHandler", "add_log_service", "log_to_host"]

NAMESPACE = "github.com/chaitin/libveinmind/logging"
"""The namespace of the log service."""

TRACE = 5
"""The level of `logging` that stands for trace, which `logging` itself does not have."""

DELAY_SECONDS = 0.02
MAX_BUFFERED = 10_000
SEND_TIMEOUT = 5.0

# The service's levels by number, and the names that some implementations write instead.
_NAMES = ("panic", "fatal", "error", "warning", "info", "debug", "trace")
_LEVELS = (logging.CRITICAL, logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG, TRACE)
_ERROR = 2
_INFO = 4


def to_service_level(level: int) -> int:
    """Return the number of the service's level for a level of `logging`."""
    for number in (1, 2, 3, 4, 5):
        if level >= _LEVELS[number]:
            return number
    return 6


def to_logging_level(level: object) -> int:
    """Return the level of `logging` for one of the service, a number or a name.

    What is graver than an error counts as an error: that a plugin cannot go on is no reason for its host to
    panic. What is no level at all counts as info.
    """
    if isinstance(level, str):
        name = level.lower()
        number = _NAMES.index(name) if name in _NAMES else 3 if name == "warn" else _INFO
    elif isinstance(level, int | float):
        number = int(max(0, min(level, len(_LEVELS) - 1)))
    else:
        number = _INFO
    return _LEVELS[max(number, _ERROR)]


# The host's side.


def add_log_service(
    registry: Registry,
    logger: logging.Logger | None = None,
    *,
    level: int | None = None,
    delay: float = DELAY_SECONDS,
) -> None:
    """Offer the log service: what plugins log goes to `logger` (by default the one named `plugsvc.plugin`).

    Plugins are told to send what `level` (of `logging`; by default the logger's own at that time) lets
    through, collected for `delay` seconds. A record's fields are appended to its message, and are its
    attribute `fields`.

    Raises `RegistrationError` when the registry has that namespace already.
    """
    target = logger if logger is not None else logging.getLogger("plugsvc.plugin")

    def get_config() -> dict[str, int]:
        own = target.getEffectiveLevel() if level is None else level
        return {"level": to_service_level(own), "delay": int(delay * 1_000_000_000)}

    def log(records: list[dict[str, Any]]) -> None:
        for each in records:
            _emit(target, {key.lower(): value for key, value in each.items()})

    registry.define(NAMESPACE, {})
    registry.add_service(NAMESPACE, "getConfig", get_config)
    registry.add_service(NAMESPACE, "log", log)


def _emit(logger: logging.Logger, sent: Mapping[str, Any]) -> None:
    level = to_logging_level(sent.get("level"))
    if not logger.isEnabledFor(level):
        return
    fields = sent.get("fields")
    if not isinstance(fields, dict):
        fields = {}
    message = sent.get("msg")
    parts = [message if isinstance(message, str) else "" if message is None else repr(message)]
    parts += [f"{key}={value if isinstance(value, str) else msgspec.json.encode(value).decode()}"
              for key, value in fields.items()]  # fmt: skip
    record = logger.makeRecord(logger.name, level, "(plugin)", 0, " ".join(parts), (), None, extra={"fields": fields})
    created = _seconds(sent.get("time"))
    if created is not None:
        record.created = created
        record.msecs = (created - int(created)) * 1000
    logger.handle(record)


def _seconds(stamp: object) -> float | None:
    """Return an RFC 3339 time as seconds since the epoch, None for anything else."""
    try:
        return msgspec.convert(stamp, datetime, strict=True).timestamp()
    except (msgspec.ValidationError, ValueError, OverflowError):
        return None


# The plugin's side.


class HostHandler(logging.Handler):
    """Sends records to the host, in batches, from a thread of its own. It never raises into the program that
    logs.

    How much is sent, and how often, the host says; `level` says that instead. What is still there when the
    handler is flushed or closed, or the program ends, is sent then. When the host is gone, or does not keep
    up (more than `max_buffered` records wait), records are dropped, and `dropped` says how many. Where the
    host has no log service or the process has no host, all of them are. So are those of a forked child, which has no
    connection to the host; what was logged before the fork is sent by the parent, once.
    """

    dropped: int

    def __init__(self, level: int | None = None, *, max_buffered: int = MAX_BUFFERED) -> None:
        super().__init__(logging.NOTSET if level is None else level)
        self.dropped = 0
        self._own_level = level is not None
        self._max_buffered = max_buffered
        self._delay = DELAY_SECONDS
        self._buffer: list[dict[str, Any]] = []
        # Not the handler's own lock, which `flush` may be called with; that one is never waited for in the
        # thread.
        self._changed = threading.Condition(threading.Lock())
        self._sending = threading.Lock()
        self._thread: threading.Thread | None = None
        self._configured = False
        self._closed = False
        _handlers.add(self)
        # The program's last records are sent while its threads and connection still work.
        atexit.register(self.close)

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record in; it is sent a little later."""
        try:
            entry = self._entry(record)
        except Exception:
            self.handleError(record)
            return
        with self._changed:
            if self._closed or len(self._buffer) >= self._max_buffered:
                self.dropped += 1
                return
            self._buffer.append(entry)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="plugsvc-log", daemon=True)
                self._thread.start()
            elif len(self._buffer) == 1:
                self._changed.notify()

    def flush(self) -> None:
        """Send what is there, now; return when that is done or has failed."""
        with self._sending:
            with self._changed:
                batch, self._buffer = self._buffer, []
            if batch:
                self._send(batch)

    def close(self) -> None:
        """Send what is there, and stop."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify()
        self.flush()
        atexit.unregister(self.close)
        super().close()

    def after_fork(self) -> None:
        """In a forked child: leave what waits to the parent, and drop all that comes."""
        self._changed = threading.Condition(threading.Lock())
        self._sending = threading.Lock()
        self._buffer = []
        self._thread = None
        self._closed = True
        self.dropped = 0

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._buffer:
                    if self._closed:
                        return
                    self._changed.wait()
                end = time.monotonic() + self._delay
                while not self._closed and (left := end - time.monotonic()) > 0:
                    self._changed.wait(left)
            self.flush()

    def _send(self, batch: list[dict[str, Any]]) -> None:
        with importing():
            from .client import api

        try:
            if not self._configured:
                config = api.get_service(NAMESPACE, "getConfig", _get_config, timeout=SEND_TIMEOUT)()
                self._configure(config)
            lowest = to_service_level(self.level) if self.level else len(_LEVELS)
            wanted = [each for each in batch if each["level"] <= lowest]
            if wanted:
                api.get_service(NAMESPACE, "log", _log, timeout=SEND_TIMEOUT)(wanted)
        except PlugsvcError:
            # No host, no log service, no answer: the program itself is not to suffer from that.
            self.dropped += len(batch)

    def _configure(self, config: Mapping[str, Any]) -> None:
        known = {key.lower(): value for key, value in config.items()}
        level, delay = known.get("level"), known.get("delay")
        if not self._own_level and isinstance(level, int) and 0 <= level < len(_LEVELS):
            self.setLevel(_LEVELS[level])
        if isinstance(delay, int) and delay >= 0:
            self._delay = min(delay / 1_000_000_000, 60.0)
        self._configured = True

    def _entry(self, record: logging.LogRecord) -> dict[str, Any]:
        fields = {
            key: _plain(value)
            for key, value in record.__dict__.items()
            if key not in _STANDARD and not key.startswith("_")
        }
        if record.exc_info:
            formatter = self.formatter or _FORMATTER
            fields["error"] = formatter.formatException(record.exc_info)
        message = self.format(record) if self.formatter is not None else record.getMessage()
        return {
            "time": datetime.fromtimestamp(record.created).astimezone().isoformat(),
            "level": to_service_level(record.levelno),
            "fields": fields,
            "msg": message,
        }


_handlers: weakref.WeakSet[HostHandler] = weakref.WeakSet()


def _after_fork() -> None:
    for handler in list(_handlers):
        handler.after_fork()


os.register_at_fork(after_in_child=_after_fork)

_FORMATTER = logging.Formatter()
_STANDARD = {*logging.makeLogRecord({}).__dict__, "message", "asctime"}


def _plain(value: Any) -> Any:
    """Return a value as JSON can carry it, its text where JSON cannot."""
    try:
        return msgspec.json.decode(msgspec.json.encode(value))
    except Exception:
        return repr(value)


def _get_config() -> dict[str, Any]:
    raise NotImplementedError


def _log(records: list[dict[str, Any]]) -> None:
    raise NotImplementedError


def log_to_host(logger: logging.Logger | None = None, level: int | None = None) -> logging.Handler:
    """Send what `logger` (by default the root logger) logs to the host; return the handler that does it.

    Without a host, records go to standard error instead. With `level`, that is the level from which records
    are sent, and the logger's own level is lowered to it; by default the host says how much it wants, and the
    logger has to let it through.
    """
    with importing():
        from .client import api

    target = logger if logger is not None else logging.getLogger()
    handler: logging.Handler
    if api.hosted():
        handler = HostHandler(level)
    else:
        handler = logging.StreamHandler()
        handler.setLevel(logging.NOTSET if level is None else level)
    if level is not None and target.getEffectiveLevel() > level:
        target.setLevel(level)
    target.addHandler(handler)
    return handler
