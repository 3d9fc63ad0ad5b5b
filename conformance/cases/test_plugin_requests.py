"""What a plugin sends."""

from __future__ import annotations

from typing import Any

from conformance.case import case
from conformance.drive.control import Ticket
from conformance.drive.plugin import PluginSession
from conformance.drive.problems import Problems
from conformance.oracle.values import difference
from conformance.outcomes import Failure

LOOKUPS = {"hasNamespace": {"ok": True}, "getManifest": {"reply": {}}, "listServices": {"services": []}}
CHANGED: dict[str, dict[str, Any]] = {
    "hasNamespace": {"ok": False},
    "getManifest": {"reply": 2},
    "listServices": {"services": ["b"]},
}
NAMES = {
    "empty": "",
    "slashes": "github.com/some/where",
    "dots": "../../.",
    "spaces": " a  b ",
    "quotes": "\"'`",
    "backslashes": "\\\\n\\u0041\\",
    "brackets": '{"type":"call"}',
    "control characters": "\0\x01\t\r\n\x1f\x7f",
    "percent signs": "%20%zz%",
    "markup": "</script><&>",
    "non-ASCII": "naïve 日本語",
    "outside the BMP": "😀\U0010ffff",
    "line separators": "\u2028\u2029\ufeff",
    "combining, not normalised": "e\u0301 \u00e9 ﬁ",
    "long": "long/" * 4000,
}


@case("REQ-01")
def test_call(plugin: PluginSession) -> None:
    """A call of three arguments arrives as it was made."""
    ticket = plugin.call(1, "two", [3], namespace="some/namespace", name="service")
    request = plugin.request(ticket)
    expected = {"type": "call", "namespace": "some/namespace", "name": "service", "args": [1, "two", [3]]}
    seen = {key: request.get(key) for key in expected}
    problem = difference("any", expected, seen)
    if problem:
        raise Failure("the request of a call", expected=repr(expected), seen=problem)
    plugin.reply(request, reply=["done"])
    plugin.ok(ticket, "done")


@case("REQ-01")
def test_order_of_arguments(plugin: PluginSession) -> None:
    """One, two, five and twenty arguments arrive in their order, each once."""
    for count in (1, 2, 5, 20):
        args = [f"argument {number}" for number in range(count)]
        ticket = plugin.call(*args)
        request = plugin.serve(ticket, None)
        plugin.ok(ticket, None)
        if request.get("args") != args:
            raise Failure(f"the {count} arguments of a call", expected=repr(args), seen=repr(request.get("args")))


@case("REQ-02", each=LOOKUPS)
def test_lookups(plugin: PluginSession, each: dict[str, Any]) -> None:
    """Each registry lookup arrives with its type and namespace."""
    op = next(name for name, answer in LOOKUPS.items() if answer is each)
    ticket = plugin.start(op, namespace="some/namespace")
    request = plugin.request(ticket)
    if request.get("type") != op or request.get("namespace") != "some/namespace":
        raise Failure(f"the request of {op}", expected=f"type {op!r}, namespace 'some/namespace'", seen=repr(request))
    plugin.reply(request, **each)
    if plugin.outcome(ticket).kind != "ok":
        raise Failure(f"{op} failed", seen=repr(plugin.outcome(ticket)))


@case("REQ-03", features=("concurrent",))
def test_sequences_differ(plugin: PluginSession) -> None:
    """Fifty outstanding calls and lookups have fifty different sequences."""
    tickets = [plugin.call(name=f"s{number}", background=True) for number in range(47)]
    tickets += [plugin.start(op, namespace="lookup", background=True) for op in LOOKUPS]
    requests = plugin.requests(tickets)
    sequences = [request["sequence"] for request in requests]
    twice = sorted({sequence for sequence in sequences if sequences.count(sequence) > 1})
    if twice:
        raise Failure("outstanding requests with the same sequence", expected="50 sequences", seen=f"twice: {twice}")
    for ticket, request in zip(tickets[:47], requests, strict=False):
        plugin.reply(request, reply=[request["name"]])
        plugin.ok(ticket, request["name"])


