"""Generated conversations with a host."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from conformance.case import case
from conformance.drive.host import HostSession
from conformance.fuzz import values
from conformance.fuzz.batches import Batch, batches, enclosed, plans, safe_as_any
from conformance.fuzz.engine import Fuzz
from conformance.fuzz.json_formatting import (
    DAMAGE,
    PLACE,
    Damage,
    MessageSession,
    in_pieces,
    in_place,
    message_sessions,
)
from conformance.oracle import strict
from conformance.oracle.values import SCALARS, Type, type_name
from conformance.outcomes import Failure, Unsupported


def message(sequence: int, name: str, args: list[Any]) -> dict[str, Any]:
    """A call as it goes over the wire."""
    return {"sequence": sequence, "type": "call", "namespace": "conformance", "name": name, "args": args}


def services(fuzz: Fuzz) -> set[str]:
    """The services that the host under test has."""
    session: Any = fuzz.start()
    try:
        found = session.reply(session.request("listServices")).get("services") or []
        return {name for name in found if isinstance(name, str)}
    finally:
        session.close()


def scalars(have: set[str]) -> list[str]:
    """The scalar types for which the host has an ``echo_T``; ``echo`` is that of untyped values."""
    return [name for name in SCALARS if name == "any" or f"echo_{name}" in have]


def echoed(have: set[str]) -> st.SearchStrategy[Type]:
    """Types for which the host has an ``echo_T``: scalars, and lists, maps and optionals of them where they exist."""
    plain = values.edgy_first(scalars(have))
    nested: list[Type] = [
        {kind: of}
        for kind in ("list", "map", "optional")
        for of in plain
        if f"echo_{kind}_{of}" in have and not (kind == "optional" and of in ("any", "raw"))
    ]
    return st.sampled_from(plain + plain + nested)  # a scalar is tried inside of the others, too


def plan_calls(batch: Batch, have: set[str]) -> list[tuple[str, list[Any], list[tuple[Type, Any]]]]:
    """The calls of a batch: service, arguments, and the results that must come."""
    calls: list[tuple[str, list[Any], list[tuple[Type, Any]]]] = []

    def echoes(of: Type) -> bool:
        return f"echo_{type_name(of)}" in have

    for choice, one, two in batch.picks():
        plain = safe_as_any(one) and safe_as_any(two)
        if choice % 4 == 0 and plain:
            calls.append(("swap", [one.value, two.value], [("any", two.value), ("any", one.value)]))
        elif choice % 4 == 1 and plain:
            wrapped = [one.value, {"sequence": two.value, "": [one.value]}]
            calls.append(("echo", [wrapped], [("any", wrapped)]))
        else:
            made = enclosed(choice // 4, one, echoes)
            name = "echo" if made.of == "any" else f"echo_{type_name(made.of)}"
            calls.append((name, [made.value], [(made.of, made.value)]))
    return calls


@case("FUZ-01", generated=True)
def test_values(fuzz_host: Fuzz) -> None:
    """Values of every type that the host has an echo for, dozens of calls in one write, come back as they were."""

    have = services(fuzz_host)

    def run(host: HostSession, batch: Batch) -> int:
        calls = plan_calls(batch, have)
        first = host.reserve(len(calls))
        stream = [strict.dumps(message(first + i, name, args)) + b"\n" for i, (name, args, _) in enumerate(calls)]
        host.send(b"".join(stream))
        for i, (_, _, results) in enumerate(calls):
            host.results(first + i, *[value for _, value in results], types=[of for of, _ in results])
        return len(calls)

    fuzz_host.check(batches(echoed(have), scalars(have)), run)


def stream_of(message_session: MessageSession, first: int) -> list[bytes]:
    """The messages of a session: each value to be echoed."""
    written = message_session.written(lambda value: message(PLACE, "echo", [value]))
    return [in_place(each, first + i) for i, each in enumerate(written)]


@case("FUZ-02", generated=True)
def test_framing(fuzz_host: Fuzz) -> None:
    """Calls in any spacing, order of keys and escapes, cut at any bytes, mean the same."""

    def run(host: HostSession, message_session: MessageSession) -> int:
        turns = message_session.turns()
        first = host.reserve(len(turns))
        for piece in in_pieces(stream_of(message_session, first), message_session.cuts):
            host.deliver(piece)
        for i, (value, _) in enumerate(turns):
            host.results(first + i, value)
        return len(turns)

    fuzz_host.check(message_sessions(96), run)


FAILING = {"fail": 1, "fail_after": 2, "panic": 1}
STEPS = (*FAILING, "add", "echo")


@case("FUZ-03", generated=True)
def test_errors(fuzz_host: Fuzz) -> None:
    """Failures, panics and successes in one write: each reply carries its own result or exact error text."""

    def run(host: HostSession, example: tuple[bytes, list[str]]) -> int:
        plan, texts = example
        steps = [(STEPS[byte % len(STEPS)], texts[byte // len(STEPS) % len(texts)]) for byte in plan]
        first = host.reserve(len(steps))
        stream = b""
        for i, (name, text) in enumerate(steps):
            given = [i, len(text)] if name == "add" else [text] * FAILING.get(name, 1)
            stream += strict.dumps(message(first + i, name, given)) + b"\n"
        host.send(stream)
        for i, (name, text) in enumerate(steps):
            if name == "add":
                host.results(first + i, i + len(text))
            elif name == "echo":
                host.results(first + i, text)
            else:
                came = host.error(first + i, why=f"{name}({text!r}) fails")
                if (text not in came) if name == "panic" else (came != text):
                    raise Failure(
                        "another error text than the service failed with", expected=repr(text), seen=repr(came)
                    )
        return len(steps)

    fuzz_host.check(st.tuples(plans(), values.TEXTS), run)


FLAWS = ("type", "null", "few", "many")


def flawed(flaw: str, name: str, value: Any) -> list[Any]:
    """Arguments that do not fit a service of one parameter, whose type ``value`` does not fit."""
    if flaw == "null" and name == "bytes":  # which may take it as empty (ARI-11)
        flaw = "type"
    return {"type": [value], "null": [None], "few": [], "many": [value, value]}[flaw]


@case("ARI-06", "ARI-07", "ARI-08", "ARI-10", generated=True)
def test_mismatch(fuzz_host: Fuzz) -> None:
    """Arguments that do not fit the service, in type or number, are an error of that call alone."""
    have = services(fuzz_host)
    names = [name for name in values.MISFITTED if f"echo_{name}" in have]
    if not names:
        raise Unsupported("the testee has no echo_T of a type that something does not fit")
    one = st.sampled_from(names).flatmap(lambda name: st.tuples(st.just(name), values.misfits(name)))

    def run(host: HostSession, example: tuple[bytes, list[tuple[str, Any]]]) -> int:
        plan, pool = example
        misfits = []
        for byte in plan:
            name, value = pool[byte % len(pool)]
            misfits.append((name, flawed(FLAWS[byte // len(pool) % len(FLAWS)], name, value)))
        first = host.reserve(2 * len(misfits))
        stream = b""
        for i, (name, args) in enumerate(misfits):
            stream += strict.dumps(message(first + 2 * i, f"echo_{name}", args)) + b"\n"
            stream += strict.dumps(message(first + 2 * i + 1, "add", [i, 1])) + b"\n"
        host.send(stream)
        for i, (name, args) in enumerate(misfits):
            host.error(first + 2 * i, why=f"{args!r} is not one argument of type {name}"[:300])
            host.results(first + 2 * i + 1, i + 1)
        return 2 * len(misfits)

    fuzz_host.check(st.tuples(plans(96), st.lists(one, min_size=1, max_size=12)), run)


def _answered(host: HostSession, sequence: int, value: Any) -> None:
    """The right reply to a call, perhaps behind others: damage may give its sequence to another call, and calls that
    run side by side are answered in any order."""
    try:
        host.results(sequence, value)
    except Failure:
        host.look_for(lambda: host.arrived(sequence) or host.wire.eof)
        if not host.arrived(sequence):
            raise
        _answered(host, sequence, value)


@case("FUZ-04", generated=True)
def test_hostile_bytes(fuzz_host: Fuzz) -> None:
    """A damaged conversation: calls before the damage are answered rightly, then the host goes on or ends, in time."""

    def run(host: HostSession, example: tuple[MessageSession, Damage]) -> int:
        message_session, damage = example
        turns = message_session.turns()
        first = host.reserve(len(turns))
        messages = stream_of(message_session, first)
        damaged, at = damage.apply(b"".join(messages))
        host.send(damaged)
        if host.wire.halves:
            host.wire.close(read=False)
        end = 0
        for i, (value, _) in enumerate(turns):
            end += len(messages[i])
            if end <= at:
                _answered(host, first + i, value)
        host.tell(exit=0)
        child = host.child
        assert child is not None
        host.wait(lambda: child.ended, "the end of the host after a damaged conversation", may_end=True)
        status = child.status or 0
        if status < 0:
            raise Failure("damaged bytes killed the host", expected="an exit status", seen=f"signal {-status}")
        return len(turns)

    fuzz_host.check(st.tuples(message_sessions(24), DAMAGE), run, fresh=True)
