"""More of a thing than a small counter holds: arguments, keys, elements and requests at a host."""

from __future__ import annotations

from typing import Any

from conformance.case import case
from conformance.cases.boundaries import BYTE, COUNTS, LARGE_COUNTS, TWO_BYTES
from conformance.drive.host import HostSession
from conformance.drive.problems import Problems
from conformance.outcomes import Failure

SERVICES = {"none": 0, "echo": 1, "swap": 2}


@case("ARI-07")
def test_arguments_too_many_for_a_counter(host: HostSession) -> None:
    """256 arguments more than a service takes, or 65,536, are too many, although a small counter does not see it."""
    problems = Problems()
    for service, taken in SERVICES.items():
        for more in (BYTE, TWO_BYTES):
            with problems.of(f"{taken + more} arguments for {service}, which takes {taken}"):
                host.error(host.call(service, *range(taken + more)), why="there are too many arguments")
    problems.check()
    host.assert_alive()


@case("TYP-11", types=("any",))
def test_elements_and_keys(host: HostSession) -> None:
    """Lists and objects of as many elements as a small counter can count, or more, come back as sent."""
    problems = Problems()
    values: list[Any] = [[0] * count for count in LARGE_COUNTS]
    values += [{str(number): number for number in range(count)} for count in (*COUNTS, 4 * BYTE)]
    for value in values:
        with problems.of(f"{len(value)} elements of a {type(value).__name__}"):
            host.results(host.call("echo", value), value)
    problems.check()


@case("TYP-01", "TYP-15", types=("any",))
def test_characters(host: HostSession) -> None:
    """Texts and keys of as many characters as a small counter can count, or more, come back as sent."""
    problems = Problems()
    for count in LARGE_COUNTS:
        for character in "xé":
            with problems.of(f"{count} times {character}"):
                value = {character * count: character * count}
                host.results(host.call("echo", value), value)
    problems.check()


@case("FRM-08")
def test_unknown_keys(host: HostSession) -> None:
    """As many unknown keys as a small counter can count, or more, are ignored, before and behind the known ones."""
    problems = Problems()
    host.connect()
    known = b'"sequence":%d,"type":"call","namespace":"conformance","name":"echo","args":["right"]'
    for count in (*COUNTS, 5_000):
        more = b",".join(b'"k%d":%d' % (number, number) for number in range(count))
        for before in (True, False):
            with problems.of(f"{count} unknown keys"):
                sequence = host.fresh()
                parts = (more, known % sequence) if before else (known % sequence, more)
                host.send(b"{" + b",".join(parts) + b"}")
                host.results(sequence, "right")
    problems.check()


@case("NSP-07")
def test_length_of_names(host: HostSession) -> None:
    """A name that is another's and 256 characters more, or 65,536, is another name."""
    problems = Problems()
    for more in (BYTE, TWO_BYTES):
        with problems.of(f"a namespace of {more} characters more"):
            reply = host.reply(host.request("hasNamespace", "conformance" + "x" * more))
            if reply.get("ok"):
                raise Failure("a namespace is found by another name", expected="ok: false", seen=repr(reply)[:200])
        with problems.of(f"a service of {more} characters more"):
            host.error(host.call("none" + "\0" * more), why="there is no such service")
    problems.check()
    host.assert_alive()


@case("REP-06")
def test_requests(host: HostSession) -> None:
    """Lookups in one write, more than a small counter can count, are each answered, and once."""
    host.connect()
    count = 16 * BYTE
    first = host.reserve(count)
    line = b'{"sequence":%d,"type":"hasNamespace","namespace":"conformance"}'
    host.send(b"".join(line % sequence for sequence in range(first, first + count)), wait=False)
    for sequence in range(first, first + count):
        host.reply(sequence)
    host.no_more()
