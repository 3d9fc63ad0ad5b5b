"""What a host does about a request that is none: it ends the connection, says so, and leaves nobody waiting."""

from __future__ import annotations

from typing import Any

from conformance.case import case
from conformance.drive.host import HostSession
from conformance.oracle import strict
from conformance.outcomes import Failure


def _request(**changes: Any) -> bytes:
    """A call with these keys changed."""
    whole = {"sequence": 77, "type": "call", "namespace": "conformance", "name": "echo", "args": [1], **changes}
    return strict.dumps(whole) + b"\n"


def _written(args: bytes) -> bytes:
    """A call with ``args`` as written."""
    return _request(args=0)[: -len(b"0}\n")] + args + b"}\n"


GOOD = _request()

SYNTAX = {
    "a bare word": b"garbage\n",
    "a stray closing brace": b"}\n",
    "a stray closing bracket": b"]\n",
    "a comma between messages": b"," + GOOD,
    "a NUL byte": b"\0" + GOOD,
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "a form feed as white space": b"\x0c" + GOOD,
    "a no-break space as white space": b"\xc2\xa0" + GOOD,
    "a comment": b"// comment\n" + GOOD,
    "an array at the top": b"[" + GOOD.strip() + b"]\n",
    "a string at the top": b'"call"\n',
    "a number at the top": b"5\n",
    "true at the top": b"true\n",
    "a comma at the end of the object": _written(b"[1],"),
    "a comma at the end of an array": _written(b"[1,]"),
    "a comma missing": _written(b'[1] "extra":1'),
    "a colon missing": b'{"sequence" 77}\n',
    "a value missing": b'{"sequence":77,"type":}\n',
    "a key without quotes": b'{sequence:77,"type":"call"}\n',
    "a key that is a number": b'{"sequence":77,5:1}\n',
    "single quotes": b"{'sequence':77,'type':'call'}\n",
    "brackets that do not match": _written(b"[1}]"),
    "the token NaN": _written(b"[NaN]"),
    "the token Infinity": _written(b"[Infinity]"),
    "the token -Infinity": _written(b"[-Infinity]"),
    "the token None": _written(b"[None]"),
    "a literal in capitals": _written(b"[TRUE]"),
    "a literal cut short": _written(b"[tru]"),
    "a number with a leading zero": _written(b"[012]"),
    "a number with a plus sign": _written(b"[+1]"),
    "a number that begins with a point": _written(b"[.5]"),
    "a number that ends with a point": _written(b"[5.]"),
    "a number without its exponent": _written(b"[1e]"),
    "a hexadecimal number": _written(b"[0x10]"),
    "a byte that begins no value": _written(b"[1,@]"),
    "a byte that begins no value, and no ASCII": _written(b"[\xe9]"),
    "a lone minus sign": _written(b"[-]"),
    "a control character in a string": _written(b'["a\x01b"]'),
    "a line feed in a string": _written(b'["a\nb"]'),
    "an unknown escape": _written(b'["a\\xb"]'),
    "an escape with too few digits": _written(b'["\\u12"]'),
    "an escape with a wrong digit": _written(b'["\\u12g4"]'),
}

FIELDS = {
    "a sequence that is a string": _request(sequence="77"),
    "a sequence that is true": _request(sequence=True),
    "a sequence that is an array": _request(sequence=[77]),
    "a sequence that is an object": _request(sequence={}),
    "a sequence that is negative": _request(sequence=-1),
    "a sequence with a fraction": _request(sequence=77.5),
    "a sequence of 2^64": _request(sequence=2**64),
    "a sequence of a hundred digits": _request(sequence=10**100),
    "a type that is a number": _request(type=5),
    "a type that is true": _request(type=True),
    "a type that is an array": _request(type=["call"]),
    "a type that is an object": _request(type={"call": 1}),
    "a namespace that is a number": _request(namespace=5),
    "a namespace that is false": _request(namespace=False),
    "a namespace that is an array": _request(namespace=["conformance"]),
    "a name that is a number": _request(name=5),
    "a name that is an object": _request(name={}),
}


@case("MAL-03", each=SYNTAX)
def test_not_json(host: HostSession, each: bytes) -> None:
    """What is not JSON, or no object, ends the connection, and the host reports a failure though the plugin exits 0."""
    host.assert_alive()
    host.send(each)
    host.broken_off("a request that is malformed")


@case("MAL-03", each=FIELDS)
def test_wrong_field(host: HostSession, each: bytes) -> None:
    """A field of a wrong type ends the connection, and the host reports a failure though the plugin exits 0."""
    host.assert_alive()
    host.send(each)
    host.broken_off("a request with a field of a wrong type")


