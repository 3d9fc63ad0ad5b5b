"""What a host answers a request with."""

from __future__ import annotations

from typing import Any

from conformance.case import case
from conformance.drive.host import HostSession
from conformance.oracle import strict
from conformance.outcomes import Failure

SEQUENCES = [
    0, 1, 2, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53 - 1, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 2,
    2**64 - 1, 10_000_000_000_000_000_001,
]  # fmt: skip
LOOKUPS = ("hasNamespace", "getManifest", "listServices")


@case("REP-06")
def test_sequences_are_exact(host: HostSession) -> None:
    """Requests of every type with sequences from 0 to 2^64-1 are answered with exactly theirs."""
    for sequence in SEQUENCES:
        with host.trying(f"sequence {sequence}"):
            host.results(host.call("echo", sequence % 1000, sequence=sequence), sequence % 1000)
            for type_ in LOOKUPS:
                host.reply(host.request(type_, sequence=sequence))
            host.error(host.call("missing", sequence=sequence), why="the service is not defined")
    host.no_more()


@case("REP-06")
def test_sequences_of_outstanding_calls(host: HostSession) -> None:
    """Sequences that floating point cannot tell apart, all outstanding at once, each get their own result."""
    for sequence in SEQUENCES:
        host.call("echo", str(sequence), sequence=sequence)
    for sequence in SEQUENCES:
        with host.trying(f"sequence {sequence}"):
            host.results(sequence, str(sequence))


@case("REP-06")
def test_one_reply_each(host: HostSession) -> None:
    """Results, no results, errors, panics and lookups: one reply each, and nothing after it."""
    sequences = [
        host.call("echo", 1),
        host.call("none"),
        host.call("fail", "no"),
        host.call("fail_after", "some", "no"),
        host.call("panic", "oh"),
        host.call("missing"),
        host.call("unserializable"),
        host.request("bogus"),
        *(host.request(type_, namespace) for type_ in LOOKUPS for namespace in ("conformance", "conformance/missing")),
    ]
    for sequence in sequences:
        host.reply(sequence)
    host.no_more()


@case("REP-07")
def test_results(host: HostSession) -> None:
    """None, one and two results arrive as an array in their order."""
    host.results(host.call("none"))
    host.results(host.call("add", 2, 3), 5)
    host.results(host.call("echo", ["a", "b"]), ["a", "b"])
    host.results(host.call("echo", None), None)
    host.results(host.call("swap", "first", "second"), "second", "first")
    host.results(host.call("swap", [], {}), {}, [])


@case("REP-08")
def test_sequence_used_again(host: HostSession) -> None:
    """A sequence that was answered is answered again with the new result."""
    for value in ("first", "second", "third"):
        with host.trying(f"the {value} use"):
            host.results(host.call("echo", value, sequence=7), value)
    host.no_more()


@case("REP-08", features=("concurrent",))
def test_sequence_used_while_outstanding(host: HostSession) -> None:
    """Two calls with the same sequence, outstanding at the same time, are both answered."""
    host.call("sleep", 200, sequence=7)
    host.call("echo", "fast", sequence=7)
    came: list[Any] = []
    for _ in range(2):
        reply = host.reply(7)
        came.append(reply.get("reply"))
    if sorted(map(repr, came)) != sorted(map(repr, ([200], ["fast"]))):
        raise Failure("two calls with the same sequence", expected="the replies [200] and ['fast']", seen=repr(came))
    host.no_more()


@case("REP-09")
def test_lookups_without_name_and_args(host: HostSession) -> None:
    """A lookup is answered with ``name`` and ``args`` left out, null, empty, or of no use."""
    meant: dict[str, dict[str, Any]] = {"hasNamespace": {"ok": True}, "getManifest": {"reply": {"contract": 1}}}
    forms: tuple[dict[str, Any], ...] = (
        {},
        {"name": None, "args": None},
        {"name": "", "args": []},
        {"args": None},
        {"name": None},
        {"name": "", "args": None},
        {"name": "echo", "args": [1, {"a": 2}]},
    )
    for rest in forms:
        with host.trying(f"with {rest}"):
            for type_, keys in meant.items():
                reply = host.reply(host.request(type_, **rest))
                if {key: reply.get(key) for key in keys} != keys or reply.get("error") is not None:
                    raise Failure(type_, expected=repr(keys), seen=repr(reply))
            reply = host.reply(host.request("listServices", "conformance/parent", **rest))
            if reply.get("services") != ["where"] or reply.get("error") is not None:
                raise Failure("listServices", expected="the service 'where'", seen=repr(reply))


@case("REP-09")
def test_call_without_a_use_for_args(host: HostSession) -> None:
    """A call with an empty array of arguments, the shortest form, is answered."""
    sequence = host.fresh()
    host.send(
        strict.dumps({"type": "call", "namespace": "conformance", "name": "none", "args": [], "sequence": sequence})
    )
    host.results(sequence)


@case("REP-10")
def test_success_has_no_error(host: HostSession) -> None:
    """The reply to what succeeded has no ``error``, or a null one; an empty string would be an error."""
    for what, sequence in {
        "call": host.call("echo", 1),
        "call without results": host.call("none"),
        "hasNamespace, true": host.request("hasNamespace"),
        "hasNamespace, false": host.request("hasNamespace", "conformance/missing"),
        "getManifest": host.request("getManifest"),
        "getManifest, null": host.request("getManifest", "conformance/empty"),
        "listServices": host.request("listServices"),
        "listServices, none": host.request("listServices", "conformance/empty"),
    }.items():
        reply = host.reply(sequence)
        if reply.get("error") is not None:
            raise Failure(f"{what} succeeded, and the reply has an error", expected="none", seen=repr(reply)[:300])
