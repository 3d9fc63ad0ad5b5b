"""What a plugin does when the host sends something that is no reply: it fails its calls, at once and for good."""

from __future__ import annotations

from conformance.case import case
from conformance.drive.plugin import PluginSession
from conformance.oracle import strict
from conformance.outcomes import Failure

MALFORMED: dict[str, bytes] = {
    # no JSON at all
    "plain-text": b"panic: something went wrong\n",
    "header": b'Content-Length: 26\r\n\r\n{"sequence":%d,"reply":["no"]}\n',
    "markup": b"<html></html>\n",
    "binary": b"\x00\x01\x02\x03\xff\xfe\n",
    # between messages
    "stray-closing-brace": b'}\n{"sequence":%d,"reply":["no"]}\n',
    "stray-closing-bracket": b']\n{"sequence":%d,"reply":["no"]}\n',
    "comma-between-messages": b',{"sequence":%d,"reply":["no"]}\n',
    "nul-between-messages": b'\x00{"sequence":%d,"reply":["no"]}\n',
    "byte-order-mark": b'\xef\xbb\xbf{"sequence":%d,"reply":["no"]}\n',
    "form-feed-between-messages": b'\x0c{"sequence":%d,"reply":["no"]}\n',
    "comment-between-messages": b'/* a */{"sequence":%d,"reply":["no"]}\n',
    "utf-16": '{"sequence":%d,"reply":["no"]}\n'.encode("utf-16-le"),
    # no object
    "top-level-array": b'[{"sequence":%d,"reply":["no"]}]\n',
    "top-level-string": b'"sequence"\n',
    "top-level-number": b"5\n",
    "top-level-true": b"true\n",
    # tokens
    "bad-token": b"{bad}\n",
    "unquoted-key": b'{sequence:%d,"reply":["no"]}\n',
    "single-quotes": b"{'sequence':%d,'reply':['no']}\n",
    "trailing-comma-in-object": b'{"sequence":%d,"reply":["no"],}\n',
    "trailing-comma-in-array": b'{"sequence":%d,"reply":["no",]}\n',
    "missing-comma": b'{"sequence":%d "reply":["no"]}\n',
    "missing-colon": b'{"sequence" %d,"reply":["no"]}\n',
    "missing-value": b'{"sequence":%d,"reply":}\n',
    "wrong-closing-bracket": b'{"sequence":%d,"reply":["no"}]\n',
    "nan": b'{"sequence":%d,"reply":[NaN]}\n',
    "infinity": b'{"sequence":%d,"reply":[Infinity]}\n',
    "minus-infinity": b'{"sequence":%d,"reply":[-Infinity]}\n',
    "capital-literal": b'{"sequence":%d,"reply":[True]}\n',
    "cut-literal": b'{"sequence":%d,"reply":[nul]}\n',
    "leading-zero": b'{"sequence":%d,"reply":[01]}\n',
    "plus-sign": b'{"sequence":%d,"reply":[+1]}\n',
    "no-digit-after-point": b'{"sequence":%d,"reply":[1.]}\n',
    "no-digit-before-point": b'{"sequence":%d,"reply":[.5]}\n',
    "hexadecimal": b'{"sequence":%d,"reply":[0x10]}\n',
    "byte-of-no-value": b'{"sequence":%d,"reply":["no",@]}\n',
    "non-ascii-byte-of-no-value": b'{"sequence":%d,"reply":[\xe9]}\n',
    "comment-inside": b'{"sequence":%d,/* a */"reply":["no"]}\n',
    "line-feed-in-string": b'{"sequence":%d,"reply":["n\no"]}\n',
    "nul-in-string": b'{"sequence":%d,"reply":["n\x00o"]}\n',
    "unknown-escape": b'{"sequence":%d,"reply":["n\\xo"]}\n',
    "cut-escape": b'{"sequence":%d,"reply":["\\u12"]}\n',
    "bad-token-in-unknown-key": b'{"sequence":%d,"unknown":[01],"reply":["no"]}\n',
    # keys of the wrong type
    "sequence-string": b'{"sequence":"%d","reply":["no"]}\n',
    "sequence-true": b'{"sequence":true,"reply":["no"]}\n',
    "sequence-negative": b'{"sequence":-%d,"reply":["no"]}\n',
    "sequence-fraction": b'{"sequence":%d.5,"reply":["no"]}\n',
    "sequence-beyond-uint64": b'{"sequence":18446744073709551616,"reply":["no"]}\n',
    "sequence-array": b'{"sequence":[%d],"reply":["no"]}\n',
    "error-number": b'{"sequence":%d,"reply":["no"],"error":5}\n',
    "error-object": b'{"sequence":%d,"reply":["no"],"error":{"code":1}}\n',
    "error-false": b'{"sequence":%d,"reply":["no"],"error":false}\n',
}

