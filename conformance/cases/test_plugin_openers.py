"""What a plugin owes to the transport that it is connected by, whatever goes over it."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from conformance.case import case
from conformance.drive import endpoints
from conformance.drive.control import Ticket
from conformance.drive.crowd import crowded
from conformance.drive.endpoints.sockets import NOBODY
from conformance.drive.plugin import PluginSession
from conformance.drive.transports import BINDS
from conformance.outcomes import Failure, NotRun
from conformance.settings import Subject

Start = Callable[..., PluginSession]
MEBIBYTE = 1 << 20
SLACK = 4  # descriptors that a runtime may open for itself, once and whenever it likes
BUSY = 0.05  # seconds of half a second: who looks all the time gets more, even of a busy machine
INTERRUPTIONS = {"signals": ("SIGURG", "SIGWINCH"), "stop and continuation": ("SIGSTOP", "SIGCONT")}
BUT_FIFO = tuple(kind for kind in BINDS if kind != "fifo")


def text_of(size: float) -> str:
    """A text in which every place is told from every other."""
    return "".join(f"{number:07d}é" for number in range(int(size) // 9 + 1))


def interrupt(plugin: PluginSession, signals: tuple[str, ...]) -> None:
    """Send signals to the plugin, with a moment after each."""
    for name in signals:
        plugin.child.send_signal(name)
        plugin.stays(lambda: True, 0.005)


def is_request_of(plugin: PluginSession, ticket: Ticket, text: str) -> None:
    """The request of a call with a large text must have come whole; it is answered."""
    request = plugin.serve(ticket, "read")
    if request.get("args") != [text]:
        raise Failure("another argument on the wire than was given", seen=repr(request.get("args"))[:200])
    plugin.ok(ticket, "read")


@case("OPN-01", each=INTERRUPTIONS)
def test_interrupted_while_writing(plugin: PluginSession, each: tuple[str, ...]) -> None:
    """Signals before, and all through, the reading of a large request change nothing in it."""
    text = text_of(2 * MEBIBYTE * plugin.scale)
    plugin.assert_alive()
    plugin.wire.hold(True)
    ticket = plugin.call(text)
    plugin.being_written(ticket)
    for _ in range(5):
        interrupt(plugin, each)
    for step in range(1, 20):
        enough = plugin.wire.received + len(text.encode()) // 20
        plugin.wire.hold(False)
        plugin.wait_for_bytes(enough, f"part {step}")
        plugin.wire.hold(True)
        interrupt(plugin, each)
    plugin.wire.hold(False)
    is_request_of(plugin, ticket, text)
    plugin.assert_alive()


@case("OPN-01", each=INTERRUPTIONS)
def test_interrupted_while_reading(plugin: PluginSession, each: tuple[str, ...]) -> None:
    """Signals while the plugin waits for a large reply, and between its parts, change nothing in it."""
    text = text_of(MEBIBYTE * plugin.scale)
    plugin.assert_alive()
    ticket = plugin.call()
    message = b'{"sequence":%d,"reply":["%s"]}\n' % (plugin.request(ticket)["sequence"], text.encode())
    interrupt(plugin, each)
    part = len(message) // 20 + 1
    for at in range(0, len(message), part):
        plugin.send(message[at : at + part])
        interrupt(plugin, each)
    plugin.ok(ticket, text)
    plugin.assert_alive()


@case("OPN-30")
def test_sipped(plugin: PluginSession) -> None:
    """A request of several times what the connection holds, read by a few kilobytes, arrives whole."""
    text = text_of(4 * MEBIBYTE * plugin.scale)
    plugin.assert_alive()
    plugin.wire.hold(True)
    ticket = plugin.call(text)
    plugin.being_written(ticket)
    plugin.read_slowly(40)
    is_request_of(plugin, ticket, text)
    plugin.assert_alive()


@case("OPN-02")
def test_nobody_reads(plugin: PluginSession) -> None:
    """The plugin is stopped, the suite does not read, both directions are full; then both go on."""
    text = text_of(4 * MEBIBYTE * plugin.scale)
    plugin.assert_alive()
    plugin.wire.hold(True)
    ticket = plugin.call(text)
    plugin.being_written(ticket)
    plugin.child.send_signal("SIGSTOP")
    plugin.send(b'{"sequence":18446744073709551615,"reply":["%s"]}\n' % text.encode(), wait=False)
    plugin.stays(lambda: True, 0.2)
    plugin.child.send_signal("SIGCONT")
    plugin.stays(lambda: True, 0.1)
    plugin.wire.hold(False)
    is_request_of(plugin, ticket, text)
    plugin.assert_alive()


@case("OPN-03")
def test_closed_with_request_unread(plugin: PluginSession) -> None:
    """The host is gone without having read the request: the call fails, and so do later ones; the process lives."""
    plugin.assert_alive()
    plugin.wire.hold(True)
    ticket = plugin.call("unread " * 100)
    plugin.being_written(ticket)
    plugin.wire.close()
    plugin.failed(ticket, why="the host is gone with the request unread")
    plugin.failed(plugin.call(), why="a call after the host is gone")
    plugin.value(plugin.start("hosted"), True)
    plugin.finish()


@case("OPN-04", on=BUT_FIFO)
def test_gone_before_first_byte(plugin: PluginSession) -> None:
    """The host is gone before anything was said: all calls fail, none hangs, and the process exits in its own way."""
    plugin.wire.close()
    for number in range(2):
        plugin.failed(plugin.call(number), why="a call to a host that is gone from the beginning")
    plugin.finish()


@case("OPN-05", on=("fifo",))
def test_late_host(start_plugin: Start) -> None:
    """Nobody has opened the named pipes when the plugin makes its first call; the host does so later."""
    endpoint = endpoints.late_fifo()
    plugin = start_plugin(endpoint=lambda: endpoint)
    ticket = plugin.call("early")
    if not plugin.stays(lambda: not plugin.arrived(ticket), 0.3):
        raise Failure(
            "the first call did not wait for the host", expected="no outcome yet", seen=repr(plugin.outcome(ticket))
        )
    endpoint.open(plugin.wire)
    plugin.serve(ticket, "late")
    plugin.ok(ticket, "late")
    plugin.assert_alive()


LATE = 5.2
"""Seconds: longer than the time limits that are set where nobody thinks of a host that is slow to start."""


@case("OPN-05", on=("fifo",))
def test_seconds_late(start_plugin: Start) -> None:
    """The host opens the named pipes, or only that of its replies, after more than five seconds."""
    ends = [endpoints.late_fifo() for _ in range(2)]
    plugins = [start_plugin(endpoint=lambda endpoint=endpoint: endpoint) for endpoint in ends]
    reading = os.open(ends[1].paths[1], os.O_RDONLY | os.O_NONBLOCK)  # of the second one the requests' pipe is open
    try:
        tickets = [plugin.call("early") for plugin in plugins]
        for plugin in plugins:
            plugin.stays(lambda: True, LATE / 2)
        for plugin, ticket in zip(plugins, tickets, strict=True):
            plugin.stays(lambda: True, 0.02)
            if plugin.arrived(ticket):
                raise Failure(
                    "the first call did not wait for the host",
                    expected=f"no outcome within {LATE} s",
                    seen=repr(plugin.outcome(ticket)),
                )
        writing = opened_for_writing(plugins[1], ends[1].paths[0])
    except BaseException:
        os.close(reading)
        raise
    plugins[1].wire.attach(reading, writing)
    ends[0].open(plugins[0].wire)
    for plugin, ticket in zip(plugins, tickets, strict=True):
        plugin.serve(ticket, "late")
        plugin.ok(ticket, "late")
        plugin.assert_alive()


@case("OPN-05", on=("fifo",))
def test_late_with_replies(start_plugin: Start) -> None:
    """The host reads already, and opens the named pipe of its replies later: until then there is no end of file."""
    endpoint = endpoints.late_fifo()
    plugin = start_plugin(endpoint=lambda: endpoint)
    reading = os.open(endpoint.paths[1], os.O_RDONLY | os.O_NONBLOCK)
    try:
        ticket = plugin.call("early")
        if not plugin.stays(lambda: not plugin.arrived(ticket), 0.3):
            raise Failure(
                "the first call did not wait for the host", expected="no outcome yet", seen=repr(plugin.outcome(ticket))
            )
        writing = opened_for_writing(plugin, endpoint.paths[0])
    except BaseException:
        os.close(reading)
        raise
    plugin.wire.attach(reading, writing)
    plugin.serve(ticket, "late")
    plugin.ok(ticket, "late")
    plugin.assert_alive()


def opened_for_writing(plugin: PluginSession, path: str) -> int:
    """Open a named pipe as soon as the plugin has opened it to read."""
    found: list[int] = []

    def opens() -> bool:
        try:
            found.append(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        return bool(found)

    if not plugin.look_for(opens):
        raise Failure("the plugin does not open the named pipe that it reads from", expected="its opening", seen="none")
    return found[0]


@case("OPN-06", on=("fifo",), each={"reading end first": (1, 0), "writing end first": (0, 1)})
def test_order_of_opening(start_plugin: Start, each: tuple[int, int]) -> None:
    """The host opens one named pipe, waits until the plugin has opened its other end, then opens the other one."""
    endpoint = endpoints.late_fifo()
    plugin = start_plugin(endpoint=lambda: endpoint)
    ticket = plugin.call()
    opened: dict[int, int] = {}

    def opens() -> None:
        for which in each:
            opened[which] = os.open(endpoint.paths[which], os.O_RDONLY if which else os.O_WRONLY)

    thread = threading.Thread(target=opens, daemon=True)
    thread.start()
    in_time = plugin.look_for(lambda: len(opened) == 2, min(plugin.timeout, 5.0))
    wake = [os.open(path, os.O_RDWR | os.O_NONBLOCK) for path in endpoint.paths]
    thread.join()
    for fd in wake:
        os.close(fd)
    plugin.wire.attach(opened[1], opened[0])
    if not in_time:
        raise Failure(
            "the plugin and the host wait for each other while they open the named pipes",
            expected="a plugin that opens one end without waiting for somebody at the other",
            seen="only the host's first opening, or none, has come to its end",
        )
    plugin.serve(ticket, "right")
    plugin.ok(ticket, "right")


@case("OPN-08", on=("pty",))
def test_controlling_terminal(plugin: PluginSession) -> None:
    """The terminal is not the plugin's controlling one, and its hang-up does not kill the process."""
    plugin.assert_alive()
    if plugin.child.has_terminal():
        raise Failure(
            "the terminal that the plugin opened has become its controlling terminal",
            expected="a terminal that is opened as a file, and no more",
            seen="a controlling terminal, whose hang-up kills the process",
        )
    plugin.wire.close()
    plugin.failed(plugin.call(), why="a call after the terminal was hung up")
    plugin.finish()


