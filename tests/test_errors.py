"""The tree of exceptions: what derives from what, what the texts are, and that they survive being pickled."""

from __future__ import annotations

import pickle

import pytest

from plugsvc import errors

PARENTS = {
    "PlugsvcError": (Exception,),
    "MisuseError": (errors.PlugsvcError,),
    "SignatureError": (errors.MisuseError, TypeError),
    "RegistrationError": (errors.MisuseError, ValueError),
    "ManifestError": (errors.MisuseError, TypeError),
    "ServiceError": (errors.PlugsvcError,),
    "RemoteError": (errors.ServiceError,),
    "MarshalError": (errors.ServiceError,),
    "ArgumentError": (errors.MarshalError,),
    "ResultError": (errors.MarshalError,),
    "ConnectionLost": (errors.ServiceError, ConnectionError),
    "CallTimeout": (errors.ServiceError, TimeoutError),
    "OpenError": (errors.ServiceError, OSError),
    "NotHosted": (errors.ServiceError,),
    "ProtocolError": (errors.PlugsvcError,),
    "PluginError": (errors.PlugsvcError,),
    "DiscoveryError": (errors.PluginError,),
    "IncompatiblePlugin": (errors.DiscoveryError,),
    "PluginFailed": (errors.PluginError,),
}

EXAMPLES = [
    (errors.PlugsvcError("x"), "x", {}),
    (errors.ServiceError("boom"), "boom", {}),
    (errors.SignatureError("no"), "no", {}),
    (errors.RemoteError("boom", b'["partial"]'), "boom", {"results": b'["partial"]', "text": "boom"}),
    (errors.RemoteError(""), "", {"results": None}),
    (errors.ArgumentError("expected int, got str", "$[1].x"), "expected int, got str, at $[1].x", {"path": "$[1].x"}),
    (errors.ResultError("expected 1 result, got 0"), "expected 1 result, got 0", {"path": ""}),
    (errors.ConnectionLost("the host has gone"), "the host has gone", {"reason": "the host has gone"}),
    (errors.CallTimeout("late"), "late", {}),
    (errors.OpenError("unknown scheme 'x'", "x:/y"), "unknown scheme 'x'", {"url": "x:/y"}),
    (errors.NotHosted("no host"), "no host", {}),
    (
        errors.ProtocolError("stray brace", 7, b"{}}"),
        "protocol error: stray brace (byte 7 of the stream): b'{}}'",
        {"reason": "stray brace", "offset": 7, "excerpt": b"{}}"},
    ),
    (errors.ProtocolError("ends early", 3), "protocol error: ends early (byte 3 of the stream)", {"excerpt": b""}),
    (
        errors.PluginFailed("p: killed", signal=9, stderr="oops"),
        "p: killed",
        {"status": None, "signal": 9, "stderr": "oops"},
    ),
]


def test_the_tree_is_as_documented() -> None:
    assert {name: getattr(errors, name).__bases__ for name in errors.__all__} == PARENTS


@pytest.mark.parametrize(("error", "text", "fields"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_text_and_fields(error: Exception, text: str, fields: dict[str, object]) -> None:
    assert str(error) == text
    assert {name: getattr(error, name) for name in fields} == fields


@pytest.mark.parametrize(("error", "text", "fields"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_survives_pickling(error: Exception, text: str, fields: dict[str, object]) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == text
    assert {name: getattr(copy, name) for name in fields} == fields


def test_every_error_can_be_raised_without_arguments() -> None:
    for name in errors.__all__:
        with pytest.raises(errors.PlugsvcError):
            raise getattr(errors, name)()
