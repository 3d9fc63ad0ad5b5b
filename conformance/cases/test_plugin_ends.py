"""What a plugin does when the connection ends, and how its own process ends."""

from __future__ import annotations

from collections.abc import Callable

from conformance.case import case
from conformance.drive.plugin import PluginSession
from conformance.outcomes import Failure

OPS = ("hasNamespace", "getManifest", "listServices")


def hang_up(plugin: PluginSession) -> None:
    """The suite's end as it is when the host has died: nothing is written and nothing read any more."""
    plugin.wire.close()


def is_over(plugin: PluginSession, why: str) -> None:
    """Later calls and lookups must fail, each at once."""
    plugin.failed(plugin.call(name="later"), why=f"a call after {why}")
    for op in OPS:
        plugin.failed(plugin.start(op, namespace="later"), why=f"{op} after {why}")
    plugin.failed(plugin.call("x" * 200_000, name="latest"), why=f"a large call after {why}")


@case("END-01")
def test_pending_call(plugin: PluginSession) -> None:
    """At end of file the pending call fails."""
    plugin.assert_alive()
    ticket = plugin.call()
    plugin.request(ticket)
    plugin.wire.close(read=False)
    plugin.failed(ticket, why="end of file while the call was pending")


@case("END-01", each={op: (op, None) for op in OPS})
def test_pending_lookup(plugin: PluginSession, each: tuple[str, None]) -> None:
    """At end of file the pending lookup fails: it is neither false nor empty nor null."""
    plugin.assert_alive()
    ticket = plugin.start(each[0], namespace="n")
    plugin.request(ticket)
    plugin.wire.close(read=False)
    plugin.failed(ticket, why="end of file while the lookup was pending")


@case("END-01", features=("concurrent",))
def test_every_pending_call(plugin: PluginSession) -> None:
    """At end of file every pending call and lookup fails."""
    plugin.assert_alive()
    tickets = [plugin.call(name=f"s{number}", background=True) for number in range(16)]
    tickets += [plugin.start(op, namespace="n", background=True) for op in OPS]
    plugin.requests(tickets)
    plugin.wire.close(read=False)
    for ticket in tickets:
        plugin.failed(ticket, why="end of file while several calls were pending")


@case("END-01")
def test_host_gone(plugin: PluginSession) -> None:
    """When the host closes both directions at once, as by its death, the pending call fails."""
    plugin.assert_alive()
    ticket = plugin.call()
    plugin.request(ticket)
    hang_up(plugin)
    plugin.failed(ticket, why="the host is gone while the call was pending")


@case("END-01", features=("concurrent",))
def test_answered_then_end(plugin: PluginSession) -> None:
    """A reply right before end of file reaches its call; the call that got none fails."""
    plugin.assert_alive()
    tickets = [plugin.call(name=name, background=True) for name in ("answered", "unanswered")]
    requests = plugin.requests(tickets)
    plugin.reply(requests[0], reply=["answer"], tail=b"")
    plugin.wire.close(read=False)
    plugin.ok(tickets[0], "answer")
    plugin.failed(tickets[1], why="end of file while the call was pending")


@case("END-01", features=("concurrent",), needs=("halves",))
def test_blocked_in_a_write(plugin: PluginSession) -> None:
    """A host closes its writing end and reads no more: a call that is being written fails, and one that is pending."""
    plugin.assert_alive()
    pending = [plugin.call(name="pending", background=True)]
    pending += [plugin.start(op, namespace="n", background=True) for op in OPS]
    plugin.requests(pending)
    plugin.wire.hold(True)
    blocked = plugin.call("x" * 3_000_000, name="blocked", background=True)
    plugin.being_written(blocked)
    behind = plugin.call(name="behind", background=True)
    plugin.wire.close(read=False)
    for ticket in (*pending, blocked, behind):
        plugin.failed(ticket, why="end of file while a call was being written that nobody reads")
    is_over(plugin, "end of file")