LOOKUPS: dict[str, tuple[str, bytes]] = {
    "ok-string": ("hasNamespace", b'{"sequence":%d,"ok":"true"}\n'),
    "ok-number": ("hasNamespace", b'{"sequence":%d,"ok":1}\n'),
    "services-string": ("listServices", b'{"sequence":%d,"services":"a"}\n'),
    "services-object": ("listServices", b'{"sequence":%d,"services":{"a":1}}\n'),
    "services-of-numbers": ("listServices", b'{"sequence":%d,"services":["a",1]}\n'),
    "manifest-nan": ("getManifest", b'{"sequence":%d,"reply":{"a":NaN}}\n'),
}


def fill(template: bytes, sequence: int) -> bytes:
    """The malformed message, made to look as if it were for ``sequence``."""
    digits = str(max(sequence, 1))  # a sequence that is negated must not be 0
    for encoding in ("ascii", "utf-16-le"):
        template = template.replace("%d".encode(encoding), digits.encode(encoding))
    return template


def is_over(plugin: PluginSession, why: str) -> None:
    """Later calls and lookups must fail as well, each at once."""
    plugin.failed(plugin.call(name="later"), why=f"a call after {why}")
    plugin.failed(plugin.start("hasNamespace", namespace="later"), why=f"a lookup after {why}")
    plugin.failed(plugin.call(name="latest"), why=f"a further call after {why}")


@case("MAL-01", each=MALFORMED)
def test_pending_call(plugin: PluginSession, each: bytes) -> None:
    """A malformed reply makes the pending call and all later ones fail."""
    plugin.assert_alive()
    ticket = plugin.call()
    data = fill(each, plugin.request(ticket)["sequence"])
    plugin.send(data)
    plugin.failed(ticket, why=f"the malformed reply {data!r}")
    is_over(plugin, f"the malformed reply {data!r}")


@case("MAL-01", each=LOOKUPS)
def test_pending_lookup(plugin: PluginSession, each: tuple[str, bytes]) -> None:
    """A malformed reply to a lookup makes it and everything later fail."""
    op, template = each
    plugin.assert_alive()
    ticket = plugin.start(op, namespace="n")
    data = fill(template, plugin.request(ticket)["sequence"])
    plugin.send(data)
    plugin.failed(ticket, why=f"the malformed reply {data!r}")
    is_over(plugin, f"the malformed reply {data!r}")


@case("MAL-01", types=("raw",))
def test_inside_raw(plugin: PluginSession) -> None:
    """A malformed value never passes as a raw result."""
    plugin.assert_alive()
    ticket = plugin.call(results=("raw",))
    plugin.send(b'{"sequence":%d,"reply":[{"a":[1,02]}]}\n' % plugin.request(ticket)["sequence"])
    plugin.failed(ticket, why="a raw result that is not JSON")
    is_over(plugin, "a reply that is not JSON")


