"""How a plugin cuts the stream of replies into messages, and how it writes its own."""

from __future__ import annotations

from typing import Any

from conformance.case import case
from conformance.cases.boundaries import LONG_INTEGERS
from conformance.drive.control import Written
from conformance.drive.plugin import PluginSession
from conformance.drive.problems import Problems
from conformance.oracle import strict
from conformance.oracle.frames import FrameReader
from conformance.oracle.values import difference
from conformance.outcomes import Failure

RICH = (
    '{"sequence":%d,"reply":["é€😀 ü","\\u00e9\\ud83d\\ude00\\n\\"\\\\}]","{[",-12.5e+3,1234567890,'
    '[true,false,null,{"a":[]}]]}'
)
"""A reply with every kind of place at which a message can be cut."""
RICH_VALUES: tuple[Any, ...] = ("é€😀 ü", 'é😀\n"\\}]', "{[", -12500, 1234567890, [True, False, None, {"a": []}])
RICH_TYPES = ("any",) * len(RICH_VALUES)
NOT_ASCII_ERROR = '{"sequence":%d,"error":"né \\u20ac \\"x\\""}'


def spaced(space: bytes, sequence: int) -> bytes:
    """A reply of the values 1 and ``"a b"`` with white space wherever JSON allows it."""
    tokens = [b"{", b'"sequence"', b":", b"%d" % sequence, b",", b'"reply"', b":"]
    tokens += [b"[", b"1", b",", b'"a b"', b",", b"{", b"}", b"]", b"}"]
    return space + space.join(tokens) + space


@case("FRM-01")
def test_no_separator(plugin: PluginSession) -> None:
    """Replies that follow each other with nothing at all between them each reach their call."""
    for number in range(5):
        ticket = plugin.call(number)
        plugin.reply(plugin.request(ticket), reply=[number], tail=b"")
        plugin.ok(ticket, number)


SPACES = {
    "spaces": b" ",
    "tabs": b"\t",
    "carriage returns": b"\r",
    "line feeds": b"\n",
    "CR LF": b"\r\n",
    "a mixture": b" \n\t\r\n  ",
    "kilobytes of white space": b" \t\r\n" * 2_000,
}


@case("FRM-02")
def test_white_space(plugin: PluginSession) -> None:
    """White space before, between, after and inside replies changes nothing."""
    problems = Problems()
    for what, space in SPACES.items():
        for _ in range(2):
            with problems.of(f"{what} between the tokens of a reply"):
                ticket = plugin.call(results=["any", "any", "any"])
                plugin.send(spaced(space, plugin.request(ticket)["sequence"]))
                plugin.ok(ticket, 1, "a b", {})
    problems.check()


@case("FRM-03")
def test_bytewise(plugin: PluginSession) -> None:
    """A reply that comes one byte at a time is the same reply."""
    ticket = plugin.call(results=RICH_TYPES)
    for byte in (RICH % plugin.request(ticket)["sequence"]).encode():
        plugin.deliver(bytes([byte]))
    plugin.ok(ticket, *RICH_VALUES)


@case("FRM-03")
def test_split_at_every_byte(plugin: PluginSession) -> None:
    """A reply in two pieces is the same reply, wherever it is cut: in a character, an escape, a number, a literal."""
    plugin.assert_alive()
    cut, length = 1, 2
    while cut < length:
        ticket = plugin.call(results=RICH_TYPES)
        message = (RICH % plugin.request(ticket)["sequence"]).encode()
        length = len(message)
        plugin.deliver(message[:cut])
        plugin.send(message[cut:] + b"\n")
        plugin.ok(ticket, *RICH_VALUES)
        cut += 1