def more_descriptors(plugin: PluginSession, before: list[str], what: str) -> None:
    """Raises Failure where the process has many more descriptors than before."""
    now = plugin.child.descriptors()
    if len(now) > len(before) + SLACK:
        rest = list(now)
        for name in before:
            if name in rest:
                rest.remove(name)
        raise Failure(
            f"{what} left descriptors behind",
            expected=f"about the {len(before)} from before",
            seen=f"{len(now)}, among them {', '.join(rest[:5])}",
        )


@case("OPN-09")
def test_calls_leave_no_descriptors(plugin: PluginSession) -> None:
    """After fifty more calls and lookups the process has as many descriptors as before them."""
    for _ in range(3):
        plugin.assert_alive()
    before = plugin.child.descriptors()
    for _ in range(25):
        plugin.assert_alive()
        ticket = plugin.start("hasNamespace", namespace="n")
        plugin.reply(plugin.request(ticket), ok=True)
        plugin.value(ticket, True)
    more_descriptors(plugin, before, "fifty calls")


HALF_BAD: dict[str, tuple[str, ...]] = {
    "second of two files": ("file:///dev/null", "file:///nonexistent/conformance/pipe"),
    "first of two files": ("file:///nonexistent/conformance/pipe", "file:///dev/null"),
}


