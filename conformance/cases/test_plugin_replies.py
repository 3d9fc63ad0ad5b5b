"""How a plugin gives replies to the operations that wait for them."""

from __future__ import annotations

from typing import Any

from conformance.case import case
from conformance.drive.plugin import PluginSession
from conformance.drive.problems import Problems
from conformance.oracle import strict
from conformance.outcomes import Failure

TOP = (1 << 64) - 1


def message(sequence: int, **keys: Any) -> bytes:
    """One reply with a line feed."""
    return strict.dumps({"sequence": sequence, **keys}) + b"\n"


@case("REP-01", features=("concurrent",), each={"reversed": (4, 3, 2, 1, 0), "mixed": (2, 4, 0, 3, 1)})
def test_out_of_order(plugin: PluginSession, each: tuple[int, ...]) -> None:
    """Replies that come in another order than the requests each reach their own call."""
    tickets = [plugin.call(name=f"s{number}", background=True) for number in range(5)]
    requests = plugin.requests(tickets)
    for number in each:
        plugin.reply(requests[number], reply=[f"for s{number}"])
        plugin.ok(tickets[number], f"for s{number}")


@case("REP-01", features=("concurrent",))
def test_lookups_out_of_order(plugin: PluginSession) -> None:
    """Replies to calls and lookups that are outstanding together each reach their own operation."""
    asked = [
        (plugin.start("hasNamespace", namespace="a", background=True), {"ok": True}, True),
        (plugin.start("hasNamespace", namespace="b", background=True), {"ok": False}, False),
        (plugin.start("getManifest", namespace="a", background=True), {"reply": ["manifest"]}, ["manifest"]),
        (plugin.start("listServices", namespace="a", background=True), {"services": ["x"]}, ["x"]),
        (plugin.call(name="called", background=True), {"reply": ["result"]}, ["result"]),
    ]
    requests = plugin.requests([ticket for ticket, _, _ in asked])
    for (ticket, answer, meant), request in reversed(list(zip(asked, requests, strict=True))):
        plugin.reply(request, **answer)
        plugin.value(ticket, meant)


@case("REP-01", features=("concurrent",))
def test_answered_and_unanswered(plugin: PluginSession) -> None:
    """A call that the host never answers holds up no other call."""
    plugin.requests([plugin.call(name="unanswered", background=True)])
    for number in range(3):
        ticket = plugin.call(name=f"s{number}", background=True)
        plugin.serve(ticket, number)
        plugin.ok(ticket, number)


UNKNOWN: dict[str, tuple[int, dict[str, Any]]] = {
    "far off": (1_000_000, {"reply": ["wrong"]}),
    "one higher": (1, {"reply": ["wrong"]}),
    "with the top bit": (1 << 63, {"reply": ["wrong"]}),
    "with bit 53": (1 << 53, {"reply": ["wrong"]}),
    "with the same low 32 bits": (1 << 32, {"reply": ["wrong"]}),
    "with an error": (1_000_000, {"error": "wrong"}),
    "with no array": (1_000_000, {"reply": {"wrong": 1}}),
    "with keys of lookups": (1_000_000, {"ok": True, "services": ["wrong"]}),
}


@case("REP-02")
def test_unknown_sequence(plugin: PluginSession) -> None:
    """A reply with a sequence that nobody waits for changes nothing, before or after the awaited one."""
    problems = Problems()
    for what, (off, keys) in UNKNOWN.items():
        for number in range(2):
            with problems.of(f"an unknown sequence {what}"):
                ticket = plugin.call(number)
                sequence = plugin.request(ticket)["sequence"]
                nobody = message((sequence + off) % (TOP + 1), **keys)
                plugin.send(nobody + message(sequence, reply=[number]) + (b"" if off == 1 else nobody))
                plugin.ok(ticket, number)
    plugin.assert_alive()
    problems.check()


@case("REP-02")
def test_unknown_before_first(plugin: PluginSession) -> None:
    """Replies that come before any request was made are ignored."""
    plugin.send(message(TOP, reply=["wrong"]) + message(TOP - 1, error="wrong"))
    plugin.assert_alive()
    plugin.assert_alive()


@case("REP-02")
def test_many_unknown(plugin: PluginSession) -> None:
    """Thousands of replies that nobody waits for change nothing."""
    ticket = plugin.call()
    sequence = plugin.request(ticket)["sequence"]
    flood = b"".join(message(sequence ^ (1 << 40) ^ number, reply=["wrong" * 10]) for number in range(5_000))
    plugin.send(flood + message(sequence, reply=["right"]))
    plugin.ok(ticket, "right")
    plugin.assert_alive()


