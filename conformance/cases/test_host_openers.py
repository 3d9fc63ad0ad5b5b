"""What a host owes to the transport that it is connected by, whatever goes over it."""

from __future__ import annotations

import os
import re
import stat
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance.case import case
from conformance.drive import stub_plugin
from conformance.drive.crowd import crowded
from conformance.drive.endpoints.sockets import NOBODY, acting_as
from conformance.drive.host import HostSession
from conformance.drive.intruder import Intruder
from conformance.outcomes import Failure

MEBIBYTE = 1 << 20
SLACK = 4  # descriptors that a runtime may open for itself, once and whenever it likes
BUSY = 0.05  # seconds of half a second: who looks all the time gets more, even of a busy machine
INTERRUPTIONS = {"signals": ("SIGURG", "SIGWINCH"), "stop and continuation": ("SIGSTOP", "SIGCONT")}
SOCKETS = ("unix", "unix-abstract", "tcp")
IN_FILES = ("fifo", "unix", "tcp", "shm")
REQUEST = b'{"sequence":1,"type":"call","namespace":"conformance","name":"echo","args":["intruder"]}\n'


def text_of(size: float) -> str:
    """A text in which every place is told from every other."""
    return "".join(f"{number:07d}é" for number in range(int(size) // 9 + 1))


def interrupt(host: HostSession, signals: tuple[str, ...]) -> None:
    """Send signals to the host, with a moment after each."""
    for name in signals:
        host.child.send_signal(name)
        host.stays(lambda: True, 0.005)


@case("OPN-01", each=INTERRUPTIONS)
def test_interrupted_while_writing(host: HostSession, each: tuple[str, ...]) -> None:
    """Signals before, and all through, the reading of a large reply change nothing in it."""
    text = text_of(2 * MEBIBYTE * host.scale)
    host.assert_alive()
    host.wire.hold(True)
    sequence = host.call("echo", text)
    host.being_written()
    for _ in range(5):
        interrupt(host, each)
    for step in range(1, 20):
        enough = host.wire.received + len(text.encode()) // 20
        host.wire.hold(False)
        host.wait_for_bytes(enough, f"part {step}")
        host.wire.hold(True)
        interrupt(host, each)
    host.wire.hold(False)
    host.results(sequence, text)
    host.assert_alive()


@case("OPN-01", each=INTERRUPTIONS)
def test_interrupted_while_reading(host: HostSession, each: tuple[str, ...]) -> None:
    """Signals between the parts of a large request change nothing in it."""
    text = text_of(MEBIBYTE * host.scale)
    host.assert_alive()
    sequence = host.fresh()
    head = b'{"sequence":%d,"type":"call","namespace":"conformance","name":"echo","args":["' % sequence
    message = head + text.encode() + b'"]}\n'
    part = len(message) // 20 + 1
    for at in range(0, len(message), part):
        host.send(message[at : at + part])
        interrupt(host, each)
    host.results(sequence, text)
    host.assert_alive()


@case("OPN-30")
def test_sipped(host: HostSession) -> None:
    """A reply of several times what the connection holds, read by a few kilobytes, arrives whole."""
    text = text_of(4 * MEBIBYTE * host.scale)
    host.assert_alive()
    host.wire.hold(True)
    sequence = host.call("echo", text)
    host.being_written()
    host.read_slowly(40)
    host.results(sequence, text)
    host.assert_alive()


@case("OPN-02")
def test_nobody_reads(host: HostSession) -> None:
    """The host is stopped, the suite does not read, both directions are full; then both go on."""
    text = text_of(4 * MEBIBYTE * host.scale)
    host.assert_alive()
    host.wire.hold(True)
    first = host.call("echo", text)
    host.being_written()
    host.child.send_signal("SIGSTOP")
    sequence = host.fresh()
    head = b'{"sequence":%d,"type":"call","namespace":"conformance","name":"echo","args":["' % sequence
    host.send(head + text.encode() + b'"]}\n', wait=False)
    host.stays(lambda: True, 0.2)
    host.child.send_signal("SIGCONT")
    host.stays(lambda: True, 0.1)
    host.wire.hold(False)
    host.results(first, text)
    host.results(sequence, text)
    host.assert_alive()


@case("OPN-03", each={"0": (0,), "113": (113,)})
def test_closed_with_a_reply_unread(host: HostSession, each: tuple[int]) -> None:
    """The plugin closes the connection with a reply unread, then exits: its status decides.

    One reply, written at once: a host that still writes others learns of the end by its writing, and may never see
    the reset that this is to its reading.
    """
    (status,) = each
    host.assert_alive()
    host.wire.hold(True)
    host.call("echo", "unread")
    host.being_written()
    host.disconnect(status)
    why = f"the plugin closed the connection with a reply unread, then exited {status}"
    host.ended(why=why, success=status == 0, says=None if status == 0 else rf"\b{status}\b")


@case("OPN-04", each={"killed": ("SIGKILL", 0), "exits 0": ("", 0), "exits 113": ("", 113)})
def test_gone_before_first_byte(host: HostSession, each: tuple[str, int]) -> None:
    """The plugin opens the connection and is gone before its first byte: how it ended decides, and nothing hangs."""
    signal, status = each
    if signal:
        host.die(signal)
        host.ended(why=f"the plugin died by {signal} right after it opened the connection", success=False)
        return
    host.disconnect(status)
    why = f"the plugin opened the connection and exited {status}"
    host.ended(why=why, success=status == 0, says=None if status == 0 else rf"\b{status}\b")


@case("OPN-05", on=("fifo",), each={"reading end first": (False,), "writing end first": (True,)})
def test_late_plugin(start_host: Callable[..., HostSession], each: tuple[bool]) -> None:
    """A plugin that opens the named pipes after a while, in either order, finds a host that serves."""
    host = start_host(opens=False)
    host.hello()
    host.stays(lambda: True, 0.3)
    host.open(writer_first=each[0])
    host.assert_alive()
    host.disconnect(0)
    host.ended(why="the plugin opened the named pipes late, and exited 0", success=True)


LATE = 5.2
"""Seconds: longer than the time limits that are set where nobody thinks of a plugin that is slow to start."""


@case("OPN-05", on=("fifo",))
def test_seconds_late(start_host: Callable[..., HostSession]) -> None:
    """A plugin that opens the named pipes after more than five seconds finds a host that serves."""
    host = start_host(opens=False)
    host.hello()
    host.stays(lambda: True, LATE)
    host.open()
    host.assert_alive()
    host.disconnect(0)
    host.ended(why=f"the plugin opened the named pipes after {LATE} s, and exited 0", success=True)


@case("OPN-31")
def test_high_descriptors(start_host: Callable[..., HostSession]) -> None:
    """The host has more than a thousand files open already: it discovers, executes and serves its plugin as ever."""
    host = start_host(prefix=crowded())
    host.assert_alive()
    host.results(host.call("blob", 300_000), "x" * 300_000)


RAW = {
    "ECHO": (3, termios.ECHO),
    "ICANON": (3, termios.ICANON),
    "ISIG": (3, termios.ISIG),
    "OPOST": (1, termios.OPOST),
    "ICRNL": (0, termios.ICRNL),
    "IXON": (0, termios.IXON),
}


@case("OPN-07", on=("pty",))
def test_terminal_is_raw(host: HostSession) -> None:
    """The terminal neither edits lines, nor makes signals of bytes, nor changes line ends, nor echoes."""
    settings = termios.tcgetattr(host.wire.fileno)
    on = [name for name, (index, bit) in RAW.items() if settings[index] & bit]
    if on:
        raise Failure("the terminal is not raw", expected=f"without {', '.join(RAW)}", seen=f"with {', '.join(on)}")


@case("OPN-07", on=("pty",))
def test_terminal_carries_everything(host: HostSession) -> None:
    """Bytes that edit lines, long messages without a line feed, and white space pass; nothing comes back by itself."""
    for text in ("\x7f\x7f", "é\x80\xff😀", "x" * 20_000, "\x7f" * 5_000):
        host.results(host.call("echo", text), text)
    space = b" \r\n\t" * 2_000
    host.send(space + b'{"sequence":900,%b"type":"hasNamespace","namespace":"conformance"}' % space)
    if host.reply(900).get("ok") is not True:
        raise Failure("another answer than that of the request", expected='"ok":true')
    host.no_more()


@case("OPN-09")
def test_calls_leave_no_descriptors(host: HostSession) -> None:
    """After fifty more calls the host has as many descriptors as before them."""
    for _ in range(3):
        host.assert_alive()
    before = host.child.descriptors()
    for i in range(25):
        host.results(host.call("echo", i), i)
        host.error(host.call("fail", "no"), why="the service failed")
    now = host.child.descriptors()
    if len(now) > len(before) + SLACK:
        raise Failure(
            "fifty calls left descriptors behind",
            expected=f"about the {len(before)} from before",
            seen=f"{len(now)}: {', '.join(now)}"[:400],
        )


@case("OPN-10")
def test_closes_what_it_reads_from(host: HostSession) -> None:
    """When the host ends the connection, at a malformed request, the plugin cannot write to it any more either."""
    host.assert_alive()
    host.send(b"}\n")
    host.eof("end of file on the connection, which the host ends")
    host.unwritable("the host has ended the connection")
    host.disconnect(0)
    host.ended(why="a malformed request, and the plugin exits 0", success=False)


@case("OPN-11")
def test_inherited_descriptors(host: HostSession) -> None:
    """The plugin was started with no descriptors but its standard streams and those that its URLs name."""
    named: set[int] = set()
    for url in host.urls():
        scheme, _, rest = url.partition(":")
        numbers = rest if scheme == "fd" else ",".join(re.findall(r"/(?:dev|proc/self)/fd/(\d+)$", rest))
        named |= {int(number) for number in numbers.split(",") if number}
    found = {int(fd): name for fd, name in host.hello()["descriptors"].items()}
    more = {fd: name for fd, name in found.items() if fd not in named}
    if more:
        raise Failure(
            "the plugin inherits descriptors that are none of its business",
            expected=f"those of {' '.join(host.urls())}",
            seen=", ".join(f"{fd} ({name})" for fd, name in more.items()),
        )


def files_of(host: HostSession) -> list[Path]:
    """What the URLs of the host name in the file system."""
    found: list[bytes] = []
    for url in host.urls():
        scheme, _, rest = url.partition(":")
        if scheme == "tcp":
            found += [path] if (path := stub_plugin.tcp_parts(rest)[2]) else []
        else:
            found.append(stub_plugin.path_of(rest))
    return [Path(os.fsdecode(path)) for path in found]


def mode_of(path: Path) -> str:
    """The permissions of a file, and whose it is."""
    seen = path.lstat()
    return f"{stat.S_IMODE(seen.st_mode):04o} of user {seen.st_uid}"


@case("OPN-13", on=IN_FILES)
def test_private(start_host: Callable[..., HostSession]) -> None:
    """Directory and files admit the host's own user, and nobody else."""
    host = start_host(opens=False)
    host.hello()
    files = files_of(host)
    if not files:
        raise Failure("no URL of the host names a file", seen=repr(host.urls()))
    me = f"of user {os.geteuid()}"
    for folder in {path.parent for path in files}:
        if mode_of(folder) != f"0700 {me}":
            raise Failure(f"others may enter {folder}", expected=f"0700 {me}", seen=mode_of(folder))
        for path in folder.iterdir():
            if mode_of(path) != f"0600 {me}":
                raise Failure(f"{path.name} is not only for the host's user", expected=f"0600 {me}", seen=mode_of(path))


def _serve(host: HostSession) -> None:
    host.open()
    host.assert_alive()
    host.disconnect(0)


def _never_open(host: HostSession) -> None:
    host.disconnect(0)


def _die(host: HostSession) -> None:
    host.open()
    host.die("SIGKILL")


def _die_unopened(host: HostSession) -> None:
    host.die("SIGKILL")


LIVES: dict[str, tuple[Callable[[Any], None], bool]] = {
    "connected": (_serve, True),
    "never connected": (_never_open, True),
    "killed": (_die, False),
    "killed before it connected": (_die_unopened, False),
}


@case("OPN-14", on=IN_FILES, each=LIVES)
def test_nothing_is_left(start_host: Callable[..., HostSession], each: tuple[Callable[[Any], None], bool]) -> None:
    """Files and directory are gone when the host has ended, whatever became of the plugin."""
    lives, success = each
    host = start_host(opens=False)
    host.hello()
    files = files_of(host)
    lives(host)
    host.ended(why="the plugin has ended", success=success)
    left = [path for file in files for path in (file, file.parent) if os.path.lexists(path)]
    if left:
        raise Failure("the host left something behind", expected="nothing", seen=", ".join(map(str, left)))


@case("OPN-15", on=("unix", "tcp"))
def test_removed_when_connected(host: HostSession) -> None:
    """As soon as the plugin is connected, the socket or the nonce is gone."""
    files = files_of(host)
    host.assert_alive()
    if not host.look_for(lambda: not any(os.path.lexists(path) for path in files), 1.0):
        raise Failure(
            "the host keeps what nobody needs any more", expected="its removal", seen=", ".join(map(str, files))
        )


@case("OPN-16", on=SOCKETS)
def test_second_connection(start_host: Callable[..., HostSession]) -> None:
    """Somebody connects after the plugin, with a good nonce even: nothing is answered, and the plugin goes on."""
    host = start_host(opens=False)
    host.hello()
    (url,) = host.urls()
    nonce = b"".join(path.read_bytes() for path in files_of(host) if url.startswith("tcp"))
    host.open()
    host.assert_alive()
    intruder = Intruder(host.pump, url)
    intruder.say(nonce + REQUEST)
    host.assert_alive()
    if not host.stays(lambda: not intruder.came, 0.3):
        raise Failure("a second connection is served", expected="nothing", seen=repr(intruder.came[:200]))
    host.assert_alive()
    intruder.disconnect()
    host.disconnect(0)
    host.ended(why="somebody else came after the plugin, which exited 0", success=True)


def wait_for_answer(host: HostSession, intruder: Intruder, what: str) -> None:
    """Wait until an intruder is turned away, or served."""
    host.wait(lambda: intruder.turned_away or bool(intruder.came), what)


@case("OPN-17", on=SOCKETS)
def test_another_user(start_host: Callable[..., HostSession]) -> None:
    """Another user cannot connect, or is turned away without a byte, or cannot read the nonce; the plugin gets in."""
    host = start_host(opens=False)
    host.hello()
    (url,) = host.urls()
    intruder = Intruder(host.pump, url, uid=NOBODY)
    if url.startswith("tcp"):
        for path in files_of(host):
            with acting_as(NOBODY):
                readable = os.access(path, os.R_OK, effective_ids=True)
            if readable:
                raise Failure("another user can read the nonce", expected="no permission", seen=str(path))
    else:
        intruder.say(REQUEST)
        wait_for_answer(host, intruder, "the end of another user's connection")
    host.open()
    host.assert_alive()
    if intruder.came:
        raise Failure("another user's process is served", expected="nothing", seen=repr(intruder.came[:200]))
    host.disconnect(0)
    host.ended(why="another user came before the plugin, which exited 0", success=True)


@case("OPN-18", on=("tcp",))
def test_port_and_nonce(start_host: Callable[..., HostSession]) -> None:
    """The address is one of the loopback; the nonce has 16 to 64 bytes, is another each time, and in no URL."""
    nonces = []
    for _ in range(2):
        host = start_host(opens=False)
        words = " ".join(host.hello()["argv"]).encode()
        (url,) = host.urls()
        _, (address, port), path = stub_plugin.tcp_parts(url.partition(":")[2])
        if not re.fullmatch(r"127\.\d+\.\d+\.\d+|::1", address):
            raise Failure("the host listens at no address of the loopback", expected="127.0.0.1 or ::1", seen=url)
        others = listening(port)
        if not others <= {"0100007F", "00000000000000000000000001000000"}:
            raise Failure("the port is open to other machines", expected="the loopback only", seen=repr(others))
        if path is None:
            raise Failure("the host asks for no nonce", expected="noncefile in its URL", seen=url)
        nonce = Path(os.fsdecode(path)).read_bytes()
        if not 16 <= len(nonce) <= 64:
            raise Failure("the size of the nonce", expected="16 to 64 bytes", seen=f"{len(nonce)} bytes")
        if nonce in words or nonce.hex().encode() in words.lower():
            raise Failure("the nonce is on the command line", seen=url)
        nonces.append(nonce)
    if nonces[0] == nonces[1]:
        raise Failure("two runs have the same nonce", expected="bytes that nobody can guess", seen=nonces[0].hex())


def listening(port: int) -> set[str]:
    """The local addresses at which somebody listens at a port, as the kernel writes them."""
    found = set()
    for name in ("tcp", "tcp6"):
        for line in Path("/proc/net", name).read_text().splitlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            if state == "0A" and int(address.rpartition(":")[2], 16) == port:
                found.add(address.rpartition(":")[0])
    return found


WRONG: dict[str, Callable[[bytes], bytes]] = {
    "a request": lambda nonce: REQUEST,
    "as many zeros": lambda nonce: bytes(len(nonce)),
    "all but the last bit": lambda nonce: nonce[:-1] + bytes([nonce[-1] ^ 1]) + REQUEST,
    "all but the first bit": lambda nonce: bytes([nonce[0] ^ 1]) + nonce[1:] + REQUEST,
    "in hexadecimal": lambda nonce: nonce.hex().encode() + REQUEST,
    "behind a byte": lambda nonce: b"\n" + nonce + REQUEST,
}


@case("OPN-19", on=("tcp",), each=WRONG)
def test_wrong_nonce(start_host: Callable[..., HostSession], each: Callable[[bytes], bytes]) -> None:
    """Who begins with something else is closed without a byte; then the plugin gets in."""
    host = start_host(opens=False)
    (url,) = host.urls()
    (path,) = files_of(host)
    nonce = path.read_bytes()
    for intruder in [Intruder(host.pump, url) for _ in range(3)]:
        intruder.say(each(nonce))
        wait_for_answer(host, intruder, "the end of a connection without the nonce")
        if intruder.came:
            raise Failure(
                "a connection without the nonce is served", expected="nothing", seen=repr(intruder.came[:200])
            )
    host.open()
    host.assert_alive()
    host.disconnect(0)
    host.ended(why="intruders came before the plugin, which exited 0", success=True)


@case("OPN-19", on=("tcp",), each={"nothing": (0,), "half of it": (1,)})
def test_silent_stranger(start_host: Callable[..., HostSession], each: tuple[int]) -> None:
    """Somebody who connects first and says nothing, or not all of the nonce, does not hold up the plugin."""
    host = start_host(opens=False)
    (url,) = host.urls()
    (path,) = files_of(host)
    intruders = [Intruder(host.pump, url) for _ in range(3)]
    for intruder in intruders:
        intruder.say(path.read_bytes()[: 8 * each[0]])
    host.stays(lambda: True, 0.1)
    host.open()
    host.assert_alive()
    for intruder in intruders:
        intruder.disconnect()
    host.assert_alive()
    host.disconnect(0)
    host.ended(why="silent intruders came before the plugin, which exited 0", success=True)


@case("OPN-24", each={"between calls": (False,), "while a service sleeps": (True,)})
def test_idle(host: HostSession, each: tuple[bool]) -> None:
    """A host that waits, for a request or for a service that sleeps, uses no processor time."""
    host.assert_alive()
    if each[0]:
        host.call("sleep", 900)
    host.stays(lambda: True, 0.2)
    before = host.child.seconds()
    host.stays(lambda: True, 0.5)
    used = host.child.seconds() - before
    if used > BUSY:
        raise Failure("an idle connection costs processor time", expected="none", seen=f"{used:.2f} s of 0.5 s")
