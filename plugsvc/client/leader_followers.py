"""Who reads and who writes: the leader/followers pattern as a state machine without any I/O.

Several callers share one connection and there is no thread that serves it. The pattern is that of D. Schmidt et al.,
"Pattern-Oriented Software Architecture, Volume 2" (2000), Leader/Followers, with callers in the place of a pool:

- The *reader* (the leader) is the one member that reads, for everybody. Only the reader ever sleeps on the descriptors.
- The *followers* sleep until their replies are in, or until they are made the reader.
- The *writer* is the member in the middle of writing. Who finds one leaves its message to it. A writer that finds no
  room does not wait: it leaves the rest to the reader. So a host that is itself stuck in writing to us is always read.

Why nobody is forgotten, given that each method runs under the driver's lock:

1. A member becomes the reader, where there is none, or a follower in the step that makes its call known.
2. The reader leaves in one step, which wakes a follower, its *successor*, and makes it the reader. So while there are
   followers there is a reader, which has not left yet: it is awake, or asleep on the descriptors.
3. A follower is woken when its reply is in, when it becomes the reader, and when the connection is over. A wake-up that
   comes before the sleep is remembered.
4. A member that gives up (time-out, Ctrl-C) leaves like all others, and passes on its roles. Whether it was made the
   reader meanwhile shows in the step in which it leaves.
5. When there is more to write or the connection is over, the reader is told by a doorbell that it watches as well.

A message that was begun is finished before another one begins, also when its caller has given up. Only where an
exception strikes between a system call and the note of what it did, nobody knows where in the stream we are; then the
connection ends with that reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .core import IDLE, PARTIAL, QUEUED, Call, Core

__all__ = ["LeaderFollowers", "Member"]


class Member(Protocol):
    """Who can read and write: a thread in a call, or a step of an event loop."""

    def wake(self) -> None:
        """Wake it, with the connection's lock held. May be done again to one that is awake."""


class LeaderFollowers:
    """The roles of the members of one connection, whose state is `core`.

    `reader`, `writer`: who has these roles, or None. `followers`: the others, in the order in which they came.
    `in_hand`: the reader is reading, and what it has read has not reached the core.
    """

    __slots__ = ("core", "followers", "in_hand", "reader", "writer")

    core: Core
    in_hand: bool

    def __init__(self, core: Core) -> None:
        self.core = core
        self.reader: Member | None = None
        self.writer: Member | None = None
        self.followers: dict[Member, None] = {}
        self.in_hand = False

    @property
    def blocked(self) -> bool:
        """Whether something waits to be written and nobody writes: there was no room for it."""
        return self.writer is None and self.core.state in (PARTIAL, QUEUED)

    @property
    def empty(self) -> bool:
        """Whether nobody reads or writes, so that the descriptors may be closed."""
        return self.reader is None and self.writer is None

    # Coming

    def join(self, member: Member, call: Call) -> bytes | memoryview | None:
        """Submit a call, and become the reader or a follower; return what to write if it is also the writer.

        Raises `ConnectionLost`.
        """
        core = self.core
        idle = core.state == IDLE
        core.submit(call)
        if self.reader is None:
            self.reader = member
        else:
            self.followers[member] = None
        if not idle:
            return None
        self.writer = member
        return core.take()

    def send(self, member: Member, calls: Sequence[Call]) -> bytes | memoryview | None:
        """Submit calls of a member that does not wait for them; return what to write if it is the writer.

        Raises `ConnectionLost`.
        """
        core = self.core
        idle = core.state == IDLE
        if core.over is not None:
            raise core.over.error()
        if idle:
            self.writer = member  # first: who is interrupted below has to leave
        for call in calls:
            core.submit(call)
        return core.take() if idle else None

    def visit(self, member: Member) -> bool:
        """Become the reader for one step, if there is none; return whether it is."""
        if self.reader is not None:
            return False
        self.reader = member
        return True

    # Writing

    def wrote(self, count: int) -> bytes | memoryview | None:
        """Take note of what the writer wrote; return what it has to write next, None when it is not the writer any
        more."""
        core = self.core
        core.written(count)
        if core.state == IDLE or (chunk := core.take()) is None:
            self.writer = None
            return None
        return chunk

    def no_room(self) -> bool:
        """Take note that the writer found no room, which leaves the rest to the reader.

        Returns whether the reader is somebody else, whose doorbell has to be rung.
        """
        other = self.reader is not self.writer
        self.core.written(0)
        self.writer = None
        return other

    def stop_writing(self) -> None:
        """Take note that the writer cannot write any more, since the connection is over."""
        self.writer = None

    def resume(self, member: Member) -> bytes | memoryview | None:
        """Return what the reader has to write, as the writer, where there was no room before."""
        if self.writer is not None:
            return None
        self.writer = member  # first: an interruption leaves no chunk without a writer
        chunk = self.core.take()
        if chunk is None:
            self.writer = None
        return chunk

    # Going

    def served(self, member: object) -> None:
        """Take note that a member's call is completed: it does not follow any more."""
        self.followers.pop(member, None)  # type: ignore[call-overload]

    def successor(self, member: Member) -> Member | None:
        """Return who is the reader once `member` has left, None if that is nobody, or `member` is not the reader.

        It has to be woken before `leave`: an interruption in between is then made good by doing both again.
        """
        if self.reader is not member or not self.followers:
            return None
        # The one that came last is the most likely to be awake still, and to stay the reader for long.
        for follower in reversed(self.followers):
            if follower is not member:
                return follower
        return None

    def leave(self, member: Member) -> None:
        """Give up all roles; the reader's goes to the successor. Does nothing when done again."""
        if self.writer is member:
            self.writer = None
        if self.reader is member:
            if self.followers:
                self.reader = successor = self.successor(member)
                self.followers.pop(successor, None)  # type: ignore[arg-type]  # nobody is none of them
            else:
                self.reader = None
        if self.followers:
            self.followers.pop(member, None)

    def abandon(self) -> None:
        """In a forked child: no member is in this process, save for one that will leave soon."""
        self.reader = self.writer = None
        self.followers = {}
        self.core.completed.clear()