@case("FRM-03")
def test_error_split_at_every_byte(plugin: PluginSession) -> None:
    """A failed call's reply in two pieces carries the same error, wherever the cut lies."""
    problems, cut, length = Problems(), 1, 2
    while cut < length:
        ticket = plugin.call()
        message = (NOT_ASCII_ERROR % plugin.request(ticket)["sequence"]).encode()
        length = len(message)
        plugin.deliver(message[:cut])
        plugin.send(message[cut:] + b"\n")
        with problems.of(f"cut at byte {cut}"):
            text = plugin.failed(ticket, why="a reply with an error")
            if text != 'né € "x"':
                raise Failure("another error than was sent", expected='né € "x"', seen=text)
        cut += 1
    problems.check()


@case("FRM-01", "FRM-04", features=("concurrent",))
def test_coalesced(plugin: PluginSession) -> None:
    """The replies of twelve concurrent calls in one write, with or without space between, each reach their caller."""
    for between in (b"", b"\n", b" \r\n\t"):
        tickets = [plugin.call(name=f"s{number}", background=True) for number in range(12)]
        requests = plugin.requests(tickets)
        messages = [strict.dumps({"sequence": r["sequence"], "reply": [r["name"]]}) for r in requests]
        plugin.send(between.join(messages) + between)
        for number, ticket in enumerate(tickets):
            plugin.ok(ticket, f"s{number}")


@case("FRM-04", features=("concurrent",))
def test_one_and_a_half(plugin: PluginSession) -> None:
    """Of a read that brings a whole reply and the beginning of the next, the whole one is acted on."""
    tickets = [plugin.call(name=name, background=True) for name in ("first", "second")]
    one, two = (
        strict.dumps({"sequence": r["sequence"], "reply": [r["name"]]}) + b"\n" for r in plugin.requests(tickets)
    )
    plugin.send(one + two[:9])
    plugin.ok(tickets[0], "first")
    if plugin.arrived(tickets[1]):
        raise Failure("a call was answered by the beginning of its reply", seen=repr(plugin.outcome(tickets[1])))
    plugin.send(two[9:])
    plugin.ok(tickets[1], "second")


@case("FRM-01", "FRM-04")
def test_ignored_before_awaited(plugin: PluginSession) -> None:
    """Of a read that brings a reply to nobody and the awaited one, the awaited one is acted on."""
    ticket = plugin.call()
    request = plugin.request(ticket)
    nobody = strict.dumps({"sequence": request["sequence"] ^ (1 << 40), "reply": ["to nobody"]})
    plugin.send(nobody + strict.dumps({"sequence": request["sequence"], "reply": ["awaited"]}) + b"\n")
    plugin.ok(ticket, "awaited")


@case("FRM-05")
def test_no_line_feed(plugin: PluginSession) -> None:
    """A reply is acted on at its last byte, with no line feed and nothing else behind it, for every operation."""
    ticket = plugin.call()
    plugin.reply(plugin.request(ticket), reply=["now"], tail=b"")
    plugin.ok(ticket, "now")
    for op, answer, meant in (
        ("hasNamespace", {"ok": True}, True),
        ("getManifest", {"reply": {"a": 1}}, {"a": 1}),
        ("listServices", {"services": ["a"]}, ["a"]),
    ):
        ticket = plugin.start(op, namespace="n")
        plugin.reply(plugin.request(ticket), tail=b"", **answer)
        plugin.value(ticket, meant)


NASTY = (
    "}",
    "{",
    "]}",
    "[[[",
    '"',
    "\\",
    '\\"',
    '"}',
    "\\\\",
    '\\\\"}{',
    "ends with a backslash\\",
    '{"sequence":1,"reply":[]}\n',
    '\n{"sequence":2}\n',
    "//",
    "/*",
    "'",
)


@case("FRM-06")
def test_brackets_in_strings(plugin: PluginSession) -> None:
    """Brackets, quotes and backslashes in the strings and keys of a reply are text and nothing else."""
    problems = Problems()
    for text in (*NASTY, "".join(NASTY)):
        with problems.of(repr(text)):
            value = {text: [text, {text: text}]}
            ticket = plugin.call()
            plugin.reply(plugin.request(ticket), reply=[value])
            plugin.ok(ticket, value)
    problems.check()


