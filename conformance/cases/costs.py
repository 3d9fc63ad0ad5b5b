"""What each small read of a large message costs a testee, at the message's beginning and at its end."""

from __future__ import annotations

from collections.abc import Callable

from conformance.cases.boundaries import KIB, MIB
from conformance.drive.session import Session
from conformance.outcomes import Failure

SIZE = 16 * MIB
PART = MIB
"""What is measured of the message, at either end."""
PIECE = 4 * KIB
TRIES = 3
NOISE = 0.1
"""Seconds that may be a garbage collection, or another thing that happens once."""
RATIO = 3.0


def cost_of_reads(session: Session, message: bytes) -> tuple[float, float]:
    """Send a message in small pieces, each a read of its own.

    Returns the seconds of processor time for the part at its beginning, and for the last one but for the last piece.
    """
    middle, end = len(message) - PART - PIECE, len(message) - PIECE
    first = _cost(session, lambda: _deliver(session, message[:PART], PIECE))
    _deliver(session, message[PART:middle], 16 * PIECE)
    last = _cost(session, lambda: _deliver(session, message[middle:end], PIECE))
    session.send(message[end:])
    return first, last


def is_even(measure: Callable[[], tuple[float, float]]) -> None:
    """Check that reads cost about the same at both ends of a message; tried again, as machines are busy."""
    for _ in range(TRIES):
        first, last = measure()
        few, many = sorted((first, last))
        if many < RATIO * few + NOISE:
            return
    count = PART // PIECE
    raise Failure(
        "the cost of each read grows with what has come of the message: it is copied or scanned as a whole",
        expected=f"about the same processor time for {count} of them at either end of {SIZE // MIB} MiB",
        seen=f"{first:.3f} s at the beginning, {last:.3f} s at the end",
    )


def _cost(session: Session, do: Callable[[], None]) -> float:
    before = session.cpu_time()
    do()
    session.stays(lambda: True, 0.005)
    return session.cpu_time() - before


def _deliver(session: Session, data: bytes, size: int) -> None:
    for at in range(0, len(data), size):
        session.deliver(data[at : at + size])