@case("END-02")
def test_before_first_call(plugin: PluginSession) -> None:
    """When the host ends the connection before the first call, all calls fail."""
    plugin.wire.close(read=False)
    is_over(plugin, "end of file before the first call")


@case("END-02")
def test_between_calls(plugin: PluginSession) -> None:
    """When the host ends the connection between calls, all later calls fail."""
    plugin.assert_alive()
    plugin.wire.close(read=False)
    is_over(plugin, "end of file between calls")


@case("END-02")
def test_after_failed_call(plugin: PluginSession) -> None:
    """After end of file has made a pending call fail, all later calls fail as well."""
    plugin.assert_alive()
    ticket = plugin.call()
    plugin.request(ticket)
    plugin.wire.close(read=False)
    plugin.failed(ticket, why="end of file while the call was pending")
    is_over(plugin, "end of file")


@case("END-02")
def test_after_host_gone(plugin: PluginSession) -> None:
    """When the host has closed both directions between calls, all later calls fail."""
    plugin.assert_alive()
    hang_up(plugin)
    is_over(plugin, "the host's going")


@case("END-02", features=("concurrent",))
def test_many_at_once_afterwards(plugin: PluginSession) -> None:
    """Concurrent calls after the end all fail, each with an outcome of its own."""
    plugin.assert_alive()
    plugin.wire.close(read=False)
    for ticket in [plugin.call(name=f"s{number}", background=True) for number in range(16)]:
        plugin.failed(ticket, why="a call after end of file")


@case("END-03")
def test_broken_pipe(plugin: PluginSession) -> None:
    """A call to a host that has closed its reading end fails; the process lives on and exits in its own way."""
    plugin.assert_alive()
    plugin.wire.close(write=False)
    plugin.failed(plugin.call("x"), why="a call that the host cannot read any more")
    plugin.failed(plugin.call("x" * 200_000), why="a large call that the host cannot read any more")
    plugin.value(plugin.start("hosted"), True)
    plugin.finish()


@case("END-03")
def test_broken_pipe_while_writing(plugin: PluginSession) -> None:
    """A call that is being written when the host closes its reading end fails; the process lives on."""
    plugin.assert_alive()
    plugin.wire.hold(True)
    ticket = plugin.call("x" * 3_000_000)
    plugin.being_written(ticket)
    if plugin.arrived(ticket):
        raise Failure("a call ended that the host has not read", seen=repr(plugin.outcome(ticket)))
    plugin.wire.close(write=False)
    plugin.failed(ticket, why="a call that the host stopped reading in its middle")
    plugin.value(plugin.start("hosted"), True)
    plugin.finish()


@case("END-03", features=("concurrent",))
def test_broken_pipe_beside_pending(plugin: PluginSession) -> None:
    """A call to a host that no longer reads fails also while another call is waiting for its reply."""
    plugin.assert_alive()
    plugin.requests([plugin.call(name="waiting", background=True)])
    plugin.wire.close(write=False)
    plugin.failed(plugin.call(name="unreadable", background=True), why="a call that the host cannot read any more")
    plugin.value(plugin.start("hosted"), True)


@case(
    "END-04",
    each={
        "opening-brace": b"{",
        "in-key": b'{"seq',
        "in-string": b'{"sequence":%d,"reply":["no',
        "in-character": b'{"sequence":%d,"reply":["no\xe2\x82',
        "after-reply": b'{"sequence":%d,"reply":["no"]',
        "after-error": b'{"sequence":%d,"error":"no"',
    },
)
def test_truncated(plugin: PluginSession, each: bytes) -> None:
    """End of file in the middle of a reply makes the pending call and later ones fail."""
    plugin.assert_alive()
    ticket = plugin.call()
    sequence = plugin.request(ticket)["sequence"]
    plugin.send(each.replace(b"%d", b"%d" % sequence))
    plugin.wire.close(read=False)
    text = plugin.failed(ticket, why="end of file in the middle of the reply")
    if text == "no":
        raise Failure("the error of a reply that never ended was taken for true", expected="an error of the connection")
    is_over(plugin, "end of file in the middle of a reply")


