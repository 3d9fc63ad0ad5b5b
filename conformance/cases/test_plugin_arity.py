"""What a plugin does with results that are not what the consumer's signature says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conformance.case import case
from conformance.drive.plugin import PluginSession
from conformance.drive.problems import Problems
from conformance.oracle.values import INTEGER_RANGES, Type, type_name
from conformance.outcomes import Unsupported


def refuses(plugin: PluginSession, results: tuple[Type, ...], written: bytes, why: str) -> None:
    """A reply with this JSON text as `reply` must be an error of the call."""
    ticket = plugin.call(results=results)
    sequence = plugin.request(ticket)["sequence"]
    plugin.send(b'{"sequence":%d,"reply":%s}\n' % (sequence, written))
    plugin.failed(ticket, why=why)


def takes(plugin: PluginSession, of: Type, value: Any) -> None:
    """The same consumer with a result that fits: what is refused is refused for its value."""
    ticket = plugin.call(results=(of,))
    plugin.serve(ticket, value)
    plugin.ok(ticket, value)


def declared(plugin: PluginSession, *types: Type) -> list[Type]:
    """Those of the types that the testee takes; Unsupported where there are none."""
    found = [of for of in types if plugin.role.takes(of)]
    if not found:
        raise Unsupported(f"the testee declares none of the types {', '.join(map(type_name, types))}")
    return found


TOO_FEW: tuple[tuple[tuple[Type, ...], bytes], ...] = (
    (("int64",), b"[]"),
    (("int64", "string"), b"[]"),
    (("int64", "string"), b"[1]"),
    (("string", "int64", "bool"), b'["a",1]'),
    (("int64", {"optional": "int64"}), b"[1]"),
    (("int64", "any"), b"[1]"),
    (("int64", "raw"), b"[1]"),
    (("int64", {"list": "int64"}), b"[1]"),
    (("int64", {"map": "int64"}), b"[1]"),
    (("int64", "bytes"), b"[1]"),
)
TOO_MANY: tuple[tuple[tuple[Type, ...], bytes], ...] = (
    ((), b"[1]"),
    ((), b"[null]"),
    (("int64",), b"[1,2]"),
    (("int64",), b"[1,null]"),
    (("int64", "string"), b'[1,"a",2]'),
    (("int64", "string"), b'[1,"a",{"b":[]}]'),
    (("int64",), b"[1" + b",1" * 999 + b"]"),
)


def refuse_all(plugin: PluginSession, rows: tuple[tuple[tuple[Type, ...], bytes], ...]) -> None:
    """Each reply must be an error of its call, and the connection must go on after each."""
    problems = Problems()
    for results, written in rows:
        if all(plugin.role.takes(of) for of in results):
            names = ", ".join(map(type_name, results))
            with problems.of(f"{written.decode():.30} for the results ({names})"):
                refuses(plugin, results, written, f"{len(results)} results expected")
            plugin.assert_alive()
    problems.check()


@case("ARI-01", types=("int64", "string", "bool"))
def test_too_few(plugin: PluginSession) -> None:
    """A reply with fewer results than the consumer expects is an error of the call."""
    plugin.assert_alive()
    refuse_all(plugin, TOO_FEW)


@case("ARI-01")
def test_too_few_untyped(plugin: PluginSession) -> None:
    """A reply with fewer results than an untyped consumer expects is an error of the call."""
    _need_any(plugin)
    plugin.assert_alive()
    refuse_all(plugin, ((("any", "any"), b"[1]"), (("any", "any"), b"[]"), (("any",), b"[]")))


@case("ARI-02", types=("int64", "string"))
def test_too_many(plugin: PluginSession) -> None:
    """A reply with more results than the consumer expects is an error of the call."""
    plugin.assert_alive()
    refuse_all(plugin, TOO_MANY)


@case("ARI-02")
def test_too_many_untyped(plugin: PluginSession) -> None:
    """A reply with more results than an untyped consumer expects is an error of the call."""
    _need_any(plugin)
    plugin.assert_alive()
    refuse_all(plugin, ((("any",), b"[1,2]"), (("any", "any"), b"[1,2,null]"), (("any",), b"[null,null]")))


def _need_any(plugin: PluginSession) -> None:
    if not plugin.role.takes("any"):
        raise Unsupported("the testee does not declare the type any")


@dataclass(frozen=True)
class Mismatch:
    """Types, a value that fits each of them, and JSON texts that fit none."""

    types: tuple[Type, ...]
    fits: Any
    wrong: tuple[str, ...]


MISMATCHES = {
    "bool": Mismatch(("bool",), True, ("0", "1", '"true"', '""', "[]", "[true]", "{}")),
    "string": Mismatch(("string",), "a", ("0", "1.5", "true", "false", "[]", '["a"]', "{}", '{"a":"b"}')),
    "integers": Mismatch(tuple(INTEGER_RANGES), 7, ("true", "false", '"7"', '""', "[]", "[7]", "{}", '{"7":7}')),
    "floats": Mismatch(("float32", "float64"), 1.5, ("true", "false", '"1.5"', '""', '"NaN"', "[]", "[1.5]", "{}")),
    "bytes": Mismatch(("bytes",), "AAEC", ("0", "1.5", "true", "{}", '{"a":1}')),
    "point": Mismatch(
        ("point",),
        {"x": 1, "y": 2.5, "label": "p"},
        (
            "0",
            "true",
            '"x"',
            "[]",
            "[1,2.5]",
            '{"x":"1","y":2.5}',
            '{"x":1.5,"y":2.5}',
            '{"x":true,"y":2.5}',
            '{"x":1,"y":"2.5"}',
            '{"x":1,"y":2.5,"label":3}',
            '{"x":9223372036854775808,"y":2.5}',
            '{"x":[1],"y":2.5}',
        ),
    ),
    "list": Mismatch(
        ({"list": "int64"},),
        [1, 2],
        ("0", "true", '"12"', "{}", '{"0":1}', '["1"]', "[1,2,true]", "[1,[2]]", "[1.5]"),
    ),
    "map": Mismatch(
        ({"map": "int64"},),
        {"a": 1},
        ("0", "true", '"a"', "[]", '[["a",1]]', '{"a":"1"}', '{"a":1,"b":true}', '{"a":{}}'),
    ),
    "optional": Mismatch(({"optional": "int64"},), 1, ("true", "false", '"1"', '""', "[]", "[1]", "{}", "1.5")),
    "nested": Mismatch(
        ({"list": {"map": "string"}},),
        [{"a": "b"}],
        ('{"a":"b"}', '["a"]', '[{"a":1}]', '[{"a":"b"},{"a":[]}]', "[[]]"),
    ),
}


@case("ARI-03", each=MISMATCHES, types=("int64",))
def test_other_type(plugin: PluginSession, each: Mismatch) -> None:
    """A result of another type is an error of that call, and the next call of the same consumer succeeds."""
    problems = Problems()
    for of in declared(plugin, *each.types):
        takes(plugin, of, each.fits)
        for text in each.wrong:
            with problems.of(f"{text} for {type_name(of)}"):
                refuses(plugin, (of,), b"[" + text.encode() + b"]", f"the result {text} for {type_name(of)}")
        takes(plugin, of, each.fits)
    problems.check()


@case("ARI-03", types=("int64", "string"))
def test_one_of_several(plugin: PluginSession) -> None:
    """One result of another type among several that fit is an error of the call, whichever it is."""
    for written in (b'["1","a",2]', b"[1,2,2]", b'[1,"a","2"]'):
        plugin.assert_alive()
        refuses(plugin, ("int64", "string", "int64"), written, f"the results {written.decode()}")
    plugin.assert_alive()


@case("ARI-03", types=("int64",), features=("concurrent",))
def test_beside_pending(plugin: PluginSession) -> None:
    """A result of another type fails its own call and none of those that are outstanding beside it."""
    tickets = [plugin.call(name=f"s{number}", results=("int64",), background=True) for number in range(3)]
    requests = plugin.requests(tickets)
    plugin.reply(requests[1], reply=["one"])
    plugin.failed(tickets[1], why="a string for int64")
    for number in (0, 2):
        plugin.reply(requests[number], reply=[number])
        plugin.ok(tickets[number], number)


@case("ARI-04")
def test_no_array(plugin: PluginSession) -> None:
    """A reply to a call whose `reply` is null or is no array is an error of the call, and the connection goes on."""
    problems = Problems()
    for written in (b"null", b"{}", b'{"0":"a"}', b'"a"', b"1", b"true", b'"[1]"'):
        with problems.of(f"`reply` {written.decode()} for one result"):
            refuses(plugin, ("any",), written, "a `reply` that is no array")
        plugin.assert_alive()
    problems.check()


@case("ARI-04")
def test_missing(plugin: PluginSession) -> None:
    """A reply to a call with nothing but a sequence is an error of the call, and the connection goes on."""
    plugin.assert_alive()
    for keys in ({}, {"ok": True}, {"error": None}, {"services": ["a"]}):
        ticket = plugin.call()
        plugin.reply(plugin.request(ticket), **keys)
        plugin.failed(ticket, why=f"a call answered with {keys} and no `reply`")
    plugin.assert_alive()


@case("ARI-04")
def test_no_array_for_no_results(plugin: PluginSession) -> None:
    """For a consumer without results `[]` is success, and what is neither an array nor null is an error of the call."""
    ticket = plugin.call(results=())
    plugin.reply(plugin.request(ticket), reply=[])
    plugin.ok(ticket)
    for written in (b"{}", b'"a"', b"1", b"false"):
        refuses(plugin, (), written, f"a call without results answered with {written.decode()} for `reply`")
    plugin.assert_alive()


@case("ARI-05", types=("int64",))
def test_null(plugin: PluginSession) -> None:
    """Null for a boolean, a string, a number or a structure is an error of the call, alone and among other results."""
    problems = Problems()
    for of in declared(plugin, "bool", "string", *INTEGER_RANGES, "float32", "float64", "point"):
        with problems.of(f"null for {type_name(of)}"):
            refuses(plugin, (of,), b"[null]", f"null for {type_name(of)}")
        with problems.of(f"null for {type_name(of)} after another result"):
            refuses(plugin, ("int64", of), b"[1,null]", f"null for {type_name(of)}")
    plugin.assert_alive()
    problems.check()


@case("ARI-05", types=("int64",))
def test_null_inside(plugin: PluginSession) -> None:
    """Null for an element of a list or a value of a map of numbers, strings or structures is an error of the call."""
    problems = Problems()
    for inner in declared(plugin, "bool", "int64", "string", "float64", "point"):
        for of, written in (({"list": inner}, b"[[null]]"), ({"map": inner}, b'[{"a":null}]')):
            with problems.of(f"{written.decode()} for {type_name(of)}"):
                refuses(plugin, (of,), written, f"null inside {type_name(of)}")
    plugin.assert_alive()
    problems.check()
