"""Which cases are run over which transports.

What a message means does not depend on how it travels. So a usual run has every case over the first transport that
testee and suite share, and over each other transport only a selection: it shows that the transport carries the
protocol, under load, and ends as it should. ``--scheme all`` and ``--bind all`` run everything over everything.
"""

from __future__ import annotations

from conformance.case import Case, matches
from conformance.drive.capabilities import Role
from conformance.drive.transports import TRAITS, TRANSPORTS, bind_of, has
from conformance.requirements import Side

ALL = "all"
"""The choice of every transport."""

EVERYWHERE = (
    "plugin/framing/split-at-every-byte",
    "plugin/concurrency/large-requests",
    "plugin/concurrency/both-ways",
    "plugin/ends/answered-then-end",
    "plugin/ends/after-host-gone",
    "plugin/ends/broken-pipe-while-writing",
    "plugin/ends/truncated[in-string]",
    "plugin/ends/exit-status[failure]",
    "plugin/malformed/first-message",
    "plugin/openers/interrupted-while-writing[stop and continuation]",
    "plugin/openers/sipped",
    "plugin/openers/nobody-reads",
    "plugin/openers/closed-with-request-unread",
    "plugin/openers/gone-before-first-byte",
    "plugin/openers/calls-leave-no-descriptors",
    "plugin/openers/closes-at-the-end",
    "plugin/openers/idle[while a call is pending]",
    "host/framing/byte-by-byte",
    "host/concurrency/large-replies-at-once",
    "host/concurrency/both-directions-full",
    "host/ends/success[after calls]",
    "host/ends/signal[SIGKILL]",
    "host/ends/truncated-message[in a string]",
    "host/ends/connection-never-opened[0]",
    "host/ends/writing-end-closed",
    "host/ends/exit-with-large-replies-unread[0]",
    "host/malformed/at-the-very-beginning",
    "host/execution/opened-later[writer first]",
    "host/openers/interrupted-while-writing[stop and continuation]",
    "host/openers/sipped",
    "host/openers/nobody-reads",
    "host/openers/closed-with-a-reply-unread[113]",
    "host/openers/gone-before-first-byte[killed]",
    "host/openers/inherited-descriptors",
    "host/openers/idle[while a service sleeps]",
)
"""What is run over every transport. A case that names few binds is run over all of these as well."""

FEW = 4
"""A case that names so few kinds of connections is about these."""

ONCE = (
    "plugin/urls/*",
    "plugin/unhosted/*",
    "plugin/limits/linear",
    "host/limits/linear-cost",
    "host/execution/manifest-version",
    "host/execution/manifest-in-pieces-again",
    "host/execution/no-such-command",
    "host/execution/info-fails",
    "host/execution/cannot-be-executed",
    "host/execution/shape-of-the-manifest",
    "host/execution/printing-errors-in-discovery",
)
"""What is run over one transport only, whatever was chosen: the transport does not matter to it."""


def transports_of(role: Role, side: Side) -> list[str]:
    """The transports that a testee and the suite share, in the order in which the testee declares them."""
    if side is Side.HOST:
        return list(role.binds)
    features = set(role.features)
    return [
        transport.name
        for scheme in role.schemes
        for transport in TRANSPORTS.values()
        if transport.scheme == scheme and transport.features <= features
    ]


def applies(case: Case, transport: str) -> bool:
    """Whether a case can be run over a transport at all."""
    return (not case.on or bind_of(transport) in case.on) and all(has(transport, trait) for trait in case.needs)


def reason_to_skip(case: Case) -> str:
    """Why a testee cannot run a case that applies to none of its transports."""
    wanted = [f"connects by {' or '.join(case.on)}"] if case.on else []
    wanted += [TRAITS[trait] for trait in case.needs]
    return (
        f"the testee declares nothing that {', and '.join(wanted)}"
        if wanted
        else "the testee and the suite share no scheme"
    )


def everywhere(case: Case, case_id: str) -> bool:
    """Whether a variant of a case belongs to what is run over every transport that it applies to."""
    return 0 < len(case.on) <= FEW or any(matches(pattern, case_id) for pattern in EVERYWHERE)


def once(case_id: str) -> bool:
    """Whether a variant of a case is run over one transport only."""
    return any(matches(pattern, case_id) for pattern in ONCE)