@case("FRM-06")
def test_brackets_in_errors(plugin: PluginSession) -> None:
    """Brackets, quotes and backslashes in the text of an error are text and nothing else."""
    problems = Problems()
    for text in NASTY:
        with problems.of(repr(text)):
            ticket = plugin.call()
            plugin.reply(plugin.request(ticket), error=text)
            seen = plugin.failed(ticket, why="a reply with an error")
            if seen != text:
                raise Failure("another error than was sent", expected=repr(text), seen=repr(seen))
    problems.check()


@case("FRM-07")
def test_strict_json(plugin: PluginSession) -> None:
    """What the plugin writes is strict JSON in UTF-8 and means what was given, for arguments of every kind."""
    values = [
        *NASTY,
        "".join(map(chr, range(0x20))) + "\x7f\x80\x9f",
        "\u2028\u2029\ufeff\ufffe\uffff<>&",
        "naïve 日本語 😀 \U0010ffff",
        [1, -1, 0, 0.1, -2.5e-7, 1e21, 1.7976931348623157e308, 5e-324],
        {"": {"": []}, 'a\n"b\\': None, "é😀": [True, False]},
    ]
    problems = Problems()
    for value in values:
        with problems.of(repr(value)):
            ticket = plugin.call(value)
            request = plugin.request(ticket)
            plugin.reply(request, reply=[None])
            plugin.outcome(ticket)
            problem = difference("any", [value], request.get("args"), "args")
            if problem:
                raise Failure("another argument than was given", seen=problem)
    problems.check()


@case("FRM-07")
def test_number_beyond_floats(plugin: PluginSession) -> None:
    """A number too large for a float64 is refused, or sent with its digits, but never as a token that is not JSON."""
    plugin.assert_alive()
    ticket = plugin.call(Written("1e999"))
    plugin.wait(lambda: bool(plugin.wire.frames) or plugin.arrived(ticket), "a request, or the failure of the call")
    if plugin.wire.frames:
        plugin.reply(plugin.request(ticket), reply=[None])
        plugin.outcome(ticket)
    else:
        plugin.failed(ticket, why="an argument that JSON cannot carry", or_panic=True)
    plugin.assert_alive()


KEYS = {
    "an unknown key first": '{"extra":1,"sequence":%d,"reply":["right"]}',
    "an unknown key last": '{"sequence":%d,"reply":["right"],"zzz":"x"}',
    "an unknown object": '{"sequence":%d,"x":{"sequence":99,"error":"no","reply":[{}]},"reply":["right"]}',
    "an unknown array": '{"x":[{"error":"no"},["reply"],"}"],"sequence":%d,"reply":["right"]}',
    "an empty key": '{"":"","sequence":%d,"reply":["right"]}',
    "the keys of a request": '{"type":"call","namespace":"n","name":"s","args":[1],"sequence":%d,"reply":["right"]}',
    "`reply` first": '{"reply":["right"],"sequence":%d}',
    "`error` first": '{"error":null,"reply":["right"],"services":[],"ok":true,"sequence":%d}',
    "escaped keys": '{"\\u0073equ\\u0065nce":%d,"\\u0072\\u0065\\u0070\\u006C\\u0079":["right"]}',
    "keys alike but for the end": '{"sequence":%d,"sequences":99,"replys":[],"error_":"no","reply":["right"]}',
}


@case("FRM-08")
def test_keys(plugin: PluginSession) -> None:
    """Unknown keys, another order of keys, and keys written with escapes change nothing."""
    problems = Problems()
    for what, template in KEYS.items():
        with problems.of(f"a reply with {what}"):
            ticket = plugin.call()
            plugin.send((template % plugin.request(ticket)["sequence"]).encode() + b"\n")
            plugin.ok(ticket, "right")
    problems.check()


@case("FRM-08")
def test_long_integers_in_unknown_keys(plugin: PluginSession) -> None:
    """Integers of thousands of digits under an unknown key, in an object or a list as well, change nothing."""
    problems = Problems()
    for digits in LONG_INTEGERS:
        for value in (digits, f'{{"a":[{digits}]}}'):
            with problems.of(f"an unknown integer of {len(digits)} characters"):
                ticket = plugin.call()
                sequence = plugin.request(ticket)["sequence"]
                plugin.send(f'{{"unknown":{value},"sequence":{sequence},"reply":["right"]}}\n'.encode())
                plugin.ok(ticket, "right")
    problems.check()


