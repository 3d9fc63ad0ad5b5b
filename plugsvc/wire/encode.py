"""Messages to bytes. Every function returns one whole line: a compact JSON object and a newline.

What goes in as `args` or `reply` must already be one JSON value, as `plugsvc.marshal` makes them; it is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.json import Encoder

from ..jsontext import without_lone_surrogates

__all__ = ["encode_reply", "encode_request", "join_call", "join_reply", "json_string", "request_prefix"]

_encode = Encoder().encode


def json_string(text: str) -> bytes:
    """Return `text` as a JSON string. Lone surrogates, which UTF-8 cannot carry, become U+FFFD."""
    try:
        return _encode(text)
    except UnicodeEncodeError:
        return _encode(without_lone_surrogates(text))


def request_prefix(type: str, namespace: str, name: str = "") -> bytes:
    """Return the part of a request that is the same in every call of one stub, for `join_call`."""
    return b',"type":%b,"namespace":%b,"name":%b,"args":' % (
        json_string(type),
        json_string(namespace),
        json_string(name),
    )


def join_call(sequence: int, prefix: bytes, args: bytes) -> bytes:
    """Return the request with this sequence, a prefix by `request_prefix`, and arguments (a JSON array)."""
    return b'{"sequence":%d%b%b}\n' % (sequence, prefix, args)


def encode_request(sequence: int, type: str, namespace: str, name: str = "", args: bytes | None = None) -> bytes:
    """Return one request; `args` is a JSON value, None for null."""
    return join_call(sequence, request_prefix(type, namespace, name), b"null" if args is None else args)


def join_reply(sequence: int, reply: bytes) -> bytes:
    """Return the reply with this sequence and these results (a JSON array)."""
    return b'{"sequence":%d,"reply":%b}\n' % (sequence, reply)


def encode_reply(
    sequence: int,
    *,
    reply: bytes | None = None,
    ok: bool = False,
    services: Iterable[str] | None = None,
    error: str | None = None,
) -> bytes:
    """Return one reply. What is empty is left out, except an error: an empty text is an error, too."""
    if reply is not None and error is None and not ok and not services:
        return join_reply(sequence, reply)
    parts = [b'{"sequence":%d' % sequence]
    names = list(services) if services else []
    if names:
        parts.append(b',"services":[%b]' % b",".join(map(json_string, names)))
    if ok:
        parts.append(b',"ok":true')
    if reply is not None:
        parts.append(b',"reply":%b' % reply)
    if error is not None:
        parts.append(b',"error":%b' % json_string(error))
    parts.append(b"}\n")
    return b"".join(parts)
