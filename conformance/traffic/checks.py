"""What each requirement means for a recording: one row for each requirement and side that can be seen from outside.

A check is a pure function of a conversation. It yields findings: when, what, and the message. Where a recording leaves
it open who was late, or whether somebody would still have answered, a check yields nothing: false alarms are as bad as
misses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from conformance.requirements import Side
from conformance.traffic.conversation import LARGEST_SEQUENCE, Conversation, Exchange, Message
from conformance.traffic.recording import REPLIES, REQUESTS

GRACE_SECONDS = 5.0
"""How long a side has to end a connection after a malformed message, before that counts as not ending it."""
IN_FLIGHT_SECONDS = 1.0
"""What was sent so soon after an event may have been under way before the sender knew of it."""
CLOSING_SECONDS = 0.05
"""A plugin closes its two ends one after the other; its host may answer the first with an end of its own."""
LOOKUPS = ("hasNamespace", "getManifest", "listServices")
TYPES = ("call", *LOOKUPS)
PLAIN = re.compile(r"[\w .-]*", re.ASCII)


@dataclass(frozen=True)
class Finding:
    """A breach: when (monotonic seconds), what was expected and seen, and the message that shows it."""

    at: float
    what: str
    message: Message | None = None


Check = Callable[[Conversation], Iterator[Finding]]


@dataclass(frozen=True)
class Row:
    """One requirement on one side, and the check that finds breaches of it."""

    requirement: str
    side: Side
    check: Check


# What both sides write.


def _strict(direction: str) -> Check:
    def check(talk: Conversation) -> Iterator[Finding]:
        for message in _written(talk, direction):
            if message.problem:
                yield Finding(message.at, f"expected strict JSON, got {message.problem}", message)
            elif not message.unread and not isinstance(message.value, dict):
                yield Finding(message.at, f"expected an object, got {type(message.value).__name__}", message)
        rest = talk.cut.get(direction)
        if rest and direction in talk.ended and not _was_disturbed(talk, direction):
            message = Message(talk.ended[direction], direction, rest)
            yield Finding(message.at, "expected a complete object, got the end of the stream in the middle", message)

    return check


def _was_disturbed(talk: Conversation, direction: str) -> bool:
    """Whether there is a reason for an unfinished message: its reader had gone, or its writer did not end by itself."""
    other = REPLIES if direction == REQUESTS else REQUESTS
    if talk.first_malformed(other) is not None or other in talk.ended:
        return True
    return direction == REQUESTS and (talk.exit is None or "signal" in talk.exit.fields)


def _line_feed(direction: str) -> Check:
    def check(talk: Conversation) -> Iterator[Finding]:
        for message in _written(talk, direction):
            if message.line_feed is False and not message.problem:
                yield Finding(message.at, "expected a line feed behind the message", message)

    return check


def _written(talk: Conversation, direction: str) -> Iterator[Message]:
    """The messages of a side, up to the first malformed one."""
    for message in talk.messages:
        if message.direction == direction:
            yield message
            if message.malformed:
                return


# Requests.


def _requests(talk: Conversation) -> Iterator[Message]:
    return (m for m in _written(talk, REQUESTS) if isinstance(m.value, dict))


def _is_call(message: Message) -> bool:
    fields = message.fields
    kind = fields.get("type")
    return kind == "call" or (kind not in TYPES and bool(fields.get("name") or fields.get("args")))


def _call_form(talk: Conversation) -> Iterator[Finding]:
    for message in _requests(talk):
        if not _is_call(message):
            continue
        fields = message.fields
        if fields.get("type") != "call":
            yield Finding(message.at, f'expected the type "call", got {_short(fields.get("type"))}', message)
        for key in ("namespace", "name"):
            # An existing implementation writes a stub without a name as null, which hosts read as the empty string.
            if not isinstance(fields.get(key), str):
                yield Finding(message.at, f"expected {key}, a string, got {_short(fields.get(key))}", message)
        if "sequence" not in fields:
            yield Finding(message.at, "expected a sequence, got none", message)
        if not isinstance(fields.get("args"), list | None):
            yield Finding(message.at, f"expected args, an array, got {_short(fields['args'])}", message)


def _args_present(talk: Conversation) -> Iterator[Finding]:
    for message in _requests(talk):
        if message.fields.get("type") == "call" and message.fields.get("args") is None:
            yield Finding(message.at, "expected args, an array, also where it is empty; got none", message)


def _lookup_form(talk: Conversation) -> Iterator[Finding]:
    for message in _requests(talk):
        if _is_call(message):
            continue
        fields = message.fields
        if fields.get("type") not in LOOKUPS:
            yield Finding(message.at, f"expected a known type, got {_short(fields.get('type'))}", message)
        if not isinstance(fields.get("namespace"), str):
            yield Finding(message.at, f"expected namespace, a string, got {_short(fields.get('namespace'))}", message)
        if "sequence" not in fields:
            yield Finding(message.at, "expected a sequence, got none", message)


def _sequences(talk: Conversation) -> Iterator[Finding]:
    for message in _requests(talk):
        sequence = message.fields.get("sequence", 0)
        if type(sequence) is not int or not 0 <= sequence <= LARGEST_SEQUENCE:
            yield Finding(message.at, f"expected a sequence from 0 to 2^64-1, got {_short(sequence)}", message)
    judged = {id(message) for message in _requests(talk)}
    for message in talk.reused:
        if id(message) in judged:
            sequence = _short(message.fields.get("sequence"))
            yield Finding(message.at, f"expected a sequence that is not outstanding, got {sequence} again", message)


def _silent_after_malformed_reply(talk: Conversation) -> Iterator[Finding]:
    bad = talk.first_malformed(REPLIES)
    if bad is not None:
        for message in talk.messages:
            if message.direction == REQUESTS and message.at > bad.at + IN_FLIGHT_SECONDS:
                later = message.at - bad.at
                yield Finding(
                    message.at, f"expected no request after a malformed reply, got one {later:.1f} s later", bad
                )
                return


def _closes_after_malformed_reply(talk: Conversation) -> Iterator[Finding]:
    bad = talk.first_malformed(REPLIES)
    if bad is not None and _still_open(talk, REQUESTS, bad.at):
        yield Finding(bad.at, f"expected the plugin to close its ends within {GRACE_SECONDS:g} s of this", bad)


def _silent_after_end(talk: Conversation) -> Iterator[Finding]:
    end = talk.ended.get(REPLIES)
    if end is not None:
        for message in talk.messages:
            if message.direction == REQUESTS and message.at > end + IN_FLIGHT_SECONDS:
                yield Finding(message.at, "expected no request after the host's end of file", message)
                return


def _still_open(talk: Conversation, direction: str, since: float) -> bool:
    """Whether a direction is neither ended nor closed some seconds after, although both sides were there."""
    over = [talk.ended.get(direction), talk.closed.get(direction), talk.exit.at if talk.exit else None]
    end = min((at for at in over if at is not None), default=None)
    return (talk.until if end is None else end) > since + GRACE_SECONDS


# Replies.


def _answered_once(talk: Conversation) -> Iterator[Finding]:
    bad = talk.first_malformed(REPLIES)
    for message, earlier in talk.stray:
        if message.malformed or (bad is not None and message.at > bad.at) or _is_unclear(talk, message.at):
            continue
        sequence = _short(message.fields.get("sequence"))
        if earlier is not None:
            yield Finding(message.at, f"expected one reply to the sequence {sequence}, got another one", message)
        else:
            yield Finding(message.at, f"expected the sequence of a request, got {sequence}", message)
    for message in _written(talk, REPLIES):
        sequence = message.fields.get("sequence", 0)
        if isinstance(message.value, dict) and type(sequence) is not int:
            yield Finding(message.at, f"expected a sequence, an integer, got {_short(sequence)}", message)
    if (end := _left(talk)) is not None and talk.ended.get(REQUESTS, end) >= end:
        for exchange in _unanswered(talk, end):
            yield Finding(end, "expected a reply before the host ended the connection", exchange.request)


def _is_unclear(talk: Conversation, at: float) -> bool:
    """Whether a request before this time could not be read here, which any reply may belong to."""
    return any(m.direction == REQUESTS and (m.unread or m.malformed) and m.at <= at for m in talk.messages)


def _left(talk: Conversation) -> float | None:
    """When the host ended the connection by itself, with the plugin there, waiting, and without fault; else None."""
    end = talk.ended.get(REPLIES)
    if end is None or talk.first_malformed(REQUESTS) is not None or talk.first_malformed(REPLIES) is not None:
        return None
    gone = [talk.closed.get(REPLIES), talk.exit.at if talk.exit else None]
    return None if any(at is not None and at < end + CLOSING_SECONDS for at in gone) else end


def _unanswered(talk: Conversation, end: float) -> list[Exchange]:
    if _is_unclear(talk, end):
        return []
    last = end - IN_FLIGHT_SECONDS / 10
    return [each for each in talk.exchanges if not each.replies and each.request.at < last]


def _answered_after_half_close(talk: Conversation) -> Iterator[Finding]:
    end, eof = _left(talk), talk.ended.get(REQUESTS)
    if end is not None and eof is not None and eof < end:
        for exchange in _unanswered(talk, end):
            yield Finding(end, "expected a reply: the plugin had closed its writing end only", exchange.request)


def _replies(talk: Conversation, *types: str) -> Iterator[tuple[Message, Message]]:
    """Each reply with its request, of these types."""
    judged = {id(message) for message in _written(talk, REPLIES)}
    for exchange in talk.exchanges:
        if (exchange.request.fields.get("type") or "") in types:
            for reply in exchange.replies:
                if id(reply) in judged and isinstance(reply.value, dict):
                    yield exchange.request, reply


def _results(talk: Conversation) -> Iterator[Finding]:
    for _, reply in _replies(talk, "call"):
        if reply.fields.get("error") is None and not isinstance(reply.fields.get("reply"), list):
            got = _short(reply.fields["reply"]) if "reply" in reply.fields else "none"
            yield Finding(reply.at, f"expected reply, the array of results, got {got}", reply)


def _error_form(talk: Conversation) -> Iterator[Finding]:
    for message in _written(talk, REPLIES):
        if not isinstance(message.fields.get("error"), str | None):
            yield Finding(message.at, f"expected error, a string, got {_short(message.fields['error'])}", message)
    for _, reply in _replies(talk, "hasNamespace"):
        # It never fails, so its reply is a successful one.
        if isinstance(reply.fields.get("error"), str):
            yield Finding(reply.at, f"expected no error, got {_short(reply.fields['error'])}", reply)


def _has_namespace(talk: Conversation) -> Iterator[Finding]:
    for _, reply in _replies(talk, "hasNamespace"):
        if isinstance(reply.fields.get("error"), str):
            yield Finding(reply.at, f"expected ok, got the error {_short(reply.fields['error'])}", reply)
        if not isinstance(reply.fields.get("ok"), bool | None):
            yield Finding(reply.at, f"expected ok, a boolean, got {_short(reply.fields['ok'])}", reply)


def _services(talk: Conversation) -> Iterator[Finding]:
    for _, reply in _replies(talk, "listServices"):
        services = reply.fields.get("services")
        if services is None:
            continue
        if not isinstance(services, list) or not all(isinstance(each, str) for each in services):
            yield Finding(reply.at, f"expected services, an array of strings, got {_short(services)}", reply)
        elif len(set(services)) != len(services):
            twice = next(name for name in services if services.count(name) > 1)
            yield Finding(reply.at, f"expected each service once, got {_short(twice)} again", reply)


def _same_order(talk: Conversation) -> Iterator[Finding]:
    seen: dict[Any, list[str]] = {}
    for request, reply in _replies(talk, "listServices"):
        services = reply.fields.get("services")
        if isinstance(services, list) and all(isinstance(each, str) for each in services):
            before = seen.setdefault(request.fields.get("namespace"), services)
            if before != services and sorted(before) == sorted(services):
                yield Finding(reply.at, f"expected the services in the same order, {_short(before)}", reply)


def _unknown_type(talk: Conversation) -> Iterator[Finding]:
    for request, reply in _unknown(talk):
        if reply.fields.get("error") is None:
            yield Finding(reply.at, f"expected an error for the type {_short(request.fields.get('type'))}", reply)


def _words_of_errors(talk: Conversation) -> Iterator[Finding]:
    for request, reply in _unknown(talk):
        error = reply.fields.get("error")
        kind, namespace = request.fields.get("type") or "", request.fields.get("namespace") or ""
        if isinstance(error, str) and error not in (
            f'invalid request type "{kind}"',
            f'undefined namespace "{namespace}"',
        ):
            yield Finding(reply.at, f'expected the error invalid request type "{kind}", got {_short(error)}', reply)


def _unknown(talk: Conversation) -> Iterator[tuple[Message, Message]]:
    kinds = {str(each.request.fields.get("type") or "") for each in talk.exchanges if not each.request.malformed}
    # How a language quotes other characters is its own affair.
    return _replies(talk, *(kind for kind in kinds if kind not in TYPES and PLAIN.fullmatch(kind)))


def _ends_after_malformed_request(talk: Conversation) -> Iterator[Finding]:
    bad = talk.first_malformed(REQUESTS)
    if bad is None:
        return
    if _still_open(talk, REPLIES, bad.at):
        yield Finding(bad.at, f"expected the host to end the connection within {GRACE_SECONDS:g} s of this", bad)
    for message, earlier in talk.stray:
        if message.at >= bad.at and earlier is None:
            yield Finding(message.at, "expected no reply to a malformed request", message)
            return
    requests = [exchange.request for exchange in talk.exchanges]
    behind = next(at for at, request in enumerate(requests) if request is bad) + 1
    for exchange in talk.exchanges[behind:]:
        if exchange.replies:
            yield Finding(exchange.replies[0].at, "expected no reply to what came behind a malformed request", bad)
            return


def _answers_before_malformed_request(talk: Conversation) -> Iterator[Finding]:
    bad, end = talk.first_malformed(REQUESTS), talk.ended.get(REPLIES)
    if bad is None or end is None or end > bad.at + IN_FLIGHT_SECONDS / 2:
        return  # a service that takes longer is not waited for
    gone = [talk.closed.get(REPLIES), talk.exit.at if talk.exit else None]
    if any(at is not None and at < end for at in gone):
        return
    for exchange in talk.exchanges:
        if exchange.request is bad:
            return
        if not exchange.replies:
            yield Finding(end, "expected a reply to what was complete before the malformed request", exchange.request)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 80 else text[:77] + "..."


TABLE: tuple[Row, ...] = (
    Row("FRM-07", Side.PLUGIN, _strict(REQUESTS)),
    Row("FRM-07", Side.HOST, _strict(REPLIES)),
    Row("FRM-12", Side.PLUGIN, _line_feed(REQUESTS)),
    Row("FRM-12", Side.HOST, _line_feed(REPLIES)),
    Row("REQ-01", Side.PLUGIN, _call_form),
    Row("REQ-02", Side.PLUGIN, _lookup_form),
    Row("REQ-03", Side.PLUGIN, _sequences),
    Row("REQ-04", Side.PLUGIN, _args_present),
    Row("MAL-01", Side.PLUGIN, _silent_after_malformed_reply),
    Row("MAL-02", Side.PLUGIN, _closes_after_malformed_reply),
    Row("END-02", Side.PLUGIN, _silent_after_end),
    Row("REP-06", Side.HOST, _answered_once),
    Row("REP-07", Side.HOST, _results),
    Row("REP-10", Side.HOST, _error_form),
    Row("NSP-01", Side.HOST, _has_namespace),
    Row("NSP-03", Side.HOST, _services),
    Row("NSP-04", Side.HOST, _same_order),
    Row("ERR-08", Side.HOST, _unknown_type),
    Row("ERR-09", Side.HOST, _words_of_errors),
    Row("MAL-03", Side.HOST, _ends_after_malformed_request),
    Row("MAL-04", Side.HOST, _answers_before_malformed_request),
    Row("END-12", Side.HOST, _answered_after_half_close),
)
"""Every requirement that can be seen in a recording, by the side that it binds."""
