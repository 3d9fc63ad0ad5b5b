"""How a plugin reports the errors that a host sends."""

from __future__ import annotations

from typing import Any

from conformance.case import case
from conformance.drive.plugin import PluginSession
from conformance.drive.problems import Problems
from conformance.outcomes import Failure

TEXTS = {
    "one word": "boom",
    "one space": " ",
    "spaces around": "  a  ",
    "line feeds around": "\na\n\n",
    "several lines": "one\ntwo\r\nthree",
    "control characters": "".join(map(chr, range(0x20))) + "\x7f\x85",
    "quotes": '"it\'s"',
    "backslashes": "\\n \\u0041 C:\\",
    "braces": "%s {} {0} ${x} %(a)s %n",
    "JSON": '{"sequence":1,"reply":["no error"]}',
    "a JSON null": "null",
    "a JSON string": '"boom"',
    "a number": "0",
    "markup": "<b>&amp;</b>",
    "words of success": "ok",
    "the end of a connection": "EOF",
    "a panic": "panic in service: aargh",
    "an undefined namespace": 'undefined namespace "zz"',
    "non-ASCII": "naïve 日本語",
    "outside the BMP": "😀\U00010000\U0010ffff",
    "line separators": "\u2028\u2029\ufeff\ufffd",
    "noncharacters": "\ufdd0\ufffe\uffff\U0001fffe\U0010ffff",
    "combining, not normalised": "e\u0301 \u00e9",
}


def expect(plugin: PluginSession, ticket: Any, text: str) -> None:
    """The operation must fail with exactly this text."""
    seen = plugin.failed(ticket, why=f"a reply with the error {text!r:.60}")
    if seen != text:
        at = next((i for i, (a, b) in enumerate(zip(seen, text, strict=False)) if a != b), min(len(seen), len(text)))
        raise Failure(
            "another error than was sent",
            expected=f"{text[:100]!r} ({len(text)} characters)",
            seen=f"{seen[:100]!r} ({len(seen)} characters; they differ at {at})",
        )


@case("ERR-01")
def test_texts(plugin: PluginSession) -> None:
    """The failure of a call carries exactly the text that was sent."""
    problems = Problems()
    for what, text in TEXTS.items():
        with problems.of(f"an error of {what}"):
            ticket = plugin.call()
            plugin.reply(plugin.request(ticket), error=text)
            expect(plugin, ticket, text)
    problems.check()


@case("ERR-01", each={"ASCII": "0123456789abcde\n", "non-ASCII": "é😀日"})
def test_long_text(plugin: PluginSession, each: str) -> None:
    """The text of an error of more than a mebibyte is carried whole."""
    text = each * (1_100_000 // len(each)) + "end"
    ticket = plugin.call()
    plugin.reply(plugin.request(ticket), error=text)
    expect(plugin, ticket, text)
    plugin.assert_alive()


@case("ERR-02")
def test_empty_text(plugin: PluginSession) -> None:
    """An empty error makes the call fail with an empty text, with and without results beside it."""
    for results, keys in (((), {}), (("any",), {}), (("any",), {"reply": [1]}), ((), {"reply": []})):
        ticket = plugin.call(results=results)
        plugin.reply(plugin.request(ticket), error="", **keys)
        expect(plugin, ticket, "")
    plugin.assert_alive()


@case("ERR-03")
def test_error_beside_reply(plugin: PluginSession) -> None:
    """The error decides, whatever stands in `reply` beside it: results that fit, others, or no array at all."""
    problems = Problems()
    replies: tuple[Any, ...] = (["fits"], [], ["too", "many"], None, {}, "text", 7, [[["deep"]]])
    for reply in replies:
        with problems.of(f"an error beside the reply {reply!r}"):
            ticket = plugin.call()
            plugin.reply(plugin.request(ticket), reply=reply, error="the error")
            expect(plugin, ticket, "the error")
        with problems.of(f"an error before the reply {reply!r}"):
            ticket = plugin.call()
            plugin.reply(plugin.request(ticket), error="the error", reply=reply)
            expect(plugin, ticket, "the error")
    problems.check()


@case("ERR-03", types=("int64",))
def test_error_beside_other_types(plugin: PluginSession) -> None:
    """The error decides also when the results beside it are of another type than the consumer expects."""
    for reply in ([7], ["seven"], [None], [1.5], [1 << 64]):
        ticket = plugin.call(results=("int64",))
        plugin.reply(plugin.request(ticket), reply=reply, error="the error")
        expect(plugin, ticket, "the error")


@case("ERR-04")
def test_goes_on(plugin: PluginSession) -> None:
    """Calls after a failed one are made and answered as if nothing had been, many times over."""
    for number in range(10):
        ticket = plugin.call(number)
        plugin.reply(plugin.request(ticket), error=f"error {number}")
        expect(plugin, ticket, f"error {number}")
        ticket = plugin.call(number)
        plugin.serve(ticket, number)
        plugin.ok(ticket, number)


@case("ERR-04", features=("concurrent",))
def test_failure_beside_pending(plugin: PluginSession) -> None:
    """The failure of one call leaves the others that are outstanding alone."""
    tickets = [plugin.call(name=f"s{number}", background=True) for number in range(4)]
    requests = plugin.requests(tickets)
    plugin.reply(requests[1], error="only this")
    expect(plugin, tickets[1], "only this")
    for number in (0, 2, 3):
        plugin.reply(requests[number], reply=[number])
        plugin.ok(tickets[number], number)


@case(
    "ERR-05",
    each={
        "has-namespace": ("hasNamespace", {"ok": True}),
        "get-manifest": ("getManifest", {"reply": {"a": 1}}),
        "list-services": ("listServices", {"services": ["a"]}),
    },
)
def test_lookups(plugin: PluginSession, each: tuple[str, dict[str, Any]]) -> None:
    """The error in the reply to a lookup is its error, alone or beside what would be its answer; also an empty one."""
    op, answer = each
    for text in ('undefined namespace "zz"', "", "né 😀\n"):
        for keys in ({}, answer):
            ticket = plugin.start(op, namespace="zz")
            plugin.reply(plugin.request(ticket), error=text, **keys)
            expect(plugin, ticket, text)
    ticket = plugin.start(op, namespace="n")
    plugin.reply(plugin.request(ticket), **answer)
    plugin.value(ticket, next(iter(answer.values())))
