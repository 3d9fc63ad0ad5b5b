"""How large and how deep a plugin's messages may be, and what that costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.case import case
from conformance.cases.costs import SIZE, cost_of_reads, is_even
from conformance.drive.control import Ticket, Written
from conformance.drive.plugin import PluginSession
from conformance.drive.problems import Problems
from conformance.oracle import strict
from conformance.oracle.values import difference
from conformance.outcomes import Failure

MEBIBYTE = 1 << 20


def counted(size: int) -> str:
    """A text of ``size`` characters in which every sixteen tell their place."""
    block = "".join(f"{number:015d} " for number in range(MEBIBYTE // 16 - 1))
    whole = (f"{number:015d}:{block}" for number in range(size // MEBIBYTE + 1))
    return "".join(whole)[:size]


def same(meant: str, came: Any, what: str) -> None:
    """Whether a large text is unchanged; says where it differs, and not more."""
    if came == meant:
        return
    if not isinstance(came, str):
        raise Failure(f"{what} is no text", seen=repr(came)[:200])
    at = next((i for i, (a, b) in enumerate(zip(meant, came, strict=False)) if a != b), min(len(meant), len(came)))
    raise Failure(
        f"{what} was changed",
        expected=f"{len(meant)} characters, {meant[at : at + 40]!r} at {at}",
        seen=f"{len(came)} characters, {came[at : at + 40]!r} at {at}",
    )


@case("LIM-01")
def test_large_argument(plugin: PluginSession) -> None:
    """A request of 64 MiB arrives unchanged."""
    plugin.timeout *= 6
    text = counted(int(64 * MEBIBYTE * plugin.scale))
    ticket = plugin.call(text, params=(plugin.text,))
    request = plugin.serve(ticket, "read")
    args = request.get("args")
    same(text, args[0] if isinstance(args, list) and len(args) == 1 else args, "the argument")
    plugin.ok(ticket, "read")
    plugin.assert_alive()


@case("LIM-01")
def test_large_result(plugin: PluginSession) -> None:
    """A reply of 64 MiB is taken unchanged."""
    plugin.timeout *= 6
    text = counted(int(64 * MEBIBYTE * plugin.scale))
    ticket = plugin.call(results=(plugin.text,))
    plugin.reply(plugin.request(ticket), reply=[text])
    result = plugin.outcome(ticket)
    if result.kind != "ok":
        raise Failure("a call with a large result failed", seen=f"{result.kind}: {result.value}"[:300])
    same(text, result.value[0] if len(result.value) == 1 else result.value, "the result")
    plugin.assert_alive()


def time_of_result(plugin: PluginSession, value: bytes) -> float:
    """CPU seconds from the first byte of a reply to the outcome; it comes in small pieces, each a read of its own."""
    ticket = plugin.call()
    message = b'{"sequence":%d,"reply":[%s]}\n' % (plugin.request(ticket)["sequence"], value)
    began = plugin.child.cpu_seconds()
    for start in range(0, len(message), 8192):
        plugin.deliver(message[start : start + 8192])
    if plugin.outcome(ticket).kind != "ok":
        plugin.ok(ticket, "…")  # says what it is instead
    seconds: float = plugin.child.cpu_seconds() - began
    return seconds


LINEAR = 24
"""How many times as much a reply of eight times the size may cost; quadratic would be 64."""


@case(
    "LIM-02",
    each={
        "text": lambda size: b'"' + b"0123456789abcdef" * (size // 16) + b'"',
        "escapes": lambda size: b'"' + b"\\u00e9\\n" * (size // 8) + b'"',
        "numbers": lambda size: b"[0" + b",1234567" * (size // 32) + b"]",
    },
)
def test_linear(plugin: PluginSession, each: Callable[[int], bytes]) -> None:
    """A reply of eight times the size takes about eight times as much CPU time, not sixty-four, where it takes any."""
    plugin.timeout *= 6
    size = int(4 * MEBIBYTE * plugin.scale)
    if time_of_result(plugin, each(size)) < 0.5:
        return  # too little to tell the cost from the noise, and little enough
    small, large = each(size // 2), each(size * 4)
    fewest = [time_of_result(plugin, small), time_of_result(plugin, large)]
    for _ in range(2):  # a busy machine makes things cost more, never less
        if fewest[1] < 1 or fewest[1] < LINEAR * fewest[0]:
            return
        fewest = [min(fewest[0], time_of_result(plugin, small)), min(fewest[1], time_of_result(plugin, large))]
    if fewest[1] > LINEAR * fewest[0]:
        raise Failure(
            "the cost of a reply grows faster than its size",
            expected=f"about 8 and at most {LINEAR} times the {fewest[0]:.3f} s of a reply of an eighth of its size",
            seen=f"{fewest[1]:.3f} s ({fewest[1] / fewest[0]:.0f} times)",
        )


@case("LIM-02")
def test_cost_of_reads(plugin: PluginSession) -> None:
    """A small read costs no more at the end of a large reply than at its beginning."""
    plugin.timeout *= 6
    plugin.assert_alive()

    def measure() -> tuple[float, float]:
        ticket = plugin.call()
        sequence = plugin.request(ticket)["sequence"]
        text = b"0123456789abcdef" * (SIZE // 16)
        costs = cost_of_reads(plugin, b'{"unknown":"%b","sequence":%d,"reply":["read"]}\n' % (text, sequence))
        plugin.ok(ticket, "read")
        return costs

    is_even(measure)


def nested(depth: int) -> dict[str, str]:
    """Values with ``depth`` levels, of each kind."""
    return {
        "arrays": "[" * depth + "]" * depth,
        "objects": '{"a":' * depth + "0" + "}" * depth,
        "arrays and objects": '[{"a":' * (depth // 2)
        + "[]" * (depth % 2)
        + '"x"' * (1 - depth % 2)
        + "}]" * (depth // 2),
        "arrays of several": "[0," * depth + "0" + ',{"b":1}]' * depth,
    }


def pass_nested(plugin: PluginSession, depth: int) -> None:
    """Values of a depth must pass unchanged, as arguments and as results."""
    problems = Problems()
    for of in ("any", "raw"):
        if not plugin.role.takes(of):
            continue
        for kind, text in nested(depth).items():
            meant = strict.loads(text)
            with problems.of(f"an argument of type {of}: {depth} levels of {kind}"):
                ticket = plugin.call(Written(text), params=(of,), results=())
                request = plugin.request(ticket)
                plugin.reply(request, reply=[])
                plugin.ok(ticket)
                problem = difference("any", [meant], request.get("args"), "args")
                if problem:
                    raise Failure("another argument on the wire than was given", seen=problem[-300:])
            with problems.of(f"a result of type {of}: {depth} levels of {kind}"):
                ticket = plugin.call(results=(of,))
                sequence = plugin.request(ticket)["sequence"]
                plugin.send(f'{{"sequence":{sequence},"reply":[{text}]}}\n'.encode())
                plugin.ok(ticket, meant)
    with problems.of(f"a manifest of {depth} levels"):
        ticket = plugin.start("getManifest", namespace="n")
        sequence = plugin.request(ticket)["sequence"]
        text = nested(depth)["arrays and objects"]
        plugin.send(f'{{"sequence":{sequence},"reply":{text}}}\n'.encode())
        plugin.value(ticket, strict.loads(text))
    plugin.assert_alive()
    problems.check()


@case("LIM-03")
def test_depth_128(plugin: PluginSession) -> None:
    """Values with 128 levels pass unchanged."""
    pass_nested(plugin, 128)


@case("LIM-04")
def test_depth_450(plugin: PluginSession) -> None:
    """Values with 450 levels pass unchanged."""
    pass_nested(plugin, 450)


DEEP = 100_000


def deep_outcome(plugin: PluginSession, ticket: Ticket, opening: bytes) -> None:
    """The outcome of a call with a very deep result: an error, or the whole value."""
    result = plugin.outcome(ticket, why=f"a value of {DEEP} levels")
    if result.kind == "ok" and result.line.count(opening) < DEEP:
        raise Failure(
            "a value of 100,000 levels was cut",
            expected="an error, or the whole value",
            seen=f"{result.line.count(opening)} levels",
        )


@case("LIM-05", each={"arrays": (b"[", b"]"), "objects": (b'{"a":', b"0" + b"}")})
def test_very_deep_result(plugin: PluginSession, each: tuple[bytes, bytes]) -> None:
    """A result of 100,000 levels is an error, or passes whole; the plugin neither hangs nor crashes."""
    opening, closing = each
    plugin.assert_alive()
    value = opening * DEEP + closing + closing[-1:] * (DEEP - 1)
    for of in ("any", "raw"):
        if plugin.role.takes(of):
            ticket = plugin.call(results=(of,))
            sequence = plugin.request(ticket)["sequence"]
            plugin.send(b'{"sequence":%d,"reply":[%s]}\n' % (sequence, value))
            deep_outcome(plugin, ticket, opening[:1])
            if not plugin.survives():
                break
    plugin.finish()


@case("LIM-05")
def test_very_deep_unknown_key(plugin: PluginSession) -> None:
    """A reply with 100,000 levels under a key that nobody knows is taken without them, or is an error."""
    plugin.assert_alive()
    ticket = plugin.call()
    sequence = plugin.request(ticket)["sequence"]
    plugin.send(b'{"unknown":%s,"sequence":%d,"reply":["right"]}\n' % (b"[" * DEEP + b"]" * DEEP, sequence))
    if plugin.outcome(ticket).kind == "ok":
        plugin.ok(ticket, "right")
    plugin.survives()
    plugin.finish()


@case("LIM-05")
def test_very_deep_and_never_closed(plugin: PluginSession) -> None:
    """100,000 brackets that are never closed, and end of file behind them, are an error."""
    plugin.assert_alive()
    ticket = plugin.call()
    sequence = plugin.request(ticket)["sequence"]
    plugin.send(b'{"sequence":%d,"reply":%s' % (sequence, b"[" * DEEP))
    plugin.wire.close(read=False)
    plugin.failed(ticket, why="end of file behind 100,000 opening brackets")
    plugin.finish()


@case("LIM-05")
def test_very_deep_argument(plugin: PluginSession) -> None:
    """An argument of 100,000 levels is an error of the call, or passes whole; the plugin neither hangs nor crashes."""
    plugin.assert_alive()
    ticket = plugin.call(Written("[" * DEEP + "]" * DEEP), results=())
    plugin.wait(lambda: bool(plugin.wire.frames) or plugin.arrived(ticket), "a request, or the failure of the call")
    if plugin.wire.frames:
        frame = plugin.raw_request(ticket)
        if frame.count(b"[") < DEEP:
            raise Failure("an argument of 100,000 levels was cut", seen=f"{frame.count(b'[')} levels")
        return
    plugin.failed(ticket, why="an argument of 100,000 levels", or_panic=True)
    plugin.assert_alive()
