"""Many calls of a plugin at once: given, taken and answered in windows, so that many share a switch of processes.

One call at a time costs two switches between suite and testee, which is most of the cost of a call. Where the testee
can have several calls outstanding, a window of them is given, all their requests are taken, and all the answers leave
in one write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from conformance.drive.control import Ticket
from conformance.drive.plugin import PluginSession
from conformance.outcomes import Failure

T = TypeVar("T")
WINDOW = 64
"""Calls that are outstanding at once."""


def windows(items: Sequence[T], size: int = WINDOW) -> Iterator[Sequence[T]]:
    """The items in order, so many at a time."""
    for at in range(0, len(items), size):
        yield items[at : at + size]


def exchange(
    plugin: PluginSession,
    calls: Sequence[T],
    give: Callable[[T, int, bool], Ticket],
    answer: Callable[[T, dict[str, Any]], bytes],
    judge: Callable[[T, Ticket], None],
    *,
    background: bool,
) -> None:
    """Have the plugin make calls, answer their requests, and judge their outcomes.

    ``give(call, number, background)`` starts one, with its number as last argument, by which its request is known;
    ``answer(call, request)`` is the reply to its request; ``judge(call, ticket)`` takes its outcome. In the background
    up to `WINDOW` calls are outstanding, and answered in another order than they were made; else it is one after the
    other.

    Raises:
        Failure: two requests of one call, or none.
    """
    for window in windows(calls):
        tickets = [give(call, number, background) for number, call in enumerate(window)]
        if background:
            requests = by_number(plugin, len(window))
            order = sorted(range(len(window)), key=lambda number: (number * 7 + 3) % len(window))
            plugin.send(b"".join(answer(window[number], requests[number]) for number in order))
        else:
            for call, ticket in zip(window, tickets, strict=True):
                plugin.send(answer(call, plugin.request(ticket)))
        for call, ticket in zip(window, tickets, strict=True):
            judge(call, ticket)


def by_number(plugin: PluginSession, count: int) -> dict[int, dict[str, Any]]:
    """So many requests by the last of their arguments, which must be 0, 1 and so on, each once."""
    found: dict[int, dict[str, Any]] = {}
    for _ in range(count):
        request = plugin.request()
        args = request.get("args")
        number = args[-1] if isinstance(args, list) and args else None
        if type(number) is not int or number in found or number >= count:
            expected = "its own number as last argument, once each"
            raise Failure("each of several concurrent calls makes one request", expected=expected, seen=repr(request))
        found[number] = request
    return found