@case("REQ-03", features=("concurrent",))
def test_sequences_differ_after_replies(plugin: PluginSession) -> None:
    """Calls that are made while others have been answered share no sequence with those that are still outstanding."""
    outstanding: list[tuple[Ticket, dict[str, Any]]] = []
    for round_ in range(4):
        tickets = [plugin.call(name=f"s{round_}-{number}", background=True) for number in range(6)]
        outstanding += zip(tickets, plugin.requests(tickets), strict=True)
        sequences = [request["sequence"] for _, request in outstanding]
        twice = sorted({sequence for sequence in sequences if sequences.count(sequence) > 1})
        if twice:
            raise Failure(
                "outstanding requests with the same sequence",
                expected=f"{len(sequences)} sequences",
                seen=f"twice: {twice}",
            )
        answered, outstanding = outstanding[:3], outstanding[3:]
        for ticket, request in answered:
            plugin.reply(request, reply=[request["name"]])
            plugin.ok(ticket, request["name"])
    for ticket, request in outstanding:
        plugin.reply(request, reply=[request["name"]])
        plugin.ok(ticket, request["name"])


@case("REQ-03")
def test_sequence_after_failure(plugin: PluginSession) -> None:
    """The sequences of calls one after the other are uint64, also after calls that failed."""
    for number in range(6):
        ticket = plugin.call(number)
        request = plugin.request(ticket)  # judges the sequence
        if number % 2:
            plugin.reply(request, error="no")
            plugin.failed(ticket, why="a reply with an error")
        else:
            plugin.reply(request, reply=[number])
            plugin.ok(ticket, number)


@case("REQ-04")
def test_no_arguments(plugin: PluginSession) -> None:
    """A call without arguments has an empty array for `args`, not null, and not nothing."""
    ticket = plugin.call()
    request = plugin.serve(ticket, "done")
    plugin.ok(ticket, "done")
    if request.get("args") != []:
        raise Failure("the `args` of a call without arguments", expected="[]", seen=repr(request.get("args", "absent")))


@case("REQ-05")
def test_names(plugin: PluginSession) -> None:
    """Namespace and name of a call arrive exactly as given, whatever text they are."""
    problems = Problems()
    for what, text in NAMES.items():
        with problems.of(f"a namespace and a name with {what}"):
            ticket = plugin.call(namespace=text, name=text + "!")
            request = plugin.serve(ticket, 1)
            plugin.outcome(ticket)
            _same("namespace", text, request.get("namespace"))
            _same("name", text + "!", request.get("name"))
        with problems.of(f"a name with {what}"):
            ticket = plugin.call(namespace="n", name=text)
            request = plugin.serve(ticket, 1)
            plugin.outcome(ticket)
            _same("name", text, request.get("name"))
    problems.check()


@case("REQ-05", each={op: (op, answer) for op, answer in LOOKUPS.items()})
def test_namespaces_of_lookups(plugin: PluginSession, each: tuple[str, dict[str, Any]]) -> None:
    """The namespace of a lookup arrives exactly as given, whatever text it is."""
    op, answer = each
    problems = Problems()
    for what, text in NAMES.items():
        with problems.of(f"a namespace with {what}"):
            ticket = plugin.start(op, namespace=text)
            request = plugin.request(ticket)
            plugin.reply(request, **answer)
            plugin.outcome(ticket)
            _same("namespace", text, request.get("namespace"))
    problems.check()


def _same(key: str, meant: str, came: object) -> None:
    if came != meant:
        raise Failure(f"another {key} than was given", expected=repr(meant)[:200], seen=repr(came)[:200])


@case("REQ-06")
def test_one_request_each(plugin: PluginSession) -> None:
    """Nothing is sent before the first operation, one request for each, and nothing after its reply."""
    plugin.value(plugin.start("hosted"), True)
    plugin.quiet()
    ticket = plugin.call("once")
    request = plugin.request(ticket)
    plugin.quiet()
    plugin.reply(request, reply=["done"])
    plugin.ok(ticket, "done")
    plugin.quiet()


@case("REQ-06", each={op: (op, answer) for op, answer in LOOKUPS.items()})
def test_asked_again(plugin: PluginSession, each: tuple[str, dict[str, Any]]) -> None:
    """A lookup that is made a second time is sent a second time: what a host says may change."""
    op, answer = each
    changed: dict[str, Any] = CHANGED[op]
    for keys in (answer, changed):
        ticket = plugin.start(op, namespace="n")
        plugin.reply(plugin.request(ticket), **keys)
        plugin.value(ticket, next(iter(keys.values())))
    plugin.quiet(0.05)
