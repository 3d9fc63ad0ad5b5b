"""How a host takes the end of its plugin: it tells success from failure, and never waits for what cannot come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.case import case
from conformance.drive.host import HostSession
from conformance.outcomes import Failure

STATUSES = {str(status): (status,) for status in (1, 7, 113, 130, 255)}
SIGNALS = {name: (name,) for name in ("SIGKILL", "SIGSEGV", "SIGTERM", "SIGINT", "SIGHUP", "SIGPIPE", "SIGABRT")}


def _nothing(host: HostSession) -> None:
    host.connect()


def _calls(host: HostSession) -> None:
    for i in range(10):
        host.results(host.call("echo", i), i)


def _failing_calls(host: HostSession) -> None:
    host.error(host.call("fail", "no"), why="the service failed")
    host.error(host.call("panic", "oh"), why="the service panicked")
    host.error(host.call("missing"), why="the service is not defined")
    host.error(host.call("unserializable"), why="JSON cannot carry the result")
    host.error(host.request("bogus"), why="there is no such type of request")


def _unread_replies(host: HostSession) -> None:
    host.assert_alive()
    for i in range(100):
        host.call("echo", i)


def _space_at_the_end(host: HostSession) -> None:
    host.assert_alive()
    host.send(b" \r\n\t \n")


def _only_space(host: HostSession) -> None:
    host.connect()
    host.send(b"\n")


TRANSPORTS: dict[str, Callable[[Any], None]] = {
    "without a request": _nothing,
    "after calls": _calls,
    "after calls that failed": _failing_calls,
    "with replies unread": _unread_replies,
    "after white space": _space_at_the_end,
    "with nothing but white space": _only_space,
}

MANY = b'{"sequence":%d,"type":"call","namespace":"conformance","name":"none","args":[]}\n'


def _long(host: HostSession) -> int:
    """Milliseconds that no host is waited for."""
    return int(1000 * max(30.0, 5 * host.timeout))


@case("END-06", each=TRANSPORTS)
def test_success(host: HostSession, each: Callable[[Any], None]) -> None:
    """A plugin that closes the connection between two messages and exits 0 is a success."""
    each(host)
    host.disconnect(0)
    host.ended(why="the plugin closed the connection and exited 0", success=True)


@case("END-06", needs=("halves",))
def test_success_after_closing_by_halves(host: HostSession) -> None:
    """A plugin that first closes its writing end, reads what is left, and exits 0 is a success."""
    sequences = [host.call("echo", i) for i in range(5)]
    host.wire.close(read=False)
    for i, sequence in enumerate(sequences):
        host.results(sequence, i)
    host.disconnect(0)
    host.ended(why="the plugin closed its writing end, read its replies and exited 0", success=True)


@case("END-06", "END-07", each={"0": (0,), "113": (113,)})
def test_working_on_without_connection(host: HostSession, each: tuple[int]) -> None:
    """A plugin that closes the connection and works on is waited for; its status decides."""
    (status,) = each
    host.assert_alive()
    host.wire.close()
    if not host.stays(lambda: not host.child.ended, 0.3):
        raise Failure("the host ended before its plugin", expected="a host that waits for the plugin", seen="its end")
    host.disconnect(status)
    why = f"the plugin closed the connection, worked on, and exited {status}"
    host.ended(why=why, success=status == 0, says=None if status == 0 else rf"\b{status}\b")


@case("END-07", each=STATUSES)
def test_exit_status(host: HostSession, each: tuple[int]) -> None:
    """A plugin that exits with another status than 0 is a failure that names the status."""
    (status,) = each
    host.assert_alive()
    host.disconnect(status)
    host.ended(why=f"the plugin exited {status}", success=False, says=rf"\b{status}\b")


@case("END-08", each=SIGNALS)
def test_signal(host: HostSession, each: tuple[str]) -> None:
    """A plugin that dies by a signal is a failure."""
    (signal,) = each
    host.assert_alive()
    host.die(signal)
    host.ended(why=f"the plugin died by {signal}", success=False)


@case("END-08")
def test_signal_in_a_message(host: HostSession) -> None:
    """A plugin that is killed while it writes a message is a failure."""
    host.assert_alive()
    host.send(b'{"sequence":9,"type":"ca')
    host.die("SIGKILL")
    host.ended(why="the plugin was killed in the middle of a message", success=False)


@case("END-09", features=("concurrent",))
def test_running_service_after_exit(host: HostSession) -> None:
    """The plugin exits 0 while a service runs that takes half a minute: the host ends at once, with success."""
    host.call("sleep", _long(host))
    host.assert_alive()
    host.disconnect(0)
    host.ended(why="the plugin exited 0 with a call still running", success=True)


@case("END-09", features=("concurrent",))
def test_running_service_after_failure(host: HostSession) -> None:
    """The plugin exits 113 while services run that take half a minute: the host ends at once, and names the status."""
    for _ in range(10):
        host.call("sleep", _long(host))
    host.assert_alive()
    host.disconnect(113)
    host.ended(why="the plugin exited 113 with calls still running", success=False, says=r"\b113\b")


@case("END-09", features=("concurrent",))
def test_running_service_after_kill(host: HostSession) -> None:
    """The plugin is killed while a service runs that takes half a minute: the host ends at once, with a failure."""
    host.call("sleep", _long(host))
    host.assert_alive()
    host.die("SIGKILL")
    host.ended(why="the plugin was killed with a call still running", success=False)


TRUNCATED = {
    "behind the first brace": b"{",
    "in a key": b'{"seq',
    "in a number": b'{"sequence":9',
    "in a string": b'{"sequence":9,"type":"call","namespace":"conf',
    "in a character": b'{"sequence":9,"type":"call","namespace":"\xc3',
    "in an escape": b'{"sequence":9,"type":"call","namespace":"\\u00',
    "in the arguments": b'{"sequence":9,"type":"call","namespace":"conformance","name":"echo","args":[1,[',
    "before the last brace": b'{"sequence":9,"type":"hasNamespace","namespace":"conformance"',
}


@case("END-15", each={"0": (0,), "113": (113,)})
def test_child_holds_standard_error(host: HostSession, each: tuple[int]) -> None:
    """The plugin exits, and a child that it leaves holds its standard streams: the host ends with the plugin."""
    (status,) = each
    host.assert_alive()
    host.tell(leave=True)
    host.answer()
    host.disconnect(status)
    why = f"the plugin exited {status}, and a child of it holds its standard streams"
    host.ended(why=why, success=status == 0, says=None if status == 0 else rf"\b{status}\b")


@case("END-15", each={"0": (0,), "113": (113,)})
def test_child_holds_the_connection(host: HostSession, each: tuple[int]) -> None:
    """The plugin exits, and somebody who has its connection holds it: the host ends with the plugin."""
    (status,) = each
    host.assert_alive()
    host.tell(exit=status)  # the suite still has the descriptors
    why = f"the plugin exited {status}, and a child of it holds the connection"
    host.ended(why=why, success=status == 0, says=None if status == 0 else rf"\b{status}\b")


@case("END-10", each=TRUNCATED)
def test_truncated_message(host: HostSession, each: bytes) -> None:
    """A connection that ends in the middle of a message is a failure, although the plugin exits 0."""
    host.assert_alive()
    host.send(each)
    host.disconnect(0)
    host.ended(why="the connection ended in the middle of a message", success=False)


@case("END-10")
def test_truncated_first_message(host: HostSession) -> None:
    """A connection that ends in the middle of its first message is a failure as well."""
    host.connect()
    host.send(b'{"sequence":1,')
    host.disconnect(0)
    host.ended(why="the connection ended in the middle of its first message", success=False)


@case("END-11", each={"0": (0,), "5": (5,), "113": (113,)})
def test_connection_never_opened(start_host: Callable[..., HostSession], each: tuple[int]) -> None:
    """A plugin that never opens its connection: the host ends when the plugin does, and the status decides."""
    (status,) = each
    host = start_host(opens=False)
    host.hello()
    host.disconnect(status)
    why = f"the plugin exited {status} without opening its connection"
    host.ended(why=why, success=status == 0, says=None if status == 0 else rf"\b{status}\b")


@case("END-11")
def test_killed_before_opening(start_host: Callable[..., HostSession]) -> None:
    """A plugin that is killed before it opened its connection is a failure, and nothing hangs."""
    host = start_host(opens=False)
    host.die("SIGKILL")
    host.ended(why="the plugin was killed before it opened its connection", success=False)


@case("END-12", needs=("halves",))
def test_writing_end_closed(host: HostSession) -> None:
    """Quick, slow, large and failing calls are answered after the plugin has closed its writing end."""
    slow = host.call("sleep", 200)
    large = host.call("blob", 500_000)
    failing = host.call("fail", "no")
    quick = [host.call("echo", i) for i in range(20)]
    host.wire.close(read=False)
    for i, sequence in enumerate(quick):
        host.results(sequence, i)
    host.error(failing, why="the service failed")
    host.results(large, "x" * 500_000)
    host.results(slow, 200)


def _stop_reading(host: HostSession) -> None:
    """Have replies of many megabytes under way that nobody reads."""
    host.assert_alive()
    host.wire.hold(True)
    for _ in range(16):
        host.call("blob", 1 << 20)
    host.stays(lambda: True, 0.2)  # time for the host to fill the pipe


@case("END-06", "END-07", "END-13", each={"0": (0,), "113": (113,)})
def test_exit_with_large_replies_unread(host: HostSession, each: tuple[int]) -> None:
    """A plugin stops reading while megabytes are on their way, then exits: the status decides, and nothing hangs."""
    (status,) = each
    _stop_reading(host)
    host.disconnect(status)
    why = f"the plugin stopped reading, then exited {status}"
    host.ended(why=why, success=status == 0, says=None if status == 0 else rf"\b{status}\b")


@case(
    "OPN-03",
    "END-06",
    "END-07",
    "END-10",
    each={"0": (0, 0, True), "113": (113, 0, False), "0, within a message": (0, 40, False)},
)
def test_gone_behind_many_requests(host: HostSession, each: tuple[int, int, bool]) -> None:
    """A plugin sends more than is read at once and goes, no reply read: what it sent counts to the last byte.

    Where writing to it fails, there are requests behind those that were read, and the connection has not ended yet.
    """
    status, missing, success = each
    host.assert_alive()
    stream = b"".join(MANY % n for n in range(100_000, 101_500))
    host.send(stream[: len(stream) - missing])
    host.disconnect(status)
    cut = "within a request" if missing else "between requests"
    why = f"the plugin ended the connection {cut}, behind many more, and exited {status}"
    host.ended(why=why, success=success, says=rf"\b{status}\b" if status else None)


@case("END-13")
def test_death_with_large_replies_unread(host: HostSession) -> None:
    """A plugin stops reading while megabytes are on their way, then is killed: a failure, and nothing hangs."""
    _stop_reading(host)
    host.die("SIGKILL")
    host.ended(why="the plugin stopped reading, then was killed", success=False)


@case("END-13", needs=("reading",))
def test_reading_end_closed(host: HostSession) -> None:
    """A plugin closes its reading end with calls open, then exits 0: nothing hangs, and the host is not killed."""
    host.assert_alive()
    for i in range(20):
        host.call("blob", 100_000 + i)
    host.wire.close(write=False)
    host.call("sleep", 50)
    host.stays(lambda: True, 0.1)
    if host.child.ended and (host.child.status or 0) < 0:
        raise Failure("the host died when the plugin closed its reading end", expected="a host that lives")
    host.disconnect(0)
    host.wait(lambda: host.child.ended, "the end of the host (the plugin closed its reading end)", may_end=True)
    if (host.child.status or 0) < 0:
        raise Failure("the host died when the plugin closed its reading end", expected="an exit status")


@case("END-13")
def test_reading_again(host: HostSession) -> None:
    """A plugin that stops reading for a while and goes on gets everything that was sent to it."""
    _stop_reading(host)
    late = host.call("echo", "late")
    host.wire.hold(False)
    host.results(late, "late")
    for sequence in range(late - 16, late):
        host.results(sequence, "x" * (1 << 20))
