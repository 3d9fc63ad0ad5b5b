"""Judges a recording: what each side broke, by requirement, and what a recording cannot tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.requirements import Level, Side, all_requirements
from conformance.traffic.checks import TABLE
from conformance.traffic.conversation import Conversation, converse
from conformance.traffic.recording import Event

SHOWN = 200


@dataclass(frozen=True)
class Violation:
    """One breach: where (connection), who, which requirement, when (seconds since the connection began), what."""

    connection: str
    side: Side
    requirement: str
    level: Level
    at: float
    what: str
    message: bytes = b""

    def to_json(self) -> dict[str, Any]:
        """The violation as the JSON report has it; the message is text, with escapes for bytes that are none."""
        return {
            "connection": self.connection,
            "side": self.side.value,
            "requirement": self.requirement,
            "level": self.level.value,
            "at": round(self.at, 6),
            "what": self.what,
            "message": self.message.decode("utf-8", "backslashreplace"),
        }

    def render(self) -> str:
        """Lines for people."""
        line = f"{self.at:9.3f} s  {self.side.value} broke {self.requirement} ({self.level.value}): {self.what}"
        if not self.message:
            return line
        shown = ascii(self.message[:SHOWN].decode("utf-8", "backslashreplace"))[1:-1]
        return f"{line}\n             {shown}" + (" ..." if len(self.message) > SHOWN else "")


@dataclass(frozen=True)
class Judgement:
    """What is to be said of one connection. ``open`` is what its recording leaves undecided, one sentence each."""

    connection: str
    messages: int
    violations: Sequence[Violation]
    open: Sequence[str]


def judge(connection: str, events: Sequence[Event]) -> Judgement:
    """Hold the events of one connection against every row of the table."""
    talk = converse(events)
    began = events[0].at
    requirements = all_requirements()
    violations = [
        Violation(
            connection,
            row.side,
            row.requirement,
            requirements[row.requirement].level,
            finding.at - began,
            finding.what,
            b"" if finding.message is None else finding.message.raw,
        )
        for row in TABLE
        for finding in row.check(talk)
    ]
    violations.sort(key=lambda each: each.at)
    return Judgement(connection, len(talk.messages), violations, tuple(_open(talk)))


def _open(talk: Conversation) -> Iterable[str]:
    unread = sum(message.unread for message in talk.messages)
    if unread:
        yield f"{unread} messages are nested deeper, or have longer numbers, than the judge reads"
    for event in talk.events:
        if event.kind == "failed":
            yield f"the recorder: {event.fields.get('reason')}"
    waiting = [exchange.request for exchange in talk.exchanges if not exchange.replies]
    if waiting and not talk.first_malformed(">"):
        last = talk.until - waiting[0].at
        yield (
            f"{len(waiting)} requests have no reply, the first {last:.3f} s before the recording ends:"
            " whether the host would have answered is open"
        )
    if talk.exit is None:
        yield "the recording ends before the plugin"


def not_visible() -> list[str]:
    """The requirements of hosts and plugins that no recording can show, by id and side."""
    seen = {(row.requirement, row.side) for row in TABLE}
    return [
        f"{requirement.id} ({side.value})"
        for requirement in all_requirements().values()
        for side in sorted(requirement.sides & {Side.HOST, Side.PLUGIN})
        if (requirement.id, side) not in seen
    ]
