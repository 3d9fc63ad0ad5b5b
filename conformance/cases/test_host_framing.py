"""How a host cuts what it reads into requests, and what it writes."""

from __future__ import annotations

from conformance.case import case
from conformance.cases.boundaries import LONG_INTEGERS
from conformance.drive.host import HostSession
from conformance.oracle import strict
from conformance.outcomes import Failure

ODD_TEXTS = {
    "brackets": "}{][{[",
    "quotes": 'say "\\"" and \\\\ and \\',
    "a message": '{"sequence":1,"type":"call"}\n',
    "control characters": "".join(map(chr, range(32))) + "\x7f",
    "separators of lines": "\u0085\u2028\u2029",
    "markup": "<a href='&'>",
    "non-ASCII": "äß€ 漢字 \U0001f600 \U0010ffff",
    "the byte order mark": "\ufeffbom",
    "noncharacters": "\ufffe\uffff",
    "nothing": "",
}

# Everything that a cut can fall into: a character of two, three and four bytes, an escape, a surrogate pair, a number
# with fraction and exponent, each literal, nesting, white space.
RICH_ARGS = '["ä€\U0001f600","a\\n\\u00e4\\ud83d\\ude00\\"",-12.5e-1,true,false,null,{"k":[1 , {}]}]'
RICH_VALUE = ["ä€\U0001f600", 'a\nä\U0001f600"', -1.25, True, False, None, {"k": [1, {}]}]

TOKENS = b'{ "sequence" : %d , "type" : "call" , "namespace" : "conformance" , "name" : "swap" , "args" : [ 1 , { } ] }'


def _echo(sequence: int, args: bytes = b'["e"]') -> bytes:
    """A call of ``echo`` without a line feed."""
    return b'{"sequence":%d,"type":"call","namespace":"conformance","name":"echo","args":%b}' % (sequence, args)


@case("FRM-01")
def test_without_separator(host: HostSession) -> None:
    """Ten requests that follow each other without a byte between them are all answered."""
    sequences = [host.fresh() for _ in range(10)]
    host.send(b"".join(_echo(n, b"[%d]" % n) for n in sequences))
    for n in sequences:
        host.results(n, n)


@case("FRM-02")
def test_white_space(host: HostSession) -> None:
    """Each kind of JSON white space before, inside and after a request, and a great deal of it."""
    for name, space in {
        "a space": b" ",
        "a tab": b"\t",
        "a carriage return": b"\r",
        "a line feed": b"\n",
        "all kinds": b" \t\r\n",
        "100 kB": b" \n" * 50_000,
    }.items():
        sequence = host.fresh()
        tokens = [b"", *(TOKENS % sequence).split(b" "), b""]
        with host.trying(f"white space: {name}"):
            host.send(space.join(tokens))
            host.results(sequence, {}, 1)


@case("FRM-03")
def test_split_anywhere(host: HostSession) -> None:
    """A request in two reads, cut at every byte in turn."""
    whole = len(_echo(1_000, b"[" + RICH_ARGS.encode() + b"]"))
    for cut in range(1, whole):
        sequence = host.fresh() + 1_000
        data = _echo(sequence, b"[" + RICH_ARGS.encode() + b"]")
        with host.trying(f"cut after byte {cut}: {data[:cut][-12:]!r} | {data[cut:][:12]!r}"):
            host.deliver(data[:cut])
            host.send(data[cut:])
            host.results(sequence, RICH_VALUE)


@case("FRM-03")
def test_byte_by_byte(host: HostSession) -> None:
    """Two requests without a separator, one byte a read."""
    first, second = host.fresh(), host.fresh()
    for byte in _echo(first, RICH_ARGS.encode().join([b"[", b"]"])) + _echo(second):
        host.deliver(bytes([byte]))
    host.results(first, RICH_VALUE)
    host.results(second, "e")


