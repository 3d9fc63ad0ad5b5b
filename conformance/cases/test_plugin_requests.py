"""What a plugin sends."""

from __future__ import annotations

from typing import Any

from conformance.case import case
from conformance.outcomes import Fault

LOOKUPS = {"hasNamespace": {"ok": True}, "getManifest": {"reply": {}}, "listServices": {"services": []}}


@case("REQ-01")
def test_call(plugin: Any) -> None:
    """A call of three arguments arrives as it was made."""
    ticket = plugin.call(1, "two", [3], namespace="some/namespace", name="service")
    request = plugin.request(ticket)
    expected = {"type": "call", "namespace": "some/namespace", "name": "service", "args": [1, "two", [3]]}
    seen = {key: request.get(key) for key in expected}
    if seen != expected:
        raise Fault("the request of a call", expected=repr(expected), seen=repr(seen))
    plugin.reply(request, reply=["done"])
    plugin.ok(ticket, "done")


@case("REQ-02", each=LOOKUPS)
def test_lookups(plugin: Any, each: dict[str, Any], subject: Any) -> None:
    """Each registry lookup arrives with its type and namespace."""
    op = next(name for name, answer in LOOKUPS.items() if answer is each)
    ticket = plugin.start(op, namespace="some/namespace")
    request = plugin.request(ticket)
    if request.get("type") != op or request.get("namespace") != "some/namespace":
        raise Fault(f"the request of {op}", expected=f"type {op!r}, namespace 'some/namespace'", seen=repr(request))
    plugin.reply(request, **each)
    if plugin.outcome(ticket).kind != "ok":
        raise Fault(f"{op} failed", seen=repr(plugin.outcome(ticket)))