@case("FRM-08")
def test_escaped_error_key(plugin: PluginSession) -> None:
    """An `error` whose key is written with escapes is an error."""
    ticket = plugin.call()
    sequence = plugin.request(ticket)["sequence"]
    plugin.send(b'{"sequence":%d,"\\u0065rror":"boom","reply":["no"]}\n' % sequence)
    text = plugin.failed(ticket, why="an `error` key with an escape")
    if text != "boom":
        raise Failure("another error than was sent", expected="boom", seen=text)


@case(
    "FRM-09",
    each={
        "reply": '{"sequence":%d,"reply":["wrong"],"reply":["right"]}',
        "sequence": '{"sequence":4503599627370495,"sequence":%d,"reply":["right"]}',
        "error": '{"sequence":%d,"error":"wrong","error":null,"reply":["right"]}',
    },
)
def test_duplicate_keys(plugin: PluginSession, each: str) -> None:
    """Of a key that stands twice in a reply the last one counts."""
    ticket = plugin.call()
    plugin.send((each % plugin.request(ticket)["sequence"]).encode() + b"\n")
    plugin.ok(ticket, "right")
    plugin.assert_alive()


@case("FRM-11")
def test_non_ascii(plugin: PluginSession) -> None:
    """Non-ASCII text means the same as UTF-8 and as escapes, surrogate pairs included, in values, keys and errors."""
    problems = Problems()
    for text in ("é", "ÿĀ", "߿ࠀ", "日本語", "\ud7ff\ue000\ufffd", "😀", "\U00010000\U0010ffff", "a😀é日z"):
        units = text.encode("utf-16-be")
        lower = "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
        for form, written in (
            ("UTF-8", text),
            ("escapes", lower),
            ("upper-case escapes", lower.upper().replace("\\U", "\\u")),
        ):
            with problems.of(f"{text!r} as {form}"):
                ticket = plugin.call()
                sequence = plugin.request(ticket)["sequence"]
                plugin.send(f'{{"sequence":{sequence},"reply":[{{"{written}":"{written}"}}]}}\n'.encode())
                plugin.ok(ticket, {text: text})
            with problems.of(f"{text!r} as {form}, in an error"):
                ticket = plugin.call()
                sequence = plugin.request(ticket)["sequence"]
                plugin.send(f'{{"sequence":{sequence},"error":"{written}"}}\n'.encode())
                seen = plugin.failed(ticket, why="a reply with an error")
                if seen != text:
                    raise Failure("another error than was sent", expected=repr(text), seen=repr(seen))
    problems.check()


@case("FRM-12")
def test_line_feed_after_each(plugin: PluginSession) -> None:
    """Each message of the plugin ends with one line feed."""
    for op in ("call", "hasNamespace", "call"):
        ticket = plugin.call(1) if op == "call" else plugin.start(op, namespace="n")
        plugin.reply(plugin.request(ticket), reply=[1], ok=True)
        plugin.outcome(ticket)

    def written() -> bytes:
        return b"".join(crossing.data for crossing in plugin.wire.log if crossing.direction == "<")

    plugin.stays(lambda: not written().endswith(b"\n"), 0.2)  # the last line feed may be a write of its own
    reader, gaps = FrameReader(), [b""]
    for byte in written():
        ends = bool(reader.feed(bytes([byte])))
        if ends:
            gaps.append(b"")
        elif not reader.in_message:
            gaps[-1] += bytes([byte])
    if gaps != [b"", b"\n", b"\n", b"\n"]:
        raise Failure(
            "messages that do not end with one line feed",
            expected="one line feed behind each of 3 messages",
            seen=f"before the first {gaps[0]!r}, behind each {gaps[1:]!r}",
        )