@case("FRM-03", "FRM-04")
def test_end_and_beginning_in_one_read(host: HostSession) -> None:
    """A read brings the end of one request, a whole one, and the beginning of the next."""
    sequences = [host.fresh() for _ in range(12)]
    stream = b"\n".join(_echo(n, b"[%d]" % n) for n in sequences)
    size = len(stream) // 7
    for at in range(0, len(stream), size):
        host.deliver(stream[at : at + size])
    for n in sequences:
        host.results(n, n)


@case("FRM-04")
def test_many_in_one_write(host: HostSession) -> None:
    """Two hundred requests of all types in one write are each answered once."""
    sequences = [host.fresh() for _ in range(200)]
    requests: list[bytes] = []
    for n in sequences:
        lookup = b'{"sequence":%d,"type":"hasNamespace","namespace":"conformance/empty"}' % n
        requests.append(_echo(n, b"[%d]" % n) if n % 2 else lookup)
    host.send(b"\n".join(requests) + b"\n")
    for n in sequences:
        if n % 2:
            host.results(n, n)
        elif host.reply(n).get("ok") is not True:
            raise Failure("hasNamespace among many requests in one write", expected="ok true", seen="not so")
    host.no_more()


@case("FRM-05")
def test_nothing_follows(host: HostSession) -> None:
    """A request is answered though neither a line feed nor a further byte comes after its last brace."""
    for type_ in ("call", "hasNamespace"):
        sequence = host.fresh()
        request = {"sequence": sequence, "type": type_, "namespace": "conformance", "name": "echo", "args": [5]}
        with host.trying(f"a {type_} without a line feed"):
            host.send(strict.dumps(request))
            host.reply(sequence)


@case("FRM-06")
def test_syntax_in_strings(host: HostSession) -> None:
    """Text that looks like syntax, in an argument and as a key, comes back and leaves the framing alone."""
    for name, text in ODD_TEXTS.items():
        with host.trying(name):
            first, second = host.call("echo", text), host.call("echo", {text: [text]})
            host.results(first, text)
            host.results(second, {text: [text]})
    host.assert_alive()


@case("FRM-06", "ERR-08")
def test_syntax_in_names(host: HostSession) -> None:
    """Text that looks like syntax, as namespace and as name, makes an unknown service and nothing else."""
    for name, text in ODD_TEXTS.items():
        if text:
            with host.trying(name):
                host.error(host.call("add", 1, 2, namespace=text), why="the namespace is not defined")
                host.error(host.call(text, 1, 2), why="the service is not defined")
    host.assert_alive()


@case("FRM-07")
def test_strict_json(host: HostSession) -> None:
    """Every reply is one strict JSON object in UTF-8, whatever text it carries and in whatever field."""
    for name, text in ODD_TEXTS.items():
        with host.trying(name):
            for sequence in (
                host.call("echo", [text, {text: text}]),
                host.call("fail", text),
                host.call("fail_after", text, text),
                host.call("panic", text),
                host.call(text),
                host.request("getManifest", text),
                host.request(text),
            ):
                host.reply(sequence)
    for sequence in (host.call("blob", 100_000), host.call("unserializable"), host.request("listServices")):
        host.reply(sequence)


@case("FRM-07")
def test_number_beyond_all_floats(host: HostSession) -> None:
    """``1e400`` is JSON; the answer to it is strict JSON too, and never the token Infinity."""
    for service in ("echo", *(["echo_float64", "echo_float32"] if host.role.typed else [])):
        with host.trying(service):
            host.reply(host.call_raw(service, b"[1e400]"))
    host.assert_alive()


@case("FRM-08")
def test_unknown_keys(host: HostSession) -> None:
    """Keys that a request does not have are ignored, whatever their values, also those of replies."""
    unknown = (
        b'"extra":{"sequence":99},"deep":[[[{"a":[]}]]],"":null,"error":5,"ok":"x","reply":{},"services":1,"id":"7"'
    )
    sequence = host.fresh()
    whole = _echo(sequence)
    host.send(b"{" + unknown + b"," + whole[1:])
    host.results(sequence, "e")
    sequence = host.fresh()
    whole = _echo(sequence)
    host.send(whole[:-1] + b"," + unknown + b"}")
    host.results(sequence, "e")


