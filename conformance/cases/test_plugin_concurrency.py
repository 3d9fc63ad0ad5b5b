"""Several calls of a plugin at once."""

from __future__ import annotations

from collections import deque
from typing import Any

from conformance.case import case
from conformance.drive.control import Ticket
from conformance.drive.plugin import PluginSession
from conformance.drive.problems import Problems
from conformance.outcomes import Failure


def large(name: str, size: int) -> str:
    """A text of ``size`` characters that holds its name at every place, so that a mixture shows."""
    unit = f"({name} é)"
    return (unit * (size // len(unit) + 1))[:size]


@case("CON-03", features=("concurrent",))
def test_own_results(plugin: PluginSession) -> None:
    """Of forty concurrent calls each gets its own result or its own error, in whatever order they are answered."""
    tickets = [plugin.call(number, name=f"s{number}", background=True) for number in range(40)]
    requests = plugin.requests(tickets)
    problems = Problems()
    for number in (step * 27 % 40 for step in range(40)):
        if requests[number].get("args") != [number]:
            with problems.of(f"the arguments of s{number}"):
                raise Failure("arguments of another call", expected=f"[{number}]", seen=repr(requests[number]))
        keys: dict[str, Any] = {"error": f"error {number}"} if number % 3 == 0 else {"reply": [f"result {number}"]}
        plugin.reply(requests[number], **keys)
    for number, ticket in enumerate(tickets):
        with problems.of(f"call {number}"):
            if number % 3:
                plugin.ok(ticket, f"result {number}")
                continue
            text = plugin.failed(ticket, why="a reply with an error")
            if text != f"error {number}":
                raise Failure("the error of another call", expected=f"error {number}", seen=text)
    problems.check()


@case("CON-03", features=("concurrent",))
def test_steady_stream(plugin: PluginSession) -> None:
    """While calls come and go, eight outstanding at any time, each gets its own result."""
    outstanding: deque[Any] = deque()
    requests: dict[str, dict[str, Any]] = {}
    for number in range(208):
        if number < 200:
            outstanding.append((f"s{number}", plugin.call(name=f"s{number}", background=True)))
        if len(outstanding) < 8 and number < 200:
            continue
        outstanding.rotate(-(number % 3) if len(outstanding) > 3 else 0)  # not always the oldest
        name, ticket = outstanding.popleft()
        while name not in requests:
            request = plugin.request()
            requests[request["name"]] = request
        plugin.reply(requests[name], reply=[name])
        plugin.ok(ticket, name)
        if not outstanding:
            break
    plugin.assert_alive()


@case("CON-03", features=("concurrent",))
def test_mixed_operations(plugin: PluginSession) -> None:
    """Concurrent calls and lookups of the same namespace each get their own answer."""
    problems = Problems()
    asked: list[tuple[Ticket, dict[str, Any]]] = []
    for number in range(8):
        namespace = f"n{number}"
        asked += [
            (plugin.start("hasNamespace", namespace=namespace, background=True), {"ok": number % 2 == 0}),
            (plugin.start("getManifest", namespace=namespace, background=True), {"reply": {"manifest": number}}),
            (plugin.start("listServices", namespace=namespace, background=True), {"services": [f"of {namespace}"]}),
            (plugin.call(namespace=namespace, background=True), {"reply": [f"result of {namespace}"]}),
        ]
    requests = plugin.requests([ticket for ticket, _ in asked])
    for (_, answer), request in reversed(list(zip(asked, requests, strict=True))):
        plugin.reply(request, **answer)
    for ticket, answer in asked:
        with problems.of(ticket.what):
            plugin.value(ticket, next(iter(answer.values())))
    problems.check()


@case("CON-04", features=("concurrent",))
def test_large_requests(plugin: PluginSession) -> None:
    """Large requests made at the same time, to a host that is slow to read, do not interleave."""
    size = int(300_000 * plugin.scale)
    plugin.assert_alive()
    plugin.wire.hold(True)
    texts = {f"s{number}": large(f"s{number}", size + number) for number in range(12)}
    tickets = [plugin.call(text, name=name, background=True) for name, text in texts.items()]
    small = [plugin.call(number, name=f"small{number}", background=True) for number in range(12)]
    plugin.being_written(tickets[0])
    plugin.stays(lambda: True, 0.1)  # the others wait behind it
    plugin.wire.hold(False)
    requests = plugin.requests([*tickets, *small])
    problems = Problems()
    for ticket, request in zip([*tickets, *small], requests, strict=True):
        with problems.of(ticket.what):
            name = request["name"]
            meant: str | int = texts[name] if name in texts else int(name.removeprefix("small"))
            if request.get("args") != [meant]:
                raise Failure("another argument on the wire than was given", seen=repr(request.get("args"))[:200])
            plugin.reply(request, reply=[name])
            plugin.ok(ticket, name)
    problems.check()


@case("CON-05")
def test_slow_reader(plugin: PluginSession) -> None:
    """A request larger than the pipe, to a host that is slow to begin reading, arrives whole, and so does its reply."""
    text = large("slow", int(4_000_000 * plugin.scale))
    plugin.assert_alive()
    plugin.wire.hold(True)
    ticket = plugin.call(text)
    plugin.being_written(ticket)
    plugin.wire.hold(False)
    request = plugin.serve(ticket, text)
    if request.get("args") != [text]:
        raise Failure("another argument on the wire than was given", seen=repr(request.get("args"))[:200])
    plugin.ok(ticket, text)


@case("CON-05")
def test_reply_to_nobody_meanwhile(plugin: PluginSession) -> None:
    """While a large request is on its way, a large reply that nobody waits for comes in the other direction."""
    text = large("both ways", int(4_000_000 * plugin.scale))
    plugin.assert_alive()
    plugin.wire.hold(True)
    ticket = plugin.call(text)
    plugin.send(b'{"sequence":18446744073709551615,"reply":["%s"]}\n' % (b"x" * len(text)), wait=False)
    plugin.being_written(ticket)
    plugin.wire.hold(False)
    request = plugin.serve(ticket, "read")
    if request.get("args") != [text]:
        raise Failure("another argument on the wire than was given", seen=repr(request.get("args"))[:200])
    plugin.ok(ticket, "read")
    plugin.assert_alive()


@case("CON-05", features=("concurrent",))
def test_both_ways(plugin: PluginSession) -> None:
    """While a large request is on its way, the large reply to another call comes in the other direction."""
    text = large("both ways", int(4_000_000 * plugin.scale))
    plugin.assert_alive()
    for _ in range(2):
        waiting = plugin.call(name="waiting", background=True)
        request = plugin.request(waiting)
        plugin.wire.hold(True)
        ticket = plugin.call(text, name="large", background=True)
        plugin.being_written(ticket)
        plugin.wire.put(b'{"sequence":%d,"reply":["%s"]}\n' % (request["sequence"], text.encode()))
        plugin.stays(lambda: not plugin.wire.written, 0.2)  # it reads nothing as long as it can write, but not for ever
        plugin.wire.hold(False)
        plugin.ok(waiting, text)
        request = plugin.request()
        if request.get("args") != [text]:
            raise Failure("another argument on the wire than was given", seen=repr(request.get("args"))[:200])
        plugin.reply(request, reply=["read"])
        plugin.ok(ticket, "read")


@case("CON-05", features=("concurrent",))
def test_many_both_ways(plugin: PluginSession) -> None:
    """Eight calls at once, each with a megabyte to send and a megabyte to take, all come to their end."""
    size = int(1_000_000 * plugin.scale)
    tickets = [plugin.call(large(f"s{n}", size), name=f"s{n}", background=True) for n in range(8)]
    for _ in tickets:
        request = plugin.request()
        plugin.send(b'{"sequence":%d,"reply":["%s"]}' % (request["sequence"], request["args"][0].encode()), wait=False)
    for number, ticket in enumerate(tickets):
        plugin.ok(ticket, large(f"s{number}", size))