@case("OPN-09", on=("procfs",), each=HALF_BAD)
def test_failed_attempts_leave_no_descriptors(start_plugin: Start, each: tuple[str, ...]) -> None:
    """Thirty calls, each of which may try anew to open what cannot be opened, leave no descriptors."""
    plugin = start_plugin(urls=each)
    for _ in range(3):
        plugin.failed(plugin.call(), why="a call over a connection that cannot be opened")
    before = plugin.child.descriptors()
    for _ in range(30):
        plugin.failed(plugin.call(), why="a call over a connection that cannot be opened")
    more_descriptors(plugin, before, "thirty failed attempts to open the connection")


@case("OPN-10", needs=("halves",))
def test_closes_at_the_end(plugin: PluginSession) -> None:
    """When the host has closed its writing direction, the plugin closes its own ends as well, all copies of them."""
    plugin.assert_alive()
    plugin.wire.close(read=False)
    plugin.failed(plugin.call(), why="a call after end of file")
    plugin.eof("end of file from a plugin that has seen it")


@case("OPN-10")
def test_closes_what_it_reads_from(plugin: PluginSession) -> None:
    """When the plugin ends the connection, at a malformed reply, the host cannot write to it any more either."""
    plugin.assert_alive()
    ticket = plugin.call()
    plugin.request(ticket)
    plugin.send(b"}\n")
    plugin.failed(ticket, why="the reply is malformed")
    plugin.unwritable("the plugin has ended the connection")
    plugin.finish()


