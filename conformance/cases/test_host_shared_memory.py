"""How a host uses and mistrusts shared memory."""

from __future__ import annotations

from conformance.case import case
from conformance.drive.host import HostSession
from conformance.drive.rings import CONSUMER_WAITS, HEAD, PRODUCER_WAITS, TAIL
from conformance.outcomes import Failure

SHM = ("shm",)
NONE = b'{"sequence":%d,"type":"call","namespace":"conformance","name":"none","args":[]}\n'


@case("OPN-27", on=SHM, each={"tail too far": (1,), "tail before the head": (-1,)})
def test_impossible_requests(host: HostSession, each: tuple[int]) -> None:
    """The counter of the bytes that the plugin has written becomes impossible: the connection ends, with a failure."""
    host.assert_alive()
    capacity = host.bridge.memory.capacity["requests"]
    host.bridge.corrupt("requests", TAIL, HEAD, capacity + 1 if each[0] > 0 else -1)
    host.broken_off("the counters of the ring of the requests cannot be true")


@case("OPN-27", on=SHM, each={"head far behind": (-1,), "head far ahead": (1,)})
def test_impossible_replies(host: HostSession, each: tuple[int]) -> None:
    """The counter of the bytes that the plugin has taken becomes impossible: the next large reply ends it."""
    host.assert_alive()
    capacity = host.bridge.memory.capacity["replies"]
    host.bridge.corrupt("replies", HEAD, TAIL, 8 * capacity if each[0] > 0 else -capacity - 1)
    host.call("blob", 3 * capacity)
    host.broken_off("the counters of the ring of the replies cannot be true")


@case("OPN-29", on=SHM)
def test_woken_for_bytes(host: HostSession) -> None:
    """Requests that come when the host sleeps, or is about to, wake it; its replies wake the plugin."""
    for milliseconds in (100, 100, 30, 10, 3, *(0, 1, 2) * 20):
        host.stays(lambda: True, milliseconds / 1000)
        host.results(host.call("echo", milliseconds), milliseconds)


@case("OPN-29", on=SHM)
def test_woken_for_room(host: HostSession) -> None:
    """Requests and replies several times as large as the ring pass, also when host or plugin pause in reading."""
    memory = host.bridge.memory
    text = "y" * (4 * memory.capacity["requests"])
    host.assert_alive()
    host.child.send_signal("SIGSTOP")
    sequence = host.call_raw("echo", b'["%s"]' % text.encode(), wait=False)
    # Then the host is the only one who can wake the plugin; one that reads in time would never have to. It goes on
    # reading if what was stopped is only a program around it.
    waits = memory.word("requests", PRODUCER_WAITS)
    host.look_for(lambda: bool(memory.words[waits]))
    host.child.send_signal("SIGCONT")
    host.results(sequence, text)
    size = 4 * memory.capacity["replies"]
    for paused in (False, True):
        host.wire.hold(paused)
        sequence = host.call("blob", size)
        if paused:
            host.stays(lambda: True, 0.2)
            host.wire.hold(False)
        host.results(sequence, "x" * size)


@case("OPN-29", on=SHM, each={"a few bytes": (100,), "all it holds": (1 << 20,)})
def test_crossed_on_its_way_to_sleep(host: HostSession, each: tuple[int]) -> None:
    """Again and again the ring is emptied, or filled, just when the host finds that it has to sleep."""
    host.assert_alive()
    bridge = host.bridge
    assert bridge is not None
    bridge.cross(each[0])
    for _ in range(10):
        first, count = host.reserve(200), 200
        host.send(b"".join(NONE % sequence for sequence in range(first, first + count)), wait=False)
        for sequence in range(first, first + count):
            host.results(sequence)
    if each[0] > 100:
        size = 8 * bridge.memory.capacity["replies"]
        host.results(host.call("blob", size), "x" * size)
        size = 8 * bridge.memory.capacity["requests"]
        host.results(host.call_raw("echo", b'["%s"]' % (b"y" * size), wait=False), "y" * size)


@case("OPN-24", on=SHM)
def test_sleeps(host: HostSession) -> None:
    """A host that waits for a request says so in the memory: it looks no more, and waits for its doorbell."""
    host.assert_alive()
    memory = host.bridge.memory
    waits = memory.word("requests", CONSUMER_WAITS)
    if not host.look_for(lambda: bool(memory.words[waits]), 1.0):
        raise Failure("the host never goes to sleep", expected="its word for waiting to be 1", seen="0 for a second")
