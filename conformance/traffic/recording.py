"""Reads recordings: JSON lines as docs/traffic.md describes them, up to the last whole line."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

VERSION = 1
REQUESTS, REPLIES = ">", "<"


class RecordingError(Exception):
    """A file that is no recording; one line."""


@dataclass(frozen=True)
class Event:
    """One line: when (seconds of a monotonic clock), what, in which direction, the bytes, and everything else."""

    connection: str
    at: float
    kind: str
    direction: str = ""
    data: bytes = b""
    fields: Mapping[str, Any] = field(default_factory=dict)


def read(path: str | os.PathLike[str]) -> Iterator[Event]:
    """The events of a file; a last line without a line feed was cut off and is left out.

    Raises:
        RecordingError: the file cannot be read, or a line is no event.
    """
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                yield _event(line, f"{os.fspath(path)}, line {number}")
    except OSError as error:
        raise RecordingError(f"{os.fspath(path)}: {error.strerror or error}") from None


def _event(line: bytes, where: str) -> Event:
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
    except (ValueError, TypeError, KeyError, AttributeError):
        raise RecordingError(f"{where}: expected an event of a recording, got {line[:60]!r}") from None
    if event.kind == "header" and fields.get("version") != VERSION:
        raise RecordingError(f"{where}: expected version {VERSION}, got {fields.get('version')!r}")
    return event


def by_connection(events: Iterator[Event]) -> dict[str, list[Event]]:
    """The events of each connection, in the order in which the connections began."""
    found: dict[str, list[Event]] = {}
    for event in events:
        found.setdefault(event.connection, []).append(event)
    return found