CLOSED = {"one": ("fd:987",), "a pair": ("fd:987,988",), "two URLs": ("fd:987", "fd:988")}


@case("OPN-12", on=("fd", "fd-pair"), each=CLOSED)
def test_closed_descriptor(start_plugin: Start, each: tuple[str, ...]) -> None:
    """Descriptors that are not open make all calls fail, with an error that names the first of them."""
    plugin = start_plugin(urls=each)
    for number in range(2):
        text = plugin.failed(plugin.call(number), why="a call over a descriptor that is not open")
        if "987" not in text:
            raise Failure("the error does not name the descriptor", expected="a text with 987", seen=text)
    plugin.finish()


@case("OPN-31")
def test_high_descriptors(start_plugin: Start) -> None:
    """The plugin has more than a thousand files open already: calls go through, also when it waits to write."""
    plugin = start_plugin(prefix=crowded())
    plugin.assert_alive()
    text = text_of(300_000)
    plugin.wire.hold(True)
    ticket = plugin.call(text)
    plugin.being_written(ticket)
    plugin.wire.hold(False)
    is_request_of(plugin, ticket, text)
    plugin.assert_alive()


NONCES = {
    "the shortest": bytes(range(16)),
    "the longest": bytes(range(192, 256)),
    "line feeds and zeros": b"\n\0" * 16,
    "looks like a message": b'{"sequence":0}\n{"sequence":1}\n\n\n',
    "white space at both ends": b" \t\n" + b"n" * 20 + b"\r\n ",
}


@case("OPN-20", on=("tcp",), each=NONCES)
def test_nonce(start_plugin: Start, each: bytes) -> None:
    """The connection begins with exactly the bytes of the nonce's file, and the first request is right behind them."""
    start_plugin(endpoint=lambda: endpoints.tcp(nonce=each)).assert_alive()


@case("OPN-20", on=("tcp",))
def test_nonce_at_ipv6(start_plugin: Start) -> None:
    """The same at the loopback address of IPv6."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        raise NotRun(f"this machine has no IPv6 loopback: {error}") from None
    start_plugin(endpoint=endpoints.tcp_ipv6).assert_alive()


REFUSALS = 30


@case("OPN-09", on=("tcp",))
def test_refused_nonces_leave_no_descriptors(start_plugin: Start) -> None:
    """Calls whose nonce's file is refused, each for the same reason, leave no descriptors."""
    for what in ("missing", "15 bytes", "65 bytes", "folder", "named pipe"):
        endpoint = endpoints.tcp()
        assert endpoint.folder is not None
        (path,) = Path(endpoint.folder).iterdir()
        BAD_NONCES[what](path)
        leave_no_descriptors(start_plugin, endpoint, f"{REFUSALS} calls whose nonce's file is refused ({what})")


@case("OPN-09", on=("unix",))
def test_refused_sockets_leave_no_descriptors(start_plugin: Start) -> None:
    """Calls over a socket at which nobody listens, or a symbolic link to one, leave no descriptors."""
    for name in ("link", "socket"):
        endpoint = endpoints.unix()
        assert endpoint.folder is not None
        assert endpoint.listener is not None
        Path(endpoint.folder, "link").symlink_to("socket")
        endpoint.urls = [f"unix://{quote(str(Path(endpoint.folder, name)))}"]
        folder, endpoint.folder = endpoint.folder, None
        endpoint.listener.close()
        endpoint.listener = None
        try:
            leave_no_descriptors(start_plugin, endpoint, f"{REFUSALS} calls over a {name} where nobody listens")
        finally:
            shutil.rmtree(folder)


def leave_no_descriptors(start_plugin: Start, endpoint: endpoints.Endpoint, what: str) -> None:
    """Calls that fail as they cannot open the connection must not leave descriptors behind."""
    plugin = start_plugin(urls=endpoint.urls)
    try:
        for _ in range(3):
            plugin.failed(plugin.call(), why=what)
        before = plugin.child.descriptors()
        for _ in range(REFUSALS):
            plugin.failed(plugin.call(), why=what)
        more_descriptors(plugin, before, what)
    finally:
        endpoint.discard()
        plugin.close()


