"""The table of request types, and the error texts that a host answers with."""

from __future__ import annotations

import pytest

from plugsvc import wire
from plugsvc.wire import REQUEST_KINDS, Reply, Request


def test_the_four_types_of_requests() -> None:
    assert {kind: tuple(row)[1:] for kind, row in REQUEST_KINDS.items()} == {
        "call": ("reply", True, True),
        "hasNamespace": ("ok", False, False),
        "getManifest": ("reply", False, True),
        "listServices": ("services", False, True),
    }
    assert all(row.type == kind for kind, row in REQUEST_KINDS.items())
    assert all(hasattr(Reply(), row.answer) for row in REQUEST_KINDS.values())
    with pytest.raises(TypeError):
        REQUEST_KINDS["more"] = REQUEST_KINDS["call"]  # type: ignore[index]


def test_error_texts() -> None:
    assert wire.undefined_namespace("zz") == 'undefined namespace "zz"'
    assert wire.undefined_service("missing") == 'undefined service "missing"'
    assert wire.invalid_request_type("bogus") == 'invalid request type "bogus"'
    assert wire.invalid_request_type("") == 'invalid request type ""'
    assert wire.service_panic("aargh") == "panic in service: aargh"
    assert wire.undefined_service('é"\n\ud800') == 'undefined service "é\\"\\n\ufffd"'


def test_messages_are_frozen() -> None:
    for message in (Request(1), Reply(1)):
        with pytest.raises(AttributeError):
            message.sequence = 2  # type: ignore[misc]


def test_what_is_absent() -> None:
    assert (Request().sequence, Request().type, Request().namespace, Request().name, Request().args) == (
        0,
        "",
        "",
        "",
        None,
    )
    assert (Reply().services, Reply().ok, Reply().reply, Reply().error) == ((), False, None, None)