@case("MAL-01", features=("concurrent",))
def test_every_pending_call(plugin: PluginSession) -> None:
    """A malformed message makes every pending call and lookup fail."""
    plugin.assert_alive()
    tickets = [plugin.call(name=f"s{number}", background=True) for number in range(8)]
    tickets += [plugin.start(op, namespace="n", background=True) for op in ("hasNamespace", "listServices")]
    plugin.requests(tickets)
    plugin.send(b"{bad}\n")
    for ticket in tickets:
        plugin.failed(ticket, why="a malformed message while several calls were pending")
    is_over(plugin, "a malformed message")


@case("MAL-01")
def test_nothing_pending(plugin: PluginSession) -> None:
    """A malformed message that comes while no call is pending makes all later calls fail."""
    plugin.assert_alive()
    plugin.send(b"{bad}\n")
    is_over(plugin, "a malformed message between calls")


@case("MAL-01")
def test_first_message(plugin: PluginSession) -> None:
    """A malformed message that comes before anything else makes all calls fail."""
    plugin.send(b"{bad}\n")
    is_over(plugin, "a malformed first message")


@case("MAL-01")
def test_well_formed_afterwards(plugin: PluginSession) -> None:
    """After a malformed message a well-formed reply to the same call is no success any more."""
    plugin.assert_alive()
    ticket = plugin.call()
    sequence = plugin.request(ticket)["sequence"]
    plugin.send(b'{"sequence":%d,"reply":["no"],}\n' % sequence + strict.dumps({"sequence": sequence, "reply": [1]}))
    plugin.failed(ticket, why="a malformed reply before the well-formed one")
    is_over(plugin, "a malformed reply")


@case("MAL-01")
def test_process_lives(plugin: PluginSession) -> None:
    """The plugin's process outlives a malformed reply and ends in its own way."""
    plugin.assert_alive()
    ticket = plugin.call()
    plugin.request(ticket)
    plugin.send(b"{bad}\n")
    plugin.failed(ticket, why="a malformed reply")
    plugin.value(plugin.start("hosted"), True)
    plugin.finish()


@case(
    "MAL-02",
    each={
        name: MALFORMED[name]
        for name in ("bad-token", "top-level-array", "stray-closing-brace", "sequence-string", "error-number", "nan")
    },
)
def test_host_sees_end(plugin: PluginSession, each: bytes) -> None:
    """After a malformed reply to a pending call the host sees end of file, with the plugin still alive."""
    plugin.assert_alive()
    ticket = plugin.call()
    plugin.send(fill(each, plugin.request(ticket)["sequence"]))
    plugin.failed(ticket, why="a malformed reply")
    plugin.eof("the end of file that tells the host of the plugin's closing")
    plugin.value(plugin.start("hosted"), True)


@case("MAL-05")
def test_good_before_bad(plugin: PluginSession) -> None:
    """A complete reply still reaches its caller when a malformed message follows in the same write."""
    plugin.assert_alive()
    ticket = plugin.call()
    plugin.send(strict.dumps({"sequence": plugin.request(ticket)["sequence"], "reply": ["good"]}) + b"\n{bad}\n")
    plugin.ok(ticket, "good")


@case("MAL-05", features=("concurrent",))
def test_several_good_before_bad(plugin: PluginSession) -> None:
    """Of several calls those whose replies came before the malformed message succeed, and the others fail."""
    plugin.assert_alive()
    tickets = [plugin.call(name=f"s{number}", background=True) for number in range(6)]
    requests = plugin.requests(tickets)
    good = [strict.dumps({"sequence": request["sequence"], "reply": [request["name"]]}) for request in requests[:4]]
    late = strict.dumps({"sequence": requests[4]["sequence"], "reply": ["too late"]})
    plugin.send(b"\n".join([*good, b"{bad}", late]) + b"\n")
    for number in range(4):
        plugin.ok(tickets[number], f"s{number}")
    for ticket in tickets[4:]:
        plugin.failed(ticket, why="no reply before the malformed message")


