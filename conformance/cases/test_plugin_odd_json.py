"""Generated prototypes, and generated JSON that no two readers read alike."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.case import case
from conformance.cases.boundaries import LONG_INTEGERS
from conformance.drive.control import Ticket
from conformance.drive.plugin import PluginSession
from conformance.fuzz.batches import plans
from conformance.fuzz.engine import Fuzz
from conformance.fuzz.prototypes import UNMARSHALABLE, Prototypes, prototypes
from conformance.fuzz.unusual_json import UNUSUAL_HANDFULS, lone_surrogate, repeats_a_key
from conformance.oracle.values import SCALARS, Type, type_name
from conformance.outcomes import Failure


@case("FUZ-07", generated=True)
def test_odd_replies(fuzz_plugin: Fuzz) -> None:
    """A reply with odd JSON in it has some outcome in time, and the calls beside it have their own."""

    types: list[Type] = [name for name in ("any", "raw") if fuzz_plugin.role.takes(name)]
    refusing: list[Type] = ["bool"] if fuzz_plugin.role.takes("bool") else ["any", "any"]

    def run(plugin: PluginSession, example: tuple[bytes, list[str]]) -> int:
        plan, texts = example
        for byte in plan:
            text = texts[byte % len(texts)]
            # Where a key is repeated, of a type that it does not fit: what comes back need not be strict JSON else.
            of = refusing if repeats_a_key(text) else [types[byte // len(texts) % len(types)]]
            ticket = plugin.call(results=of)
            request = plugin.request(ticket)
            plugin.send(b'{"sequence":%d,"reply":[%s]}\n' % (request["sequence"], text.encode()))
            plugin.outcome(ticket, why=f"a reply with {text[:60]}")
            if not plugin.survives():
                if not lone_surrogate(text):
                    raise Failure(
                        "legal JSON ended the connection", expected="an outcome of that call", seen=text[:200]
                    )
                plugin.spent = True
                plugin.finish()
                break
        return 2 * len(plan)

    fuzz_plugin.check(st.tuples(plans(16), UNUSUAL_HANDFULS), run)


@case("FUZ-07")
def test_long_integers(plugin: PluginSession) -> None:
    """An integer of thousands of digits as an untyped result is an error of that call, or comes out; no more."""
    for digits in LONG_INTEGERS:
        ticket = plugin.call()
        sequence = plugin.request(ticket)["sequence"]
        plugin.send(f'{{"sequence":{sequence},"reply":[{{"a":[{digits}]}}]}}\n'.encode())
        plugin.outcome(ticket, why=f"an integer of {len(digits)} characters")
        plugin.assert_alive()


@case("FUZ-08", features=("prototypes",), generated=True)
def test_prototypes(fuzz_plugin: Fuzz) -> None:
    """Consumers of generated types: refused where JSON cannot carry one of them, made otherwise."""
    declared = tuple(name for name in SCALARS if name in fuzz_plugin.role.types)

    def run(plugin: PluginSession, example: Prototypes) -> int:
        made = example.all()
        tickets = [
            plugin.start("bind", namespace="n", name=f"s{number}", params=params, results=results)
            for number, (params, results) in enumerate(made)
        ]
        for ticket, (params, results) in zip(tickets, made, strict=True):
            judge(plugin, ticket, params, results)
        plugin.assert_alive()
        return len(made) + 1

    fuzz_plugin.check(prototypes(declared), run)


def judge(plugin: PluginSession, ticket: Ticket, params: list[Type], results: list[Type]) -> None:
    """A panic exactly where there is a type that JSON cannot carry."""
    result = plugin.outcome(ticket)
    refused = any(UNMARSHALABLE in type_name(of) for of in (*params, *results))
    if refused is not (result.kind == "panic") or result.kind == "error":
        shown = f"({', '.join(map(type_name, params))}) -> ({', '.join(map(type_name, results))})"
        raise Failure(
            f"binding the prototype {shown}"[:300],
            expected="a refusal (panic)" if refused else "a consumer",
            seen=f"{result.kind}: {result.value}"[:300],
        )
