"""How a plugin takes, uses and mistrusts shared memory."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

from conformance.case import case
from conformance.drive import endpoints
from conformance.drive.plugin import PluginSession
from conformance.drive.rings import CONSUMER_WAITS, DATA, DOORBELLS, HEAD, PRODUCER_WAITS, TAIL
from conformance.outcomes import Failure, NotRun

Start = Callable[..., PluginSession]
SHM = ("shm",)
CAPACITY = 4096
CROSSED = 3_000
"""How often a plugin is crossed on its way to sleep, in each direction."""


def put(at: int, form: str, value: int) -> Callable[[Path], None]:
    """What writes a number into the memory file."""

    def corrupt(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(at)
            file.write(struct.pack(form, value))

    return corrupt


def _shorter(path: Path) -> None:
    os.truncate(path, DATA + CAPACITY)


def _longer(path: Path) -> None:
    os.truncate(path, DATA + 3 * CAPACITY)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _link(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to("real")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _no_doorbell(path: Path) -> None:
    Path(f"{path}.replies.filled").unlink()


def _plain_doorbell(path: Path) -> None:
    Path(f"{path}.replies.filled").unlink()
    Path(f"{path}.replies.filled").touch(0o600)


def _foreign(path: Path) -> None:
    if os.geteuid() != 0:
        raise NotRun("to give a file to another user, the suite has to be run by root")
    os.chown(path, endpoints.NOBODY, -1)


CORRUPTED: dict[str, Callable[[Path], None]] = {
    "magic": put(0, "<B", 0x50),
    "end of the magic": put(7, "<B", 0x20),
    "version": put(0x008, "<I", 77),
    "data offset": put(0x00C, "<I", 8192),
    "capacity not a power of two": put(0x010, "<I", CAPACITY - 8),
    "capacity zero": put(0x014, "<I", 0),
    "capacity too large": put(0x014, "<I", 1 << 31),
    "file size field": put(0x018, "<Q", DATA + 2 * CAPACITY + 1),
    "reserved bytes": put(0x07F, "<B", 1),
    "tail behind its end": put(0x280, "<Q", CAPACITY + 1),
    "head before its tail": put(0x380, "<Q", 1),
    "file too short": _shorter,
    "file too long": _longer,
    "file empty": _empty,
    "symbolic link": _link,
    "directory": _folder,
    "bell missing": _no_doorbell,
    "bell that is no pipe": _plain_doorbell,
    "file of another user": _foreign,
}


@case("OPN-26", on=SHM, each=CORRUPTED)
def test_spoiled(start_plugin: Start, each: Callable[[Path], None]) -> None:
    """One thing is wrong with the memory file or its names: the call fails, and the name is still there."""
    endpoint = endpoints.shm(CAPACITY, CAPACITY)
    copy = endpoint.path.with_name("copy")  # the suite's own mapping stays as it is: a file cut off would kill it
    copy.touch(0o600)
    copy.write_bytes(endpoint.path.read_bytes())
    copy.rename(endpoint.path)
    each(endpoint.path)
    plugin = start_plugin(endpoint=lambda: endpoint)
    ticket = plugin.call()
    plugin.look_for(lambda: plugin.arrived(ticket) or not os.path.lexists(endpoint.path))
    if not os.path.lexists(endpoint.path):
        raise Failure(
            "the plugin takes memory that is not right",
            expected="an error of the call, and a file that is still there",
            seen="the removal of its name",
        )
    text = plugin.failed(ticket, why="the memory is not right")
    if each is CORRUPTED["version"] and "77" not in text:
        raise Failure("the error does not name the version", expected="a text with 77", seen=text)
    plugin.finish()


@case("OPN-28", on=SHM)
def test_names_are_removed(plugin: PluginSession) -> None:
    """When the plugin has made its first call, neither the memory file nor a doorbell has a name any more."""
    plugin.assert_alive()
    path = plugin.shared.path
    left = [name for name in (str(path), *(f"{path}.{doorbell}" for doorbell in DOORBELLS)) if os.path.lexists(name)]
    if left:
        raise Failure("the plugin has not taken the connection", expected="no names", seen=", ".join(left))


@case("OPN-28", on=SHM)
def test_taken_by_somebody_else(start_plugin: Start) -> None:
    """The name of the memory file is gone: somebody else has the connection, and the call fails."""
    endpoint = endpoints.shm()
    endpoint.path.unlink()
    plugin = start_plugin(endpoint=lambda: endpoint)
    plugin.failed(plugin.call(), why="the memory has been taken by somebody else")
    plugin.finish()


IMPOSSIBLE = {"tail too far": (TAIL, CAPACITY + 1), "tail before the head": (TAIL, -1)}


@case("OPN-27", on=SHM, each=IMPOSSIBLE)
def test_impossible_replies(start_plugin: Start, each: tuple[int, int]) -> None:
    """While the plugin waits for a reply, the counter of the bytes there becomes impossible: the call fails."""
    which, by = each
    plugin = start_plugin(endpoint=lambda: endpoints.shm(CAPACITY, CAPACITY))
    plugin.assert_alive()
    ticket = plugin.call()
    plugin.request(ticket)
    plugin.shared.bridge.corrupt("replies", which, HEAD, by)
    plugin.failed(ticket, why="the counters of the ring cannot be true")
    plugin.failed(plugin.call(), why="a call after the counters of a ring could not be true")
    plugin.finish()


@case("OPN-27", on=SHM, each={"head far behind": (HEAD, -CAPACITY - 1), "head far ahead": (HEAD, 8 * CAPACITY)})
def test_impossible_requests(start_plugin: Start, each: tuple[int, int]) -> None:
    """The counter of the bytes that the host has taken becomes impossible: a call that needs the room fails."""
    which, by = each
    plugin = start_plugin(endpoint=lambda: endpoints.shm(CAPACITY, CAPACITY))
    plugin.assert_alive()
    plugin.shared.bridge.corrupt("requests", which, TAIL, by)
    plugin.failed(plugin.call("x" * 3 * CAPACITY), why="the counters of the ring cannot be true")
    plugin.failed(plugin.call(), why="a call after the counters of a ring could not be true")
    plugin.finish()


@case("OPN-29", on=SHM)
def test_woken_for_bytes(plugin: PluginSession) -> None:
    """Replies that come when the plugin sleeps, or is about to, wake it; its requests wake the host."""
    for milliseconds in (100, 100, 30, 10, 3, *(0, 1, 2) * 20):
        ticket = plugin.call(milliseconds)
        request = plugin.request(ticket)
        plugin.stays(lambda: True, milliseconds / 1000)
        plugin.reply(request, reply=[milliseconds])
        plugin.ok(ticket, milliseconds)


@case("OPN-29", on=SHM, each={"64 bytes": (64, 64), "different": (128, 1024)})
def test_woken_for_room(start_plugin: Start, each: tuple[int, int]) -> None:
    """Through rings of a few bytes, messages of a hundred thousand pass, also when the host pauses in reading."""
    requests, replies = each
    plugin = start_plugin(endpoint=lambda: endpoints.shm(requests, replies))
    text = "".join(f"{number:06d} " for number in range(15_000))
    for paused in (False, True):
        plugin.wire.hold(paused)
        ticket = plugin.call(text)
        if paused:
            plugin.being_written(ticket)
            plugin.wire.hold(False)
        request = plugin.serve(ticket, text)
        if request.get("args") != [text]:
            raise Failure("another argument on the wire than was given", seen=repr(request.get("args"))[:200])
        plugin.ok(ticket, text)


@case("OPN-29", on=SHM, each={"64 bytes": (64,), "4096 bytes": (4096,)})
def test_crossed_on_its_way_to_sleep(start_plugin: Start, each: tuple[int]) -> None:
    """Thousands of times a ring is emptied, or filled to the brim, just when the plugin is about to sleep."""
    (capacity,) = each
    plugin = start_plugin(endpoint=lambda: endpoints.shm(capacity, capacity))
    plugin.assert_alive()
    plugin.shared.bridge.cross()
    text = "".join(f"{number:06d} " for number in range(CROSSED * min(capacity, 256) // 7))
    ticket = plugin.call(text)
    request = plugin.serve(ticket, text)
    if request.get("args") != [text]:
        raise Failure("another argument on the wire than was given", seen=repr(request.get("args"))[:200])
    plugin.ok(ticket, text)
    for number in range(100):
        ticket = plugin.call(number)
        plugin.serve(ticket, number)
        plugin.ok(ticket, number)


@case("OPN-24", on=SHM)
def test_sleeps(plugin: PluginSession) -> None:
    """A plugin that waits for a reply says so in the memory: it looks no more, and waits for its doorbell."""
    plugin.assert_alive()
    plugin.request(plugin.call())
    memory = plugin.shared.bridge.memory
    waits, room = memory.word("replies", CONSUMER_WAITS), memory.word("requests", PRODUCER_WAITS)
    if not plugin.look_for(lambda: bool(memory.words[waits]), 1.0):
        raise Failure("the plugin never goes to sleep", expected="its word for waiting to be 1", seen="0 for a second")
    if memory.words[room]:
        raise Failure("the plugin waits for room in an empty ring", expected="0", seen=str(memory.words[room]))
