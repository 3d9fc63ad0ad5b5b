"""Values that do not fit: arguments beyond their type, text that is no Unicode, maps that look like messages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from conformance.case import case
from conformance.drive.control import Written
from conformance.drive.plugin import PluginSession
from conformance.drive.problems import Problems
from conformance.oracle import strict
from conformance.oracle.values import INTEGER_RANGES, Type, difference, type_name
from conformance.outcomes import Failure, Unsupported


def refused_locally(plugin: PluginSession, of: Type, value: Any) -> None:
    """The call must fail without a request on the connection."""
    ticket = plugin.call(value, params=(of,), results=())
    plugin.wait(lambda: bool(plugin.wire.frames) or plugin.arrived(ticket), "the failure of the call")
    if plugin.wire.frames:
        request = plugin.request()
        plugin.reply(request, reply=[])
        plugin.outcome(ticket)
        raise Failure("an argument that its type cannot carry was sent", seen=f"args {request.get('args')!r}"[:300])
    plugin.failed(ticket, why="an argument that its type cannot carry", or_panic=True)
    plugin.quiet(0.002)


def refuse_locally(plugin: PluginSession, rows: Iterable[tuple[Type, Any]]) -> None:
    """All of these arguments must be refused, except those that the testee's language rules out before."""
    plugin.assert_alive()
    problems, ruled_out, asked = Problems(), "", 0
    for of, value in rows:
        if not plugin.role.takes(of):
            continue
        try:
            with problems.of(f"{value!r:.60} as {type_name(of)}"):
                refused_locally(plugin, of, value)
            asked += 1
        except Unsupported as reason:
            ruled_out = reason.message
    if not asked:
        raise Unsupported(ruled_out or "the testee declares none of the types")
    plugin.assert_alive()
    problems.check()


@case("TYP-06", types=("int64",))
def test_integers_out_of_range(plugin: PluginSession) -> None:
    """An argument out of the range of its integer type makes the call fail, and nothing is sent."""
    refuse_locally(
        plugin,
        [
            (name, value)
            for name, (low, high) in INTEGER_RANGES.items()
            for value in (low - 1, high + 1, 2 * high + 2, 10**30)
        ],
    )


@case("TYP-06", types=("int64",))
def test_other_types(plugin: PluginSession) -> None:
    """An argument of another type than the parameter makes the call fail, and nothing is sent."""
    refuse_locally(
        plugin,
        [
            ("int64", "7"),
            ("int64", True),
            ("int64", 1.5),
            ("int64", [7]),
            ("int64", None),
            ("uint8", False),
            ("string", 7),
            ("string", None),
            ("string", ["a"]),
            ("bool", 1),
            ("bool", "true"),
            ("bool", None),
            ("float64", "1.5"),
            ("float64", True),
            ("float64", None),
            ({"list": "int64"}, [1, "2"]),
            ({"list": "int64"}, {"a": 1}),
            ({"list": "int64"}, 7),
            ({"list": {"list": "string"}}, [["a"], ["b", 1]]),
            ({"map": "int64"}, {"a": 1, "b": "2"}),
            ({"map": "int64"}, [1]),
            ({"optional": "int64"}, "1"),
            ({"list": "uint8"}, [1, 256]),
        ],
    )


@case("TYP-06", types=("float64",))
def test_infinities(plugin: PluginSession) -> None:
    """An infinite float makes the call fail, and nothing is sent: JSON has no such number."""
    infinite = Written("1e999"), Written("-1e999")
    refuse_locally(
        plugin,
        [
            *(("float64", value) for value in infinite),
            ({"list": "float64"}, [1.0, infinite[0]]),
            ({"map": "float64"}, {"a": infinite[1]}),
        ],
    )


SURROGATES = (
    ("a lone high surrogate", b'"a\\ud800z"'),
    ("a lone low surrogate", b'"a\\udc00z"'),
    ("two high surrogates", b'"a\\ud83d\\ud83dz"'),
    ("a reversed pair", b'"a\\ude00\\ud83dz"'),
    ("a high surrogate before another escape", b'"a\\ud83d\\u0041z"'),
    ("a high surrogate at the end", b'"a\\ud83d"'),
)
NOT_UTF8 = (
    ("the byte FF", b'"a\xffz"'),
    ("a lone continuation byte", b'"a\x80z"'),
    ("a cut character", b'"a\xe2\x82z"'),
    ("a cut character at the end", b'"a\xf0\x9f\x98"'),
    ("an overlong slash", b'"a\xc0\xafz"'),
    ("an encoded surrogate", b'"a\xed\xa0\x80z"'),
    ("a character beyond U+10FFFF", b'"a\xf4\x90\x80\x80z"'),
)
KEPT = re.compile("a[\ud800-\udfff\ufffdA]+z?")


