"""What a host tells of its registry."""

from __future__ import annotations

from typing import Any

from conformance.case import case
from conformance.outcomes import Fault


@case("NSP-01", "NSP-05")
def test_has_namespace(host: Any) -> None:
    """The host has its own namespaces and the inherited one, and no other."""
    for namespace, meant in {
        "conformance": True,
        "conformance/empty": True,
        "conformance/parent": True,
        "conformance/shadow": True,
        "conformance/missing": False,
        "": False,
    }.items():
        reply = host.reply(host.request("hasNamespace", namespace))
        if (reply.get("ok") or False) is not meant:
            raise Fault(f"hasNamespace {namespace!r}", expected=f"ok {meant}", seen=repr(reply))
