"""How much a host can take."""

from __future__ import annotations

from collections.abc import Callable

from conformance.case import case
from conformance.cases.costs import SIZE, cost_of_reads, is_even
from conformance.drive.host import HostSession
from conformance.oracle import strict
from conformance.outcomes import Failure

MIB = 1 << 20
TOO_DEEP = 100_000


def _size(host: HostSession) -> int:
    return max(MIB, int(64 * MIB * host.scale))


def _timeout(host: HostSession) -> float:
    """Seconds for what is as large as a message may be; a slow implementation is no wrong one."""
    seconds: float = host.timeout + 120 * max(host.scale, 0.1)
    return seconds


@case("LIM-01")
def test_large_argument_and_result(host: HostSession) -> None:
    """A string of 64 MiB comes back unchanged."""
    unit = b"0123456789abcdef"
    count = _size(host) // len(unit)
    sequence = host.call_raw("echo", b'["' + unit * count + b'"]', wait=False)
    reply = host.reply(sequence, timeout=_timeout(host))
    if reply.get("error") is not None:
        raise Failure("a large call failed", expected=f"{_size(host)} bytes", seen=f"error: {reply['error'][:300]}")
    if reply.get("reply") != [unit.decode() * count]:
        came = reply.get("reply") or [None]
        seen = f"{len(came[0])} characters" if isinstance(came[0], str) else repr(came)[:200]
        raise Failure("a large value came back changed", expected=f"{_size(host)} characters", seen=seen)
    host.assert_alive()


@case("LIM-01")
def test_large_result(host: HostSession) -> None:
    """A result of 64 MiB arrives whole."""
    size = _size(host)
    reply = host.reply(host.call("blob", size), timeout=_timeout(host))
    if reply.get("error") is not None or reply.get("reply") != ["x" * size]:
        raise Failure("a large result", expected=f"{size} times x", seen=repr(reply)[:300])
    host.assert_alive()


def _long_string(size: int) -> bytes:
    return b'["' + b"x" * size + b'"]'


