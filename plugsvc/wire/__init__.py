"""The protocol without I/O: bytes in, messages out, and back."""

from .encode import encode_reply, encode_request, join_call, request_prefix
from .framing import MAX_DEPTH, MAX_MESSAGE, MessageReader, ReplyReader, RequestReader
from .messages import (
    CALL,
    GET_MANIFEST,
    HAS_NAMESPACE,
    LIST_SERVICES,
    MAX_SEQUENCE,
    Reply,
    Request,
)

__all__ = [
    "CALL",
    "GET_MANIFEST",
    "HAS_NAMESPACE",
    "LIST_SERVICES",
    "MAX_DEPTH",
    "MAX_MESSAGE",
    "MAX_SEQUENCE",
    "MessageReader",
    "Reply",
    "ReplyReader",
    "Request",
    "RequestReader",
    "encode_reply",
    "encode_request",
    "join_call",
    "request_prefix",
]