@case("MAL-05")
def test_good_error_before_bad(plugin: PluginSession) -> None:
    """A complete reply with an error before a malformed message is reported with its own text."""
    plugin.assert_alive()
    ticket = plugin.call()
    sequence = plugin.request(ticket)["sequence"]
    plugin.send(strict.dumps({"sequence": sequence, "error": "its own"}) + b"\n{bad}\n")
    text = plugin.failed(ticket, why="a reply with an error")
    if text != "its own":
        raise Failure("the error of a complete reply is lost", expected="its own", seen=text)


UNBALANCED: dict[str, bytes] = {
    "bare-word": b'{"sequence":%d,"reply":[nope',
    "wrong-closing-bracket": b'{"sequence":%d,"reply":[{"a":1]',
    "missing-comma": b'{"sequence":%d,"reply":["no" "no"',
    "key-without-quotes": b'{"sequence":%d,"reply":[{a',
    "leading-zero": b'{"sequence":%d,"reply":[01',
    "control-character": b'{"sequence":%d,"reply":["no\n',
    "unknown-escape": b'{"sequence":%d,"reply":["no\\x',
}


@case("MAL-06", each=UNBALANCED)
def test_unbalanced(plugin: PluginSession, each: bytes) -> None:
    """Bytes that no legal reply begins with make the calls fail, although brackets or quotes are open behind them."""
    plugin.assert_alive()
    ticket = plugin.call()
    data = fill(each, plugin.request(ticket)["sequence"])
    plugin.send(data)
    plugin.failed(ticket, why=f"the beginning {data!r}, which no legal reply has,")
    is_over(plugin, f"the beginning {data!r}")


UNUSED: dict[str, tuple[str, bytes]] = {
    "ok-of-a-call": ("call", b'{"sequence":%d,"reply":["no"],"ok":"true"}\n'),
    "services-of-a-call": ("call", b'{"sequence":%d,"reply":["no"],"services":["a",1]}\n'),
    "ok-beside-an-error": ("call", b'{"sequence":%d,"error":"no","ok":1}\n'),
    "services-of-has-namespace": ("hasNamespace", b'{"sequence":%d,"ok":true,"services":{}}\n'),
    "services-of-get-manifest": ("getManifest", b'{"sequence":%d,"reply":1,"services":"a"}\n'),
    "ok-of-list-services": ("listServices", b'{"sequence":%d,"services":["a"],"ok":0}\n'),
    "error-to-nobody": ("call", b'{"sequence":4503599627370495,"error":5}\n'),
    "ok-to-nobody": ("call", b'{"sequence":4503599627370495,"ok":"true"}\n'),
}


@case("MAL-01", each=UNUSED)
def test_unused_key(plugin: PluginSession, each: tuple[str, bytes]) -> None:
    """A key of the wrong type is malformed also in a reply whose operation does not use it, or that nobody awaits."""
    op, template = each
    plugin.assert_alive()
    ticket = plugin.call() if op == "call" else plugin.start(op, namespace="n")
    data = template.replace(b"%d", b"%d" % plugin.request(ticket)["sequence"])
    plugin.send(data)
    text = plugin.failed(ticket, why=f"the malformed reply {data!r}")
    if text == "no":
        raise Failure("the error of a malformed reply was taken for true", expected="an error of the connection")
    is_over(plugin, f"the malformed reply {data!r}")


@case("MAL-01", features=("concurrent",))
def test_blocked_in_a_write(plugin: PluginSession) -> None:
    """A malformed reply of a host that reads no more ends a call that is being written, and one that is pending."""
    plugin.assert_alive()
    pending = plugin.call(name="pending", background=True)
    plugin.requests([pending])
    plugin.wire.hold(True)
    blocked = plugin.call("x" * 3_000_000, name="blocked", background=True)
    plugin.being_written(blocked)
    plugin.send(b"{bad}\n")
    plugin.failed(pending, why="a malformed reply while another call was being written")
    plugin.failed(blocked, why="a malformed reply while the call was being written")
    is_over(plugin, "a malformed reply")
