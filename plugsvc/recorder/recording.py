"""The file format of recordings: JSON lines, written one by one, read up to the last whole line.

docs/traffic.md describes it. Each line is one event and names its connection, so one file may hold several connections,
also of processes that write at the same time: each line is one `write` to a file that is opened with `O_APPEND`.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import PlugsvcError
from ..openers.descriptors import open_path

__all__ = ["VERSION", "Event", "RecordingError", "RecordingWriter", "read_recording"]

VERSION = 1
"""The version of the format."""


class RecordingError(PlugsvcError):
    """A file that is not a recording, or a recording that cannot be written."""


class RecordingWriter:
    """Appends the events of one connection to a file.

    `problem` is why the recording is incomplete, None as long as it is complete: a recording that cannot be written
    (a full disk) never ends the connection.

    Raises `RecordingError` when the file cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.connection: str = secrets.token_hex(4)
        self.problem: str | None = None
        self._path = os.fspath(path)
        try:
            self._fd = open_path(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise RecordingError(f"cannot record to {self._path}: {error.strerror or error}") from error
        self._head = b'{"connection":"%b","at":' % self.connection.encode()
        self._data = {
            direction: b',"event":"data","direction":"%b","data":"' % direction.encode() for direction in (">", "<")
        }

    def begin(self, command: Sequence[str], transports: Mapping[str, str]) -> None:
        """Write the header: the plugin's command, and the transport of each side."""
        self.event(
            "header",
            version=VERSION,
            time=time.time(),
            command=[os.fsencode(word).decode("utf-8", "replace") for word in command],
            transports=dict(transports),
        )

    def data(self, direction: str, data: bytes) -> None:
        """Write down bytes, before they are passed on."""
        head = b"%b%.6f%b" % (self._head, time.monotonic(), self._data[direction])
        self._append(head, binascii.b2a_base64(data, newline=False), b'"}\n')

    def event(self, kind: str, **fields: Any) -> None:
        """Write down another event."""
        line = {"connection": self.connection, "at": round(time.monotonic(), 6), "event": kind, **fields}
        self._append(json.dumps(line, separators=(",", ":")).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _append(self, *parts: bytes) -> None:
        if self.problem is not None:
            return
        try:
            written = os.writev(self._fd, parts)
        except OSError as error:
            self.problem = f"{self._path}: {error.strerror or error}"
            return
        if written != sum(map(len, parts)):
            self.problem = f"{self._path}: no room for more"


@dataclass(frozen=True)
class Event:
    """One line of a recording.

    `at`: seconds of a monotonic clock. `kind`: header, open, failed, data, eof, closed, signal or exit. `direction`:
    `>` from the plugin to the host, `<` from the host to the plugin, empty where an event has none. `data`: the bytes
    of `data`. `fields`: everything else on the line.
    """

    connection: str
    at: float
    kind: str
    direction: str = ""
    data: bytes = b""
    fields: Mapping[str, Any] = field(default_factory=dict)


def read_recording(path: str | os.PathLike[str]) -> Iterator[Event]:
    """Yield the events of a recording, up to its last whole line.

    Raises `RecordingError` when the file cannot be read, and for a line that is no event; its text names the line. A
    last line without a line feed was cut off and is left out.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                yield _event(name, number, line)
    except OSError as error:
        raise RecordingError(f"{name}: {error.strerror or error}") from error


def _event(name: str, number: int, line: bytes) -> Event:
    try:
        fields = json.loads(line)
        event = Event(
            connection=fields.pop("connection"),
            at=float(fields.pop("at")),
            kind=fields.pop("event"),
            direction=fields.pop("direction", ""),
            data=base64.b64decode(fields.pop("data", ""), validate=True),
            fields=fields,
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RecordingError(f"{name}, line {number}: not an event of a recording: {line[:60]!r}") from error
    if event.kind == "header" and fields.get("version") != VERSION:
        raise RecordingError(f"{name}, line {number}: version {fields.get('version')!r}, expected {VERSION}")
    return event
