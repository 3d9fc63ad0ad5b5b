"""The protocol without I/O: bytes in, messages out, and back."""

from .count import CONTAINER, count_values, rough_count
from .encode import encode_reply, encode_request, join_call, join_reply, request_prefix
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
from .pieces import Message, call_message, reply_message
from .table import (
    REQUEST_KINDS,
    RequestKind,
    invalid_request_type,
    service_panic,
    undefined_namespace,
    undefined_service,
)

__all__ = [
    "CALL",
    "CONTAINER",
    "GET_MANIFEST",
    "HAS_NAMESPACE",
    "LIST_SERVICES",
    "MAX_DEPTH",
    "MAX_MESSAGE",
    "MAX_SEQUENCE",
    "REQUEST_KINDS",
    "Message",
    "MessageReader",
    "Reply",
    "ReplyReader",
    "Request",
    "RequestKind",
    "RequestReader",
    "call_message",
    "count_values",
    "encode_reply",
    "encode_request",
    "invalid_request_type",
    "join_call",
    "join_reply",
    "reply_message",
    "request_prefix",
    "rough_count",
    "service_panic",
    "undefined_namespace",
    "undefined_service",
]
