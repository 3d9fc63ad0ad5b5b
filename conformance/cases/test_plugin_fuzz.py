"""Generated conversations with a plugin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from conformance.case import case
from conformance.drive.control import Ticket
from conformance.drive.plugin import PluginSession
from conformance.fuzz import values
from conformance.fuzz.batches import AT_ONCE, Batch, Typed, batches, enclosed, plans
from conformance.fuzz.engine import Fuzz
from conformance.fuzz.json_formatting import (
    DAMAGE,
    PLACE,
    Cuts,
    Damage,
    MessageSession,
    in_pieces,
    in_place,
    message_sessions,
)
from conformance.fuzz.pipelining import by_number, exchange, windows
from conformance.oracle import strict
from conformance.oracle.values import SCALARS, Type, difference
from conformance.outcomes import Failure


def declared(fuzz: Fuzz) -> tuple[str, ...]:
    """The scalar types that the plugin under test takes."""
    return tuple(name for name in SCALARS if name in fuzz.role.types)


def judge_args(request: dict[str, Any], meant: list[tuple[Type, Any]]) -> None:
    """The arguments of a request are the values that were given, by type."""
    args = request.get("args")
    if not isinstance(args, list) or len(args) != len(meant):
        raise Failure("the args of a call", expected=repr([value for _, value in meant]), seen=repr(args))
    for index, ((of, want), got) in enumerate(zip(meant, args, strict=True)):
        problem = difference(of, want, got, f"argument {index}")
        if problem:
            raise Failure("another argument on the wire than was given", expected=repr(want)[:300], seen=problem)


def concurrent(plugin: PluginSession) -> bool:
    """Whether several calls of the plugin may be outstanding."""
    return "concurrent" in plugin.role.features


@case("FUZ-01", generated=True)
def test_values(fuzz_plugin: Fuzz) -> None:
    """Arguments of every type are on the wire as they were given, and results come back as they were sent."""
    names = declared(fuzz_plugin)

    def run(plugin: PluginSession, example: tuple[bool, Batch]) -> int:
        background, batch = example
        takes = plugin.role.takes
        calls = [
            (enclosed(choice, one, takes), enclosed(choice // 4, two, takes)) for choice, one, two in batch.picks()
        ]

        def give(call: tuple[Typed, Typed], number: int, background: bool) -> Ticket:
            one, two = call
            params, results = [one.of, two.of, "any"], [two.of, one.of]
            return plugin.call(one.value, two.value, number, params=params, results=results, background=background)

        def answer(call: tuple[Typed, Typed], request: dict[str, Any]) -> bytes:
            one, two = call
            judge_args(request, [(one.of, one.value), (two.of, two.value), ("any", request["args"][-1])])
            return strict.dumps({"sequence": request["sequence"], "reply": [two.value, one.value]}) + b"\n"

        def judge(call: tuple[Typed, Typed], ticket: Ticket) -> None:
            plugin.ok(ticket, call[1].value, call[0].value)

        exchange(plugin, calls, give, answer, judge, background=background and concurrent(plugin))
        return len(calls)

    fuzz_plugin.check(st.tuples(AT_ONCE, batches(values.types(names), names)), run)


def replies_of(message_session: MessageSession) -> list[bytes]:
    """The replies of a session, equally long whatever their sequence, so that cuts fall into the same places."""
    return message_session.written(lambda value: {"sequence": PLACE, "reply": [value]})


REALLY_CUT = 12
"""Of how many replies each piece is a read of its own; what is sent without waiting may be read with what follows."""


def cut_and_sent(plugin: PluginSession, replies: list[bytes], cuts: Sequence[Cuts]) -> None:
    """Send replies in pieces, each of them a read of its own up to the end of the last reply.

    Who has all replies need not read the white space behind them before the next call.
    """
    end, at = len(b"".join(replies).rstrip()), 0
    for piece in in_pieces(replies, cuts):
        at += len(piece)
        if at < end:
            plugin.deliver(piece)
        else:
            plugin.send(piece)


@case("FUZ-02", generated=True)
def test_framing(fuzz_plugin: Fuzz) -> None:
    """Replies in any spacing, order of keys and escapes, cut at any bytes and joined, mean the same."""

    def one_by_one(plugin: PluginSession, message_session: MessageSession) -> None:
        tickets = [plugin.call() for _ in message_session.turns()]
        for number, (ticket, written) in enumerate(zip(tickets, replies_of(message_session), strict=True)):
            reply = in_place(written, plugin.request(ticket)["sequence"])
            transport = message_session.cuts[number % len(message_session.cuts)]
            cut_and_sent(plugin, [reply], [transport] if number < REALLY_CUT else [[]])
        for ticket, (value, _) in zip(tickets, message_session.turns(), strict=True):
            plugin.ok(ticket, value)

    def at_once(plugin: PluginSession, message_session: MessageSession) -> None:
        for window in windows(list(zip(replies_of(message_session), message_session.turns(), strict=True))):
            tickets = [plugin.call(number, background=True) for number in range(len(window))]
            requests = by_number(plugin, len(window))
            stream = [in_place(written, requests[n]["sequence"]) for n, (written, _) in enumerate(window)]
            cut_and_sent(plugin, stream, message_session.cuts)
            for ticket, (_, (value, _)) in zip(tickets, window, strict=True):
                plugin.ok(ticket, value)

    def run(plugin: PluginSession, example: tuple[bool, MessageSession]) -> int:
        background, message_session = example
        (at_once if background and concurrent(plugin) else one_by_one)(plugin, message_session)
        return len(message_session.turns())

    fuzz_plugin.check(st.tuples(AT_ONCE, message_sessions(64)), run)


ANSWERS = ("error", "both", "result")


@case("FUZ-03", features=("concurrent",), generated=True)
def test_errors(fuzz_plugin: Fuzz) -> None:
    """Concurrent calls, answered in another order with errors and results: each caller gets its own."""

    def run(plugin: PluginSession, example: tuple[bytes, list[str]]) -> int:
        plan, texts = example
        calls = [(ANSWERS[byte % len(ANSWERS)], texts[byte // len(ANSWERS) % len(texts)]) for byte in plan]

        def give(call: tuple[str, str], number: int, background: bool) -> Ticket:
            return plugin.call(number, background=background)

        def answer(call: tuple[str, str], request: dict[str, Any]) -> bytes:
            kind, text = call
            keys: dict[str, Any] = {"error": text} if kind != "result" else {}
            if kind != "error":
                keys["reply"] = [text]
            return strict.dumps({"sequence": request["sequence"], **keys}) + b"\n"

        def judge(call: tuple[str, str], ticket: Ticket) -> None:
            kind, text = call
            if kind == "result":
                plugin.ok(ticket, text)
                return
            came = plugin.failed(ticket, why="the reply carries an error")
            if came != text:
                raise Failure("another error text than was sent", expected=repr(text), seen=repr(came))

        exchange(plugin, calls, give, answer, judge, background=True)
        return len(calls)

    fuzz_plugin.check(st.tuples(plans(), values.TEXTS), run)


FLAWS = ("type", "null", "few", "many", "none", "object")


def flawed(flaw: str, of: str, value: Any) -> dict[str, Any]:
    """The members of a reply that fits no consumer of one result of type ``of``, as ``value`` does not."""
    if flaw == "null" and of == "bytes":  # which may take it as empty (ARI-11)
        flaw = "type"
    if of == "any" and flaw in ("type", "null"):  # which anything fits
        flaw = "few"
    if flaw in ("none", "object"):
        return {} if flaw == "none" else {"reply": {"0": value}}
    return {"reply": {"type": [value], "null": [None], "few": [], "many": [value, value]}[flaw]}


@case("ARI-01", "ARI-02", "ARI-03", "ARI-04", "ARI-05", generated=True)
def test_mismatch(fuzz_plugin: Fuzz) -> None:
    """Results that do not fit the consumer, in type or number, are an error of that call alone."""
    names = [name for name in values.MISFITTED if name in fuzz_plugin.role.types]
    typed = st.sampled_from(names).flatmap(lambda name: st.tuples(st.just(name), values.misfits(name)))
    one = typed if names else st.tuples(st.just("any"), values.TEXT)

    def run(plugin: PluginSession, example: tuple[bool, bytes, list[tuple[str, Any]]]) -> int:
        background, plan, pool = example
        calls = []
        for byte in plan:
            of, value = pool[byte % len(pool)]
            calls.append((of, flawed(FLAWS[byte // len(pool) % len(FLAWS)], of, value)))

        def give(call: tuple[str, dict[str, Any]], number: int, background: bool) -> Ticket:
            return plugin.call(number, results=[call[0]], background=background)

        def answer(call: tuple[str, dict[str, Any]], request: dict[str, Any]) -> bytes:
            return strict.dumps({"sequence": request["sequence"], **call[1]}) + b"\n"

        def judge(call: tuple[str, dict[str, Any]], ticket: Ticket) -> None:
            plugin.failed(ticket, why=f"{call[1]!r} is not one result of type {call[0]}"[:300])

        exchange(plugin, calls, give, answer, judge, background=background and concurrent(plugin))
        plugin.assert_alive()
        return len(calls) + 1

    fuzz_plugin.check(st.tuples(AT_ONCE, plans(64), st.lists(one, min_size=1, max_size=12)), run)


@case("FUZ-04", generated=True)
def test_hostile_bytes(fuzz_plugin: Fuzz) -> None:
    """Damaged replies, then end of file: replies before the damage arrive, every call ends, the process lives on."""

    def run(plugin: PluginSession, example: tuple[MessageSession, Damage]) -> int:
        message_session, damage = example
        background = concurrent(plugin)
        turns = message_session.turns() if background else message_session.turns()[:1]
        tickets = [plugin.call(i, background=background) for i in range(len(turns))]
        requests = {request["args"][0]: request for request in (plugin.request() for _ in tickets)}
        written = replies_of(message_session)[: len(turns)]
        replies = [in_place(reply, requests[i]["sequence"]) for i, reply in enumerate(written)]
        damaged, at = damage.apply(b"".join(replies))
        plugin.send(damaged)
        plugin.wire.close(read=False)
        end = 0
        for ticket, reply, (value, _) in zip(tickets, replies, turns, strict=True):
            end += len(reply)
            if end <= at:
                plugin.ok(ticket, value)
            else:
                plugin.outcome(ticket, why="the connection has ended behind damaged bytes")
        plugin.failed(plugin.call("after the end"), why="the connection has ended")
        plugin.finish()
        return len(turns) + 1

    fuzz_plugin.check(st.tuples(message_sessions(12), DAMAGE), run, fresh=True)