@case("END-04", features=("concurrent",))
def test_truncated_beside_pending(plugin: PluginSession) -> None:
    """End of file in the middle of one reply makes every pending call fail."""
    plugin.assert_alive()
    tickets = [plugin.call(name=f"s{number}", background=True) for number in range(5)]
    requests = plugin.requests(tickets)
    plugin.send(b'{"sequence":%d,"reply":["no"]' % requests[2]["sequence"])
    plugin.wire.close(read=False)
    for ticket in tickets:
        plugin.failed(ticket, why="end of file in the middle of a reply")


@case("END-05")
def test_reason(start_plugin: Callable[..., PluginSession]) -> None:
    """The errors after end of file read differently from those after a malformed message, also in later calls."""
    texts: list[list[str]] = []
    for ends in (False, True):
        plugin = start_plugin()
        plugin.assert_alive()
        ticket = plugin.call()
        plugin.request(ticket)
        if ends:
            plugin.wire.close(read=False)
        else:
            plugin.send(b"{bad}\n")
        why = "end of file" if ends else "a malformed message"
        tickets = [ticket, plugin.call(name="later"), plugin.call(name="latest")]
        texts.append([plugin.failed(ticket, why=why) for ticket in tickets])
    for which, malformed, ended in zip(("the pending call", "the next call", "a later call"), *texts, strict=True):
        if malformed == ended or not malformed or not ended:
            raise Failure(
                f"the error of {which} does not tell why the connection ended",
                expected="one text for end of file and another for a malformed message",
                seen=f"{ended!r} for end of file, {malformed!r} for a malformed message",
            )


@case("END-14")
def test_exit_connected(plugin: PluginSession) -> None:
    """With an open connection the process ends with its own status, and the host sees end of file."""
    plugin.assert_alive()
    plugin.finish()
    plugin.eof()


@case("END-14", each={"success": (0,), "failure": (7,), "high": (255,)})
def test_exit_status(plugin: PluginSession, each: tuple[int]) -> None:
    """A plugin that exits by itself ends with its own status, and the host sees end of file."""
    plugin.assert_alive()
    plugin.start("exit", code=each[0])
    plugin.ended(each[0], "its exit")
    plugin.eof()


@case("END-14", features=("concurrent",))
def test_exit_while_pending(plugin: PluginSession) -> None:
    """A plugin that exits while calls are pending is not held up by them."""
    plugin.assert_alive()
    plugin.requests([plugin.call(name=f"s{number}", background=True) for number in range(3)])
    plugin.start("exit", code=3)
    plugin.ended(3, "its exit with calls pending")
    plugin.eof()


@case("END-14", features=("concurrent",))
def test_exit_while_writing(plugin: PluginSession) -> None:
    """A plugin that exits while a large request waits for the host to read is not held up by it."""
    plugin.assert_alive()
    plugin.wire.hold(True)
    plugin.being_written(plugin.call("x" * 3_000_000, background=True))
    plugin.start("exit", code=3)
    plugin.ended(3, "its exit with a request half written")


@case(
    "END-14",
    each={"before-first-call": (False, b""), "between-calls": (True, b""), "malformed": (True, b"{bad}\n")},
)
def test_exit_after_end(plugin: PluginSession, each: tuple[bool, bytes]) -> None:
    """After the connection has ended, or broken, the process ends with its own status."""
    used, last = each
    if used:
        plugin.assert_alive()
    if last:
        plugin.send(last)
    plugin.wire.close()
    plugin.value(plugin.start("hosted"), True)
    plugin.finish()


@case("END-14")
def test_exit_unused(plugin: PluginSession) -> None:
    """A plugin that never made a call ends with its own status."""
    plugin.value(plugin.start("hosted"), True)
    plugin.finish()