def is_refused(plugin: PluginSession, why: str) -> str:
    """The first call must fail, and nothing may have been said at the place that the URL names."""
    ticket = plugin.call()
    plugin.wait(lambda: plugin.wire.attached or plugin.arrived(ticket), "the failure of the call")
    if plugin.wire.attached and not plugin.arrived(ticket):
        plugin.wait(lambda: bool(plugin.wire.received) or plugin.arrived(ticket), "the failure of the call")
    if plugin.wire.received:
        raise Failure(f"{why}, and the plugin sent its request", expected="an error of the call", seen="a request")
    text: str = plugin.failed(ticket, why=why)
    plugin.finish()
    return text


def _missing(path: Path) -> None:
    path.unlink()


def _link(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to("real")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


BAD_NONCES: dict[str, Callable[[Path], object]] = {
    "missing": _missing,
    "empty": lambda path: path.write_bytes(b""),
    "15 bytes": lambda path: path.write_bytes(b"n" * 15),
    "65 bytes": lambda path: path.write_bytes(b"n" * 65),
    "a megabyte": lambda path: path.write_bytes(b"n" * MEBIBYTE),
    "symbolic link": _link,
    "folder": _folder,
    "named pipe": _pipe,
}


@case("OPN-21", on=("tcp",), each=BAD_NONCES)
def test_bad_nonce_file(start_plugin: Start, each: Callable[[Path], object]) -> None:
    """A nonce that no host writes is an error of the call, and no byte of it is sent."""
    endpoint = endpoints.tcp()
    assert endpoint.folder is not None
    (path,) = Path(endpoint.folder).iterdir()
    each(path)
    endpoint.nonce = b""  # whatever comes is to be seen
    is_refused(start_plugin(endpoint=lambda: endpoint), "the nonce's file is not one")


@case("OPN-22", on=("unix",))
def test_symbolic_link(start_plugin: Start) -> None:
    """A symbolic link where the socket should be is not followed, although it leads to a socket of the right user."""
    endpoint = endpoints.unix()
    assert endpoint.folder is not None
    link = Path(endpoint.folder, "link")
    link.symlink_to("socket")
    endpoint.urls = [f"unix://{quote(str(link))}"]
    is_refused(start_plugin(endpoint=lambda: endpoint), "the socket's path is a symbolic link")


FOREIGN: dict[str, Callable[[int], endpoints.Listening]] = {
    "unix": lambda uid: endpoints.unix(uid=uid),
    "unix-abstract": lambda uid: endpoints.unix_abstract(uid=uid),
}


@case("OPN-23", on=("unix", "unix-abstract"))
def test_foreign_listener(start_plugin: Start, subject: Subject) -> None:
    """Somebody else, who is not root, listens where the host should: the call fails, and no request is sent."""
    endpoint = FOREIGN[subject.scheme](NOBODY)
    is_refused(start_plugin(endpoint=lambda: endpoint), "another user listens at the socket")


NAMES = {"space": ("a b",), "percent sequence": ("100%20",), "non-ascii": ("é😀",), "number sign": ("a#b?",)}


@case("OPN-25", on=("unix", "unix-abstract"), each=NAMES)
def test_name(start_plugin: Start, subject: Subject, each: tuple[str]) -> None:
    """The socket is found by any name."""
    endpoint = endpoints.unix if subject.scheme == "unix" else endpoints.unix_abstract
    start_plugin(endpoint=lambda: endpoint(each[0])).assert_alive()


@case("OPN-24", each={"between calls": (False,), "while a call is pending": (True,)})
def test_idle(plugin: PluginSession, each: tuple[bool]) -> None:
    """A plugin that waits, for its next call or for a reply, uses no processor time."""
    plugin.assert_alive()
    ticket = plugin.call() if each[0] else None
    if ticket is not None:
        plugin.request(ticket)
    plugin.stays(lambda: True, 0.2)
    before = plugin.child.seconds()
    plugin.stays(lambda: True, 0.5)
    used = plugin.child.seconds() - before
    if used > BUSY:
        raise Failure("an idle connection costs processor time", expected="none", seen=f"{used:.2f} s of 0.5 s")