@case("MAL-03", features=("concurrent",))
def test_beside_a_long_call(host: HostSession) -> None:
    """A call that runs for long does not keep the host from ending the connection, and from ending itself."""
    host.timeout = max(host.timeout, 10.0)  # how long running calls are waited for is the host's own choice
    host.assert_alive()
    host.call("sleep", int(1000 * max(30.0, 5 * host.timeout)))
    host.send(b"garbage\n")
    host.broken_off("a malformed request beside a call that runs for long")


@case("MAL-03")
def test_at_the_very_beginning(host: HostSession) -> None:
    """The first bytes of a connection are no request."""
    host.send(b"HELO plugin\r\n")
    host.broken_off("a connection that begins with a malformed request")


@case("MAL-03")
def test_with_much_behind_it(host: HostSession) -> None:
    """A malformed request with a megabyte of others behind it: the plugin is not held up in its writing."""
    host.assert_alive()
    host.send(b"garbage\n" + GOOD * 12_000)
    host.broken_off("a malformed request with a megabyte behind it")


@case("MAL-04")
def test_answers_before(host: HostSession) -> None:
    """Requests that came in the same write, in front of a malformed one, are answered; then the connection ends."""
    sequences = [host.fresh() for _ in range(20)]
    requests = [_request(sequence=n, args=[n]) for n in sequences]
    lookup = host.fresh()
    requests.append(_request(sequence=lookup, type="getManifest"))
    host.send(b"".join(requests) + b"}\n")
    for n in sequences:
        host.results(n, n)
    if host.reply(lookup).get("reply") != {"contract": 1}:
        raise Failure("getManifest in front of a malformed request", expected="the manifest", seen="another reply")
    host.broken_off("a malformed request behind others")


@case("MAL-04", features=("concurrent",))
def test_answers_of_running_calls(host: HostSession) -> None:
    """Calls that are running when a malformed request comes are answered before the connection ends."""
    sequences = [host.call("sleep", milliseconds) for milliseconds in (150, 250)]
    host.assert_alive()
    host.send(b"}\n")
    for sequence, milliseconds in zip(sequences, (150, 250), strict=True):
        host.results(sequence, milliseconds)
    host.broken_off("a malformed request beside running calls")


UNBALANCED = {
    "a bare word": _written(b"[nope")[: -len(b"}\n")],
    "a bracket of the wrong kind": _written(b'[{"a":1]')[: -len(b"}\n")],
    "a comma missing": _written(b'["a" "b"')[: -len(b"}\n")],
    "a key without quotes": _written(b"[{a")[: -len(b"}\n")],
    "a number with a leading zero": _written(b"[01")[: -len(b"}\n")],
    "a control character in a string": _written(b'["a\n')[: -len(b"}\n")],
    "an unknown escape": _written(b'["a\\x')[: -len(b"}\n")],
}


@case("MAL-06", each=UNBALANCED)
def test_unbalanced(host: HostSession, each: bytes) -> None:
    """Bytes that no legal request begins with end the connection, although brackets or quotes are open behind them."""
    host.assert_alive()
    host.send(each)
    host.broken_off(f"the end {each[-12:]!r} of what no legal request begins with")


UNUSED = {
    "a name of hasNamespace": _request(type="hasNamespace", name=5),
    "a name of getManifest": _request(type="getManifest", name={}),
    "a name of listServices": _request(type="listServices", name=True),
    "a name in an undefined namespace": _request(namespace="missing", name=5),
    "a name of an unknown type": _request(type="bogus", name=["echo"]),
    "a namespace of an unknown type": _request(type="bogus", namespace=5),
}


@case("MAL-03", each=UNUSED)
def test_unused_field(host: HostSession, each: bytes) -> None:
    """A field of a wrong type ends the connection also where the operation does not use it."""
    host.assert_alive()
    host.send(each)
    host.broken_off("a request with a field of a wrong type that it does not use")


@case("MAL-03")
def test_replies_unread(host: HostSession) -> None:
    """Nobody reads the megabytes of replies when a malformed request comes: the host reports it, and does not hang."""
    host.assert_alive()
    host.wire.hold(True)
    for _ in range(16):
        host.call("blob", 1 << 20)
    host.being_written()
    host.send(b"garbage\n", wait=False)
    host.stays(lambda: True, 0.1)
    host.disconnect(0)
    host.ended(why="a malformed request behind calls whose replies nobody reads", success=False)