@case("TYP-14", each={"lone-surrogates": SURROGATES, "invalid-utf-8": NOT_UTF8})
def test_no_unicode(start_plugin: Callable[[], Any], each: tuple[tuple[str, bytes], ...]) -> None:
    """Text in a result that is no Unicode is kept, replaced, or an error; it never hangs or crashes the plugin."""
    problems, plugin = Problems(), None
    for what, written in each:
        if plugin is None:
            plugin = start_plugin()
            plugin.assert_alive()
        with problems.of(what):
            ticket = plugin.call(results=(plugin.text,))
            sequence = plugin.request(ticket)["sequence"]
            plugin.send(b'{"sequence":%d,"reply":[%s]}\n' % (sequence, written))
            result = plugin.outcome(ticket, why=what)
            if result.kind == "ok":
                text = result.value[0] if isinstance(result.value, list) and len(result.value) == 1 else None
                if not isinstance(text, str) or not KEPT.fullmatch(text):
                    raise Failure(
                        "text around an invalid character was changed",
                        expected="'a', the character or U+FFFD, 'z'",
                        seen=repr(result.value),
                    )
            else:
                plugin.failed(ticket, why=what)
        if not plugin.survives():
            plugin = None
    problems.check()


@case("TYP-14")
def test_no_unicode_in_errors(start_plugin: Callable[[], Any]) -> None:
    """Text in an error that is no Unicode is kept, replaced, or another error; it never hangs or crashes the plugin."""
    problems, plugin = Problems(), None
    for what, written in (*SURROGATES, *NOT_UTF8):
        if plugin is None:
            plugin = start_plugin()
            plugin.assert_alive()
        with problems.of(what):
            ticket = plugin.call()
            sequence = plugin.request(ticket)["sequence"]
            plugin.send(b'{"sequence":%d,"error":%s}\n' % (sequence, written))
            plugin.failed(ticket, why=f"an error with {what}")
        if not plugin.survives():
            plugin = None
    problems.check()


@case("TYP-14")
def test_surrogates_in_arguments(plugin: PluginSession) -> None:
    """A lone surrogate in an argument is kept as an escape, replaced, or an error of the call; what is sent is JSON."""
    plugin.assert_alive()
    of: Type = plugin.text
    problems = Problems()
    for what, written in SURROGATES:
        with problems.of(what):
            ticket = plugin.call(Written(written.decode()), params=(of,), results=())
            if not plugin.sends(ticket):
                plugin.failed(ticket, why=what, or_panic=True)
                continue
            request = plugin.request(ticket)  # judged strictly: an encoded surrogate would be no UTF-8
            plugin.reply(request, reply=[])
            plugin.ok(ticket)
            (text,) = request["args"]
            if not KEPT.fullmatch(text):
                raise Failure(
                    "text around an invalid character was changed", expected=written.decode(), seen=repr(text)
                )
    plugin.assert_alive()
    problems.check()


LIKE_MESSAGES: tuple[Any, ...] = (
    {"sequence": 99, "reply": ["no"], "error": "no", "ok": True, "services": ["no"]},
    {"type": "call", "namespace": "no", "name": "no", "args": [1], "sequence": 1},
    {"error": "no"},
    {"sequence": "text"},
    [{"error": {"error": None}}, {"sequence": {"sequence": [-1]}}],
    {"reply": {"reply": {"reply": []}}},
)


@case("TYP-15")
def test_like_messages(plugin: PluginSession) -> None:
    """Values whose keys are those of a message are values like any other, both ways, and beside an error."""
    problems = Problems()
    for value in LIKE_MESSAGES:
        with problems.of(repr(value)):
            ticket = plugin.call(value)
            request = plugin.serve(ticket, value)
            plugin.ok(ticket, value)
            problem = difference("any", [value], request.get("args"), "args")
            if problem:
                raise Failure("another argument on the wire than was given", seen=problem)
        with problems.of(f"the manifest {value!r}"):
            ticket = plugin.start("getManifest", namespace="n")
            plugin.reply(plugin.request(ticket), reply=value)
            plugin.value(ticket, value)
        with problems.of(f"{value!r}, before the sequence"):
            ticket = plugin.call()
            sequence = plugin.request(ticket)["sequence"]
            plugin.send(b'{"reply":[%s],"sequence":%d}\n' % (strict.dumps(value), sequence))
            plugin.ok(ticket, value)
    problems.check()


@case("TYP-15", types=("string",))
def test_typed_like_messages(plugin: PluginSession) -> None:
    """A typed map whose keys are those of a message is a map like any other, both ways."""
    value = {"sequence": "1", "error": "no", "type": "call", "reply": "", "ok": "true", "services": "a", "args": "[]"}
    of: Type = {"map": "string"}
    ticket = plugin.call(value, params=(of,), results=(of,))
    request = plugin.serve(ticket, value)
    plugin.ok(ticket, value)
    problem = difference({"list": of}, [value], request.get("args"), "args")
    if problem:
        raise Failure("another argument on the wire than was given", seen=problem)
