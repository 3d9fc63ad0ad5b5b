"""Generated conversations with a plugin."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from conformance.case import case
from conformance.drive.control import Ticket
from conformance.fuzz import values
from conformance.fuzz.batches import Batch, batches, enclosed, plans
from conformance.fuzz.engine import Fuzz
from conformance.fuzz.styles import DAMAGE, PLACE, Damage, Style, Talk, in_place, pieces, talks
from conformance.oracle import strict
from conformance.oracle.values import SCALARS, Type, difference
from conformance.outcomes import Fault


def declared(fuzz: Fuzz) -> tuple[str, ...]:
    """The scalar types that the plugin under test takes."""
    return tuple(name for name in SCALARS if name in fuzz.role.types)


def judge_args(request: dict[str, Any], meant: list[tuple[Type, Any]]) -> None:
    """The arguments of a request are the values that were given, by type."""
    args = request.get("args")
    if not isinstance(args, list) or len(args) != len(meant):
        raise Fault("the args of a call", expected=repr([value for _, value in meant]), seen=repr(args))
    for index, ((of, want), got) in enumerate(zip(meant, args, strict=True)):
        problem = difference(of, want, got, f"argument {index}")
        if problem:
            raise Fault("another argument on the wire than was given", expected=repr(want)[:300], seen=problem)


@case("FUZ-01", generated=True)
def test_values(fuzz_plugin: Fuzz) -> None:
    """Arguments of every type are on the wire as they were given, and results come back as they were sent."""

    def run(plugin: Any, batch: Batch) -> int:
        takes = plugin.role.takes
        picks = [
            (choice, enclosed(choice, one, takes), enclosed(choice // 4, two, takes))
            for choice, one, two in batch.picks()
        ]
        tickets = [
            plugin.call(one.value, two.value, params=[one.of, two.of], results=[two.of, one.of])
            for _, one, two in picks
        ]
        for ticket, (_, one, two) in zip(tickets, picks, strict=True):
            request = plugin.request(ticket)
            judge_args(request, [(one.of, one.value), (two.of, two.value)])
            plugin.reply(request, reply=[two.value, one.value])
        for ticket, (_, one, two) in zip(tickets, picks, strict=True):
            plugin.ok(ticket, two.value, one.value)
        return len(picks)

    fuzz_plugin.check(batches(values.types(declared(fuzz_plugin))), run)


def reply_of(value: Any, style: Style, sequence: int) -> bytes:
    """The bytes of one reply, as many whatever the sequence: cuts fall into the same places on every process."""
    return in_place(style.write({"sequence": PLACE, "reply": [value]}), sequence)


REALLY_CUT = 12
"""Of how many replies each piece is a read of its own; what is sent without waiting may be read with what follows."""


@case("FUZ-02", generated=True)
def test_framing(fuzz_plugin: Fuzz) -> None:
    """Replies in any spacing, order of keys and escapes, cut at any bytes, mean the same."""

    def run(plugin: Any, talk: Talk) -> int:
        turns = talk.turns()
        tickets = [plugin.call() for _ in turns]
        for number, (ticket, (value, style)) in enumerate(zip(tickets, turns, strict=True)):
            request = plugin.request(ticket)
            reply = reply_of(value, style, request["sequence"])
            end, at = len(reply.rstrip()), 0
            for piece in pieces(reply, talk.cuts):
                at += len(piece)
                # Who has the whole reply need not read the white space behind it before the next call.
                if number < REALLY_CUT and at < end:
                    plugin.deliver(piece)
                else:
                    plugin.send(piece)
        for ticket, (value, _) in zip(tickets, turns, strict=True):
            plugin.ok(ticket, value)
        return len(tickets)

    fuzz_plugin.check(talks(64), run)


ANSWERS = ("error", "both", "result")


@case("FUZ-03", features=("concurrent",), generated=True)
def test_errors(fuzz_plugin: Fuzz) -> None:
    """Concurrent calls, answered in another order with errors and results: each caller gets its own."""

    def run(plugin: Any, example: tuple[list[str], bytes, int]) -> int:
        texts, plan, turn = example
        kinds = [(ANSWERS[byte % len(ANSWERS)], texts[byte // len(ANSWERS) % len(texts)]) for byte in plan]
        tickets: list[Ticket] = [plugin.call(i, background=True, name="s") for i in range(len(kinds))]
        requests = [plugin.request() for _ in tickets]
        by_caller = {request["args"][0]: request for request in requests}
        if sorted(by_caller) != list(range(len(kinds))):
            raise Fault("each caller makes one request", expected=repr(list(range(len(kinds)))), seen=repr(by_caller))
        order = [(i * 7 + turn) % len(kinds) for i in range(len(kinds))]
        order = list(dict.fromkeys([*order, *range(len(kinds))]))
        stream = b""
        for caller in order:
            kind, text = kinds[caller]
            keys: dict[str, Any] = {"error": text} if kind != "result" else {}
            if kind != "error":
                keys["reply"] = [text]
            stream += strict.dumps({"sequence": by_caller[caller]["sequence"], **keys}) + b"\n"
        plugin.send(stream)
        for ticket, (kind, text) in zip(tickets, kinds, strict=True):
            if kind == "result":
                plugin.ok(ticket, text)
                continue
            came = plugin.failed(ticket, why="the reply carries an error")
            if came != text:
                raise Fault("another error text than was sent", expected=repr(text), seen=repr(came))
        return len(kinds)

    fuzz_plugin.check(st.tuples(st.lists(values.TEXT, min_size=1, max_size=8), plans(64), st.integers(0, 15)), run)


@case("ARI-03", types=("int64",), generated=True)
def test_mismatch(fuzz_plugin: Fuzz) -> None:
    """A result that does not fit the consumer's type is an error of that call alone."""
    names = [name for name in values.MISFITTED if name in fuzz_plugin.role.types]
    one = st.sampled_from(names).flatmap(lambda name: st.tuples(st.just(name), values.misfits(name)))

    def run(plugin: Any, example: tuple[list[tuple[str, Any]], bytes]) -> int:
        pool, plan = example
        misfits = [pool[byte % len(pool)] for byte in plan]
        tickets = [plugin.call(results=[name]) for name, _ in misfits]
        for ticket, (_, value) in zip(tickets, misfits, strict=True):
            plugin.serve(ticket, value)
        for ticket, (name, value) in zip(tickets, misfits, strict=True):
            plugin.failed(ticket, why=f"{value!r} is no {name}")
        plugin.goes_on()
        return len(misfits) + 1

    fuzz_plugin.check(st.tuples(st.lists(one, min_size=1, max_size=12), plans(24)), run)


@case("FUZ-04", generated=True)
def test_hostile_bytes(fuzz_plugin: Fuzz) -> None:
    """Damaged replies, then end of file: replies before the damage arrive, every call ends, the process lives on."""

    def run(plugin: Any, example: tuple[Talk, Damage]) -> int:
        talk, damage = example
        concurrent = "concurrent" in plugin.role.features
        turns = talk.turns() if concurrent else talk.turns()[:1]
        tickets = [plugin.call(i, background=concurrent) for i in range(len(turns))]
        requests = {request["args"][0]: request for request in (plugin.request() for _ in tickets)}
        replies = [reply_of(value, style, requests[i]["sequence"]) for i, (value, style) in enumerate(turns)]
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

    fuzz_plugin.check(st.tuples(talks(12), DAMAGE), run, fresh=True)