def _escapes(size: int) -> bytes:
    return b'["' + b"\\u00e4\\n" * (size // 8) + b'"]'


def _numbers(size: int) -> bytes:
    return b"[[" + b"12345.5," * (size // 8) + b"1]]"


def _keys(size: int) -> bytes:
    return b"[{" + b",".join(b'"key%d":%d' % (i, i % 10) for i in range(size // 14)) + b"}]"


SHAPES: dict[str, Callable[[int], bytes]] = {
    "a long string": _long_string,
    "escapes": _escapes,
    "numbers": _numbers,
    "keys": _keys,
}


@case("LIM-02", each=SHAPES)
def test_linear_cost(host: HostSession, each: Callable[[int], bytes]) -> None:
    """A message sixteen times as large takes about sixteen times as much CPU time, where it takes any to speak of."""
    host.assert_alive()
    if (large := _cpu_seconds(host, each(2 * MIB))) < 0.5:
        return  # too little to tell the cost from the noise, and little enough
    small = min(_cpu_seconds(host, each(MIB // 8)) for _ in range(3))
    small = max(small, 0.01)  # what the clock can tell
    if large > 64 * small:
        large = min(large, _cpu_seconds(host, each(2 * MIB)))  # the first may have cost more than its size
    if large > 64 * small:
        raise Failure(
            "the cost of a message grows faster than its size",
            expected=f"about {16 * small:.2f} s of CPU time for 2 MiB, as 128 KiB took {small:.3f} s",
            seen=f"{large:.2f} s, {large / small:.0f} times as much",
        )


def _cpu_seconds(host: HostSession, args: bytes) -> float:
    """How much CPU time a call with these arguments takes; a busy machine adds nothing to that."""
    before: float = host.child.cpu_seconds()
    host.call_raw("echo", args, wait=False)
    host.wait(lambda: bool(host.wire.frames), "the reply to a large message", timeout=_timeout(host))
    host.wire.frames.clear()
    after: float = host.child.cpu_seconds()
    return after - before


@case("LIM-02")
def test_cost_of_reads(host: HostSession) -> None:
    """A small read costs no more at the end of a large request than at its beginning."""
    host.timeout = _timeout(host)
    host.assert_alive()

    def measure() -> tuple[float, float]:
        text = b"0123456789abcdef" * (SIZE // 16)
        sequence = host.fresh()
        keys = b'"sequence":%d,"type":"call","namespace":"conformance","name":"none","args":[]' % sequence
        costs = cost_of_reads(host, b'{"unknown":"%b",%b}\n' % (text, keys))
        host.results(sequence)
        return costs

    is_even(measure)


def _nested(depth: int, opening: bytes = b"[", closing: bytes = b"]", inner: bytes = b"1") -> bytes:
    return opening * depth + inner + closing * depth


FORMS = {"arrays": (b"[", b"]"), "objects": (b'{"a":', b"}"), "both": (b'[{"a":', b"}]")}


def _passes_nested(host: HostSession, depth: int) -> None:
    services = ["echo", *(["echo_raw"] if host.role.takes("raw") else [])]
    for service in services:
        for name, (opening, closing) in FORMS.items():
            count = depth // 2 if name == "both" else depth
            value = _nested(count, opening, closing)
            with host.trying(f"{name}, {depth} deep, through {service}"):
                host.results(host.call_raw(service, b"[" + value + b"]"), strict.loads(value))
    host.assert_alive()


@case("LIM-03")
def test_nesting_of_128(host: HostSession) -> None:
    """Arrays and objects nested 128 deep come back unchanged."""
    _passes_nested(host, 128)


@case("LIM-04")
def test_nesting_of_450(host: HostSession) -> None:
    """Arrays and objects nested 450 deep come back unchanged."""
    _passes_nested(host, 450)


def _call(args: bytes, name: bytes = b"echo", more: bytes = b"") -> bytes:
    head = b'{"sequence":900,"type":"call","namespace":"conformance","name":"%b","args":' % name
    return head + args + more + b"}\n"


DEEP = {
    "arrays": _call(b"[" + _nested(TOO_DEEP) + b"]"),
    "objects": _call(b"[" + _nested(TOO_DEEP, b'{"a":', b"}") + b"]"),
    "for a typed service": _call(b"[" + _nested(TOO_DEEP) + b"]", b"add"),
    "instead of the arguments": _call(_nested(TOO_DEEP)),
    "in an unknown key": _call(b"[1]", more=b',"extra":' + _nested(TOO_DEEP)),
    "for a service that is not there": _call(b"[" + _nested(TOO_DEEP) + b"]", b"missing"),
    "in a raw value": _call(b"[" + _nested(TOO_DEEP) + b"]", b"echo_raw"),
}


@case("LIM-05", each=DEEP)
def test_nesting_of_100000(host: HostSession, each: bytes) -> None:
    """Nested 100,000 deep: an error of that call, the end of the connection with an error, or it passes."""
    host.assert_alive()
    host.send(each, wait=False)
    host.wait(lambda: bool(host.wire.frames) or host.wire.eof, "a reply to, or the end after, a value nested very deep")
    if not host.wire.frames:
        host.broken_off("a value nested very deep")
        return
    reply = host.wire.frames.popleft()
    if len(reply) < TOO_DEEP:
        if strict.loads(reply).get("sequence") != 900:
            raise Failure("another reply than that to the deep value", seen=repr(reply)[:300])
    elif max(reply.count(b"["), reply.count(b"{")) < TOO_DEEP:
        raise Failure("a value nested very deep came back changed", seen=f"{len(reply)} bytes, {reply[:100]!r}")
    host.assert_alive()


@case("LIM-05", each={"arrays": (b"[",), "objects": (b'{"a":',)})
def test_nesting_that_never_ends(host: HostSession, each: tuple[bytes]) -> None:
    """The connection ends inside 100,000 open brackets: a failure, no hang and no crash."""
    (opening,) = each
    host.assert_alive()
    host.send(_call(b"")[: -len(b"}\n")] + opening * TOO_DEEP)
    host.disconnect(0)
    host.ended(why="the connection ended inside 100,000 open brackets", success=False)


@case("LIM-06", features=("concurrent",))
def test_a_thousand_running_calls(host: HostSession) -> None:
    """A thousand calls that run at the same time are all answered."""
    sequences = [host.fresh() for _ in range(1000)]
    line = b'{"sequence":%d,"type":"call","namespace":"conformance","name":"sleep","args":[%d]}\n'
    host.send(b"".join(line % (sequence, 20 + sequence % 30) for sequence in sequences))
    for sequence in sequences:
        host.results(sequence, 20 + sequence % 30, timeout=_timeout(host))
    host.no_more()


@case("LIM-06")
def test_a_thousand_calls_in_one_write(host: HostSession) -> None:
    """A thousand quick calls that arrive together are all answered."""
    sequences = [host.fresh() for _ in range(1000)]
    line = b'{"sequence":%d,"type":"call","namespace":"conformance","name":"echo","args":[%d]}'
    host.send(b"".join(line % (sequence, 7 * sequence) for sequence in sequences))
    for sequence in sequences:
        host.results(sequence, 7 * sequence)
    host.no_more()
