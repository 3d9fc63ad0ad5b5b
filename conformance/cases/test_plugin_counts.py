"""More of a thing than a small counter holds: calls, results, names, keys and elements at a plugin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance.case import case
from conformance.cases.boundaries import BYTE, COUNTS, LARGE_COUNTS, TWO_BYTES
from conformance.drive.control import Ticket
from conformance.drive.plugin import PluginSession
from conformance.drive.problems import Problems
from conformance.oracle import strict
from conformance.outcomes import Failure

Start = Callable[..., PluginSession]
PENDING = 4 * BYTE
"""Pending calls: none for a counter of one byte, and more than a hundred, or a thousand."""
FEW_THREADS = 64
"""An implementation that has no more threads with so many calls pending can as well have many more."""
TIMEOUT = 2.0
"""Seconds for it to have them."""


def _pend(plugin: PluginSession, count: int) -> list[Ticket]:
    """Start so many calls at once."""
    return [plugin.call(name=f"s{number}", background=True) for number in range(count)]


@case("END-01", features=("concurrent",))
def test_pending_at_the_end(start_plugin: Start) -> None:
    """At end of file every one of 1,024 pending calls fails; of 65,536 too, where the plugin has them soon."""
    plugin = start_plugin()
    tickets = _pend(plugin, PENDING)
    plugin.wait(lambda: len(plugin.wire.frames) >= PENDING, f"{PENDING} requests")
    assert plugin.child is not None
    threads = len(list(Path(f"/proc/{plugin.child.pid}/task").iterdir()))
    plugin.wire.close(read=False)
    for ticket in tickets:
        plugin.failed(ticket, why=f"end of file while {PENDING} calls were pending")
    plugin.failed(plugin.call(), why="a call after end of file")
    plugin.close()
    if threads > FEW_THREADS or plugin.scale < 1:
        return
    plugin = start_plugin()
    plugin.timeout *= 3
    tickets = _pend(plugin, TWO_BYTES)
    if not plugin.look_for(lambda: len(plugin.wire.frames) >= TWO_BYTES, TIMEOUT):
        return  # nothing says how many calls a plugin must be able to have at once
    plugin.wire.close(read=False)
    for ticket in tickets:
        plugin.failed(ticket, why=f"end of file while {TWO_BYTES} calls were pending")


@case("MAL-01", features=("concurrent",))
def test_pending_at_a_malformed_reply(plugin: PluginSession) -> None:
    """At a malformed reply every one of 1,024 pending calls fails."""
    tickets = _pend(plugin, PENDING)
    plugin.wait(lambda: len(plugin.wire.frames) >= PENDING, f"{PENDING} requests")
    plugin.send(b"{bad}\n")
    for ticket in tickets:
        plugin.failed(ticket, why=f"a malformed reply while {PENDING} calls were pending")
    plugin.failed(plugin.call(), why="a call after a malformed reply")


@case("CON-03", features=("concurrent",))
def test_pending_and_answered(plugin: PluginSession) -> None:
    """A thousand pending calls are answered in reverse, each with its own result."""
    tickets = _pend(plugin, PENDING)
    requests = [plugin.request() for _ in tickets]
    replies = [strict.dumps({"sequence": r["sequence"], "reply": [r["name"]]}) for r in reversed(requests)]
    plugin.send(b"\n".join(replies), wait=False)
    for number, ticket in enumerate(tickets):
        plugin.ok(ticket, f"s{number}")


@case("REQ-01", "TYP-11", types=("any",))
def test_arguments_and_results(plugin: PluginSession) -> None:
    """A call with as many arguments as a byte can count, or more, and as many results, has them all in order."""
    problems = Problems()
    for count in COUNTS:
        with problems.of(f"{count} arguments and results"):
            args = list(range(count))
            ticket = plugin.call(*args, results=["any"] * count)
            request = plugin.serve(ticket, *reversed(args))
            plugin.ok(ticket, *reversed(args))
            if request.get("args") != args:
                raise Failure("other arguments on the wire than were given", seen=repr(request.get("args"))[:200])
    problems.check()


@case("ARI-02")
def test_results_too_many_for_a_counter(plugin: PluginSession) -> None:
    """256 results more than the consumer expects, or 65,536, are too many, although a small counter does not see it."""
    problems = Problems()
    for expected in (0, 1, 2):
        for more in (BYTE, TWO_BYTES):
            with problems.of(f"{expected + more} results in place of {expected}"):
                ticket = plugin.call(results=["any"] * expected)
                plugin.serve(ticket, *range(expected + more))
                plugin.failed(ticket, why=f"{expected + more} results in place of {expected}")
    problems.check()
    plugin.assert_alive()


@case("ARI-01")
def test_results_too_few_for_a_counter(plugin: PluginSession) -> None:
    """256 results fewer than the consumer expects are too few, although a small counter does not see it."""
    for came in (0, 1, 2):
        ticket = plugin.call(results=["any"] * (came + BYTE))
        plugin.serve(ticket, *range(came))
        plugin.failed(ticket, why=f"{came} results in place of {came + BYTE}")
    plugin.assert_alive()


@case("REP-11")
def test_services(plugin: PluginSession) -> None:
    """A lookup of as many services as a small counter can count, or more, has them all in order."""
    problems = Problems()
    for count in LARGE_COUNTS:
        with problems.of(f"{count} services"):
            names = [f"s{number}" for number in range(count)]
            ticket = plugin.start("listServices", namespace="n")
            plugin.reply(plugin.request(ticket), services=names)
            plugin.value(ticket, names)
    problems.check()


@case("TYP-11", types=("any",))
def test_elements_and_keys(plugin: PluginSession) -> None:
    """Lists and objects of as many elements as a small counter can count, or more, arrive as sent."""
    problems = Problems()
    values: list[Any] = [[0] * count for count in LARGE_COUNTS]
    values += [{str(number): number for number in range(count)} for count in (*COUNTS, 4 * BYTE)]
    for value in values:
        with problems.of(f"{len(value)} elements of a {type(value).__name__}"):
            ticket = plugin.call()
            plugin.serve(ticket, value)
            plugin.ok(ticket, value)
    problems.check()


@case("TYP-01", "TYP-15", types=("any",))
def test_characters(plugin: PluginSession) -> None:
    """Texts and keys of as many characters as a small counter can count, or more, arrive as sent."""
    problems = Problems()
    for count in LARGE_COUNTS:
        for character in "xé":
            with problems.of(f"{count} times {character}"):
                ticket = plugin.call()
                plugin.serve(ticket, {character * count: character * count})
                plugin.ok(ticket, {character * count: character * count})
    problems.check()


@case("FRM-08")
def test_unknown_keys(plugin: PluginSession) -> None:
    """As many unknown keys as a small counter can count, or more, are ignored, before and behind the known ones."""
    problems = Problems()
    for count in (*COUNTS, 5_000):
        more = b"".join(b'"k%d":%d,' % (number, number) for number in range(count))
        for template in (b'{%b"sequence":%d,"reply":["right"]}', b'{"sequence":%d,%b"reply":["right"]}'):
            with problems.of(f"{count} unknown keys"):
                ticket = plugin.call()
                sequence = plugin.request(ticket)["sequence"]
                plugin.send(template % ((more, sequence) if template[1:2] == b"%" else (sequence, more)))
                plugin.ok(ticket, "right")
    problems.check()