@case("REP-03")
def test_second_reply(plugin: PluginSession) -> None:
    """A second reply to the same sequence is ignored, whatever it says, in one write with the first or after it."""
    second: tuple[dict[str, Any], ...] = ({"reply": ["right"]}, {"reply": ["wrong"]}, {"error": "wrong"}, {"reply": []})
    problems = Problems()
    for keys in second:
        with problems.of(f"a second reply with {keys}"):
            ticket = plugin.call()
            sequence = plugin.request(ticket)["sequence"]
            plugin.send(message(sequence, reply=["right"]) + message(sequence, **keys))
            plugin.ok(ticket, "right")
            plugin.send(message(sequence, **keys))
            plugin.assert_alive()
            plugin.send(message(sequence, **keys) * 3)
            plugin.assert_alive()
    problems.check()


@case("REP-03", features=("concurrent",))
def test_second_reply_beside_pending(plugin: PluginSession) -> None:
    """A second reply to one call never answers another that is still outstanding."""
    tickets = [plugin.call(name=name, background=True) for name in ("first", "second")]
    first, second = plugin.requests(tickets)
    plugin.send(message(first["sequence"], reply=["first"]) + message(first["sequence"], reply=["again"]))
    plugin.ok(tickets[0], "first")
    if not plugin.stays(lambda: not plugin.arrived(tickets[1]), 0.1):
        raise Failure("the second reply to one call answered another", seen=repr(plugin.outcome(tickets[1])))
    plugin.reply(second, reply=["second"])
    plugin.ok(tickets[1], "second")


@case("REP-04")
def test_defaults(plugin: PluginSession) -> None:
    """Absent and null keys of a reply mean false, no services, and no error."""
    problems = Problems()
    for op, keys, meant in (
        ("hasNamespace", {}, False),
        ("hasNamespace", {"ok": None}, False),
        ("hasNamespace", {"ok": True, "error": None}, True),
        ("hasNamespace", {"ok": True, "services": None, "reply": None}, True),
        ("listServices", {}, []),
        ("listServices", {"services": None}, []),
        ("listServices", {"services": ["a"], "error": None, "ok": None}, ["a"]),
        ("getManifest", {"reply": {"a": 1}, "error": None, "ok": None, "services": None}, {"a": 1}),
        ("call", {"reply": ["right"], "error": None, "ok": None, "services": None}, ["right"]),
        ("call", {"reply": ["right"], "ok": False, "services": []}, ["right"]),
    ):
        with problems.of(f"{op} answered with {keys!r}"):
            ticket = plugin.call() if op == "call" else plugin.start(op, namespace="n")
            plugin.reply(plugin.request(ticket), **keys)
            plugin.value(ticket, meant)
    problems.check()


@case("REP-05")
def test_manifests(plugin: PluginSession) -> None:
    """A manifest of every kind of JSON value is yielded as it was sent, null included."""
    problems = Problems()
    for manifest in (
        None,
        True,
        False,
        0,
        -7,
        1.5,
        "",
        "text",
        [],
        {},
        [None],
        {"reply": [1], "error": "a value", "sequence": 0, "ok": False},
        {"nested": [{"a": [1, 2.5, None, True, "é😀"]}, [[]], {}]},
        {"": "", "long": "x" * 100_000},
    ):
        with problems.of(f"the manifest {manifest!r:.60}"):
            ticket = plugin.start("getManifest", namespace="n")
            plugin.reply(plugin.request(ticket), reply=manifest)
            plugin.value(ticket, manifest)
    problems.check()


@case("REP-11")
def test_has_namespace(plugin: PluginSession) -> None:
    """`hasNamespace` yields `ok`, true and false."""
    for ok in (True, False, True):
        ticket = plugin.start("hasNamespace", namespace="n")
        plugin.reply(plugin.request(ticket), ok=ok)
        plugin.value(ticket, ok)


@case("REP-11")
def test_list_services(plugin: PluginSession) -> None:
    """`listServices` yields the names in the order in which they came: none, one, many, any text."""
    problems = Problems()
    for names in (
        [],
        ["one"],
        ["b", "c", "a"],
        ["z", "Z", "10", "9", "_"],
        ["", "é😀", 'a"b\\', "\n", "{}"],
        [f"service-{number * 7919 % 1000}" for number in range(1000)],
    ):
        with problems.of(f"the services {names!r:.60}"):
            ticket = plugin.start("listServices", namespace="n")
            plugin.reply(plugin.request(ticket), services=names)
            plugin.value(ticket, names)
    problems.check()