@case("FRM-08")
def test_order_of_keys(host: HostSession) -> None:
    """The keys of a request in other orders, the arguments first."""
    for keys in (
        ("args", "name", "namespace", "type", "sequence"),
        ("args", "sequence", "type", "name", "namespace"),
        ("type", "namespace", "name", "args", "sequence"),
    ):
        sequence = host.fresh()
        message = {"sequence": sequence, "type": "call", "namespace": "conformance", "name": "swap", "args": ["a", 2]}
        with host.trying(f"keys in the order {', '.join(keys)}"):
            host.send(strict.dumps({key: message[key] for key in keys}))
            host.results(sequence, 2, "a")


@case("FRM-08")
def test_escaped_keys(host: HostSession) -> None:
    """Keys written with escapes mean the same."""
    sequence = host.fresh()
    host.send(
        b'{"\\u0073equence":%d,"typ\\u0065":"call","n\\u0061mespace":"conformance","\\u006e\\u0061\\u006D\\u0065":"echo",'
        b'"arg\\u0073":["e"]}' % sequence
    )
    host.results(sequence, "e")


@case("FRM-09")
def test_duplicate_keys(host: HostSession) -> None:
    """Of duplicate keys the last counts."""
    unused, sequence = host.fresh(), host.fresh()
    host.send(
        b'{"sequence":%d,"type":"bogus","name":"add","args":[1],"namespace":"conformance/missing",'
        b'"type":"call","namespace":"conformance","name":"echo","args":["last"],"sequence":%d}' % (unused, sequence)
    )
    host.results(sequence, "last")
    host.no_more()


@case("FRM-11")
def test_utf8_and_escapes(host: HostSession) -> None:
    """Text in UTF-8 and the same text in escapes, lower and upper case, surrogate pairs included."""
    for name, written in {
        "UTF-8": '"ä€漢\U0001f600"'.encode(),
        "escapes": b'"\\u00e4\\u20ac\\u6f22\\ud83d\\ude00"',
        "escapes in upper case": b'"\\u00E4\\u20AC\\u6F22\\uD83D\\uDE00"',
        "mixed": '"\\u00e4€\\u6f22\U0001f600"'.encode(),
    }.items():
        with host.trying(name):
            host.results(host.call_raw("echo", b"[" + written + b"]"), "ä€漢\U0001f600")
    short = b'"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u007f"'
    with host.trying("the short escapes"):
        host.results(host.call_raw("echo", b"[" + short + b"]"), '"\\/\b\f\n\r\t\0\x7f')


@case("FRM-11")
def test_escapes_in_names(host: HostSession) -> None:
    """Type, namespace and name written with escapes mean the same."""
    sequence = host.fresh()
    host.send(
        b'{"sequence":%d,"type":"\\u0063all","namespace":"conform\\u0061nce","name":"\\u0065ch\\u006F","args":[1]}'
        % sequence
    )
    host.results(sequence, 1)


@case("FRM-12")
def test_line_feeds(host: HostSession) -> None:
    """Every reply ends with one line feed, and no other white space stands between replies."""
    for sequence in (host.call("echo", "a\nb"), host.request("hasNamespace"), host.call("missing"), host.call("none")):
        host.reply(sequence)
    meant = b"\n" * 4
    if host.stays(lambda: b"".join(host.wire.between) != meant, 0.3):
        raise Failure(
            "the white space after four replies",
            expected=repr(meant),
            seen=repr(b"".join(host.wire.between)),
        )


@case("FRM-08")
def test_long_integers_in_unknown_keys(host: HostSession) -> None:
    """Integers of thousands of digits under an unknown key, in an object or a list as well, change nothing."""
    host.connect()
    for digits in LONG_INTEGERS:
        for value in (digits, f'{{"a":[{digits}]}}'):
            sequence = host.fresh()
            with host.trying(f"an unknown integer of {len(digits)} characters"):
                host.send(b'{"unknown":%b,%b\n' % (value.encode(), _echo(sequence)[1:]))
                host.results(sequence, "e")
