"""Many calls at a time."""

from __future__ import annotations

from conformance.case import case
from conformance.drive.host import HostSession
from conformance.outcomes import Failure

CONCURRENT = ("concurrent",)
LARGE = 300_000


@case("CON-01", features=CONCURRENT)
def test_fast_beside_slow(host: HostSession) -> None:
    """A fast call that was made after a slow one is answered before it."""
    slow = host.call("sleep", 700)
    for i in range(20):
        host.results(host.call("echo", i), i)
    if host.arrived(slow):
        raise Failure("the fast calls were answered only after the slow one", expected="before it", seen="after it")
    host.results(slow, 700)


@case("CON-01", features=CONCURRENT)
def test_order_of_completion(host: HostSession) -> None:
    """Replies leave in the order in which the services end, not in that of the calls."""
    milliseconds = (1000, 700, 400, 100)
    sequences = [host.call("sleep", ms) for ms in milliseconds]
    for sequence, ms in zip(sequences, milliseconds, strict=True):
        host.results(sequence, ms)
    if host.order != sequences[::-1]:
        raise Failure(
            "the order of the replies",
            expected=f"{sequences[::-1]}, the shortest first",
            seen=repr(host.order),
        )


@case("CON-01", features=CONCURRENT)
def test_fast_beside_many_slow(host: HostSession) -> None:
    """Fifty slow calls do not hold up a fast one: whatever bounds the calls that run is no small number."""
    slow = [host.call("sleep", 1500) for _ in range(50)]
    host.results(host.call("echo", "fast"), "fast")
    answered = sum(host.arrived(sequence) for sequence in slow)
    if answered:
        raise Failure(
            "a fast call beside fifty slow ones was not answered at once",
            expected="its reply before that of any slow call",
            seen=f"{answered} slow calls were answered before it",
        )
    for sequence in slow:
        host.results(sequence, 1500)


@case("CON-01", features=CONCURRENT)
def test_failures_beside_slow(host: HostSession) -> None:
    """Errors, panics and unknown services are answered beside a slow call as well."""
    slow = host.call("sleep", 700)
    host.error(host.call("fail", "no"), why="the service failed")
    host.error(host.call("panic", "oh"), why="the service panicked")
    host.error(host.call("missing"), why="the service is not defined")
    host.error(host.request("bogus"), why="there is no such type of request")
    if host.arrived(slow):
        raise Failure("failing calls were answered only after a slow one", expected="before it", seen="after it")
    host.results(slow, 700)


@case("CON-02")
def test_each_its_own_result(host: HostSession) -> None:
    """Five hundred outstanding calls of several services, failing ones among them, each get what is theirs."""
    sequences: list[int] = []
    for i in range(100):
        sequences += [
            host.call("echo", {"number": i}),
            host.call("add", i, 1000),
            host.call("fail", f"error {i}"),
            host.call("swap", i, str(i)),
            host.call("panic", f"panic {i}"),
        ]
    for i in range(100):
        echo, add, fail, swap, panic = sequences[5 * i : 5 * i + 5]
        host.results(echo, {"number": i})
        host.results(add, i + 1000)
        host.results(swap, str(i), i)
        error, panicked = host.error(fail, why="the service failed"), host.error(panic, why="the service panicked")
        if error != f"error {i}" or not panicked.endswith(f"panic {i}"):
            raise Failure("the error of another call", expected=f"error {i} and panic {i}", seen=f"{error}; {panicked}")
    host.no_more()


@case("CON-02", features=CONCURRENT)
def test_each_its_own_duration(host: HostSession) -> None:
    """Calls that end in a mixed order each get their own result."""
    milliseconds = [(i * 37) % 200 for i in range(60)]
    sequences = [host.call("sleep", ms) for ms in milliseconds]
    for sequence, ms in zip(sequences, milliseconds, strict=True):
        host.results(sequence, ms)
    host.no_more()


@case("CON-04")
def test_large_replies_at_once(host: HostSession) -> None:
    """Replies of 300 kB, made at the same time, never interleave, with each other or with small ones."""
    large = {host.call("echo", chr(97 + i) * LARGE): chr(97 + i) * LARGE for i in range(20)}
    blobs = {host.call("blob", LARGE + i): "x" * (LARGE + i) for i in range(20)}
    small = {host.call("echo", i): i for i in range(50)}
    for sequence, meant in {**large, **blobs, **small}.items():
        host.results(sequence, meant)
    host.no_more()


@case("CON-04", features=CONCURRENT)
def test_large_replies_beside_sleepers(host: HostSession) -> None:
    """Small replies that come due while large ones are written never interleave with them."""
    sleepers = {host.call("sleep", ms): ms for ms in range(0, 150, 3)}
    blobs = {host.call("blob", 2_000_000 + i): "x" * (2_000_000 + i) for i in range(6)}
    errors = [host.call("fail", "e" * LARGE) for _ in range(6)]
    for sequence, meant in {**sleepers, **blobs}.items():
        host.results(sequence, meant)
    for sequence in errors:
        host.error(sequence, why="the service failed")
    host.no_more()


@case("CON-05")
def test_both_directions_full(host: HostSession) -> None:
    """Requests and replies far larger than the pipes hold, both under way at the same time, never deadlock."""
    values = [chr(65 + i) * 1_000_000 for i in range(16)]
    sequences = [host.call_raw("echo", f'["{value}"]'.encode(), wait=False) for value in values]
    for sequence, value in zip(sequences, values, strict=True):
        host.results(sequence, value)


@case("CON-05")
def test_requests_while_replies_wait(host: HostSession) -> None:
    """The plugin reads nothing until the host has had time to fill the pipe, then everything arrives."""
    host.wire.hold(True)
    sequences = [host.call_raw("echo", b'["%b"]' % (b"y" * LARGE), wait=False) for _ in range(16)]
    host.stays(lambda: True, 0.3)
    host.wire.hold(False)
    for sequence in sequences:
        host.results(sequence, "y" * LARGE)


@case("CON-06", features=CONCURRENT)
def test_lookups_beside_running_calls(host: HostSession) -> None:
    """Lookups are answered while calls are running."""
    slow = [host.call("sleep", 800) for _ in range(50)]
    for _ in range(5):
        if host.reply(host.request("hasNamespace")).get("ok") is not True:
            raise Failure("hasNamespace beside running calls", expected="true", seen="another answer")
        if host.reply(host.request("getManifest")).get("reply") != {"contract": 1}:
            raise Failure("getManifest beside running calls", expected="the manifest", seen="another answer")
        if host.reply(host.request("listServices", "conformance/parent")).get("services") != ["where"]:
            raise Failure("listServices beside running calls", expected="['where']", seen="another answer")
    if any(host.arrived(sequence) for sequence in slow):
        raise Failure("lookups were answered only after a call that was running", expected="before it", seen="after it")
    for sequence in slow:
        host.results(sequence, 800)
