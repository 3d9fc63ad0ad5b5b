"""The leader/followers machine: all interleavings of a few callers, with everything that may go wrong at each step.

A `World` has callers that act as the driver of blocking calls does, a pipe, and a host. Whatever happens under the lock
is one step; a system call is another. `explore` visits every state that can be reached, by every order of steps, with a
bounded number of mishaps: a write that is cut short or finds no room, a time-out, an exception of a signal handler
(between a system call and the note of it, too), the end of the connection.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from plugsvc.client.core import Call, Core
from plugsvc.client.leader_followers import LeaderFollowers
from plugsvc.errors import ConnectionLost

from .hosts import PREFIX, reply


class Caller(Call):
    """A thread in a call. `at`: what it does next. `rings`: wake-ups that it has not seen yet."""

    def __init__(self, number: int) -> None:
        super().__init__(PREFIX, b"[%d]" % number)
        self.number = number
        self.at = "join"
        self.rings = False
        self.asleep: str | None = None  # on the descriptors, as the reader
        self.chunk: bytes | None = None
        self.count: int | None = None  # written by a system call, not noted yet
        self.data: bytes | None = None  # read by a system call, not noted yet
        self.outcome = ""

    def wake(self) -> None:
        self.rings = True

    def completed(self) -> None:
        self.rings = True


class World:
    """Everything that takes part; `steps` says what may happen next, and `do` does it."""

    def __init__(self, callers: int, mishaps: int, atomic: int) -> None:
        self.roles = LeaderFollowers(Core())
        self.callers = [Caller(number) for number in range(callers)]
        self.mishaps = mishaps
        self.atomic = atomic  # up to how many bytes are written as a whole or not at all
        self.pipe = b""  # what the host has got
        self.answered: set[int] = set()
        self.replies = b""  # what the host has sent and nobody has read
        self.eof = False
        self.doorbell = False  # rung, and not seen by a reader

    # What may happen

    def steps(self) -> Iterator[str]:
        for caller in self.callers:
            yield from (f"{caller.number} {step}" for step in self.steps_of(caller))
            if caller.at == "join":
                break  # they are all alike: it is enough that they come in this order
        for sequence in self.asked():
            if sequence not in self.answered:
                yield f"host {sequence}"
        if self.mishaps and not self.eof:
            yield "host !eof"

    def steps_of(self, caller: Caller) -> Iterator[str]:
        roles, core = self.roles, self.roles.core
        at = caller.at
        if at == "done":
            return
        if at in ("join", "note write", "note read", "leave"):
            yield at
        elif at == "write":
            yield "write"
            if self.mishaps:
                if not self.atomic:
                    yield "!write half"
                yield "!write nothing"
        elif at == "wait":
            if roles.reader is caller and not caller.rings:
                if self.replies or self.eof:
                    yield "read"
                elif caller.asleep is None:
                    yield "go" if caller.done or core.over is not None else "sleep"
                elif self.doorbell:
                    yield "hear"
                elif caller.asleep == "watches room":
                    yield "resume"  # there is room again after each write that found none
            elif caller.rings:
                yield "go"
            if self.mishaps:
                yield "!time-out"
        if self.mishaps and at not in ("join", "leave"):
            yield "!strike"
        if self.mishaps and at == "join":
            yield "!close"

    def asked(self) -> list[int]:
        return [json.loads(line)["sequence"] for line in self.pipe.split(b"\n")[:-1]]

    # What it does

    def do(self, step: str) -> None:
        who, what = step.split(" ", 1)
        if what.startswith("!"):
            self.mishaps -= 1
            what = what[1:]
        if who == "host":
            self.host(what)
        else:
            name, *rest = what.split()
            getattr(self, name.replace("-", "_"))(self.callers[int(who)], *rest)

    def host(self, what: str) -> None:
        if what == "eof":
            self.eof = True
        else:
            self.answered.add(int(what))
            self.replies += reply(int(what), int(what))

    def join(self, caller: Caller) -> None:
        try:
            chunk = self.roles.join(caller, caller)
        except ConnectionLost:
            self.finish(caller)
            return
        self.go_on(caller, chunk)

    def go_on(self, caller: Caller, chunk: bytes | memoryview | None) -> None:
        caller.chunk = None if chunk is None else bytes(chunk)
        caller.at = "wait" if chunk is None else "write"

    def write(self, caller: Caller, how: str = "all") -> None:
        assert caller.chunk is not None
        assert not any(other.at in ("write", "note") for other in self.callers if other is not caller), "two writers"
        caller.count = {"all": len(caller.chunk), "half": len(caller.chunk) // 2, "nothing": 0}[how]
        if self.eof or self.roles.core.over is None:
            self.pipe += caller.chunk[: caller.count]
        caller.at = "note write"

    def note(self, caller: Caller, what: str) -> None:
        if what == "read":
            self.note_read(caller)
            return
        roles, count = self.roles, caller.count
        assert count is not None
        caller.count = None
        if count:
            self.go_on(caller, roles.wrote(count))
        else:
            if roles.no_room():
                self.doorbell = True
            self.go_on(caller, None)

    def sleep(self, caller: Caller) -> None:
        caller.asleep = "watches room" if self.roles.blocked else "watches input"

    def hear(self, caller: Caller) -> None:
        caller.asleep, self.doorbell = None, False

    def read(self, caller: Caller) -> None:
        caller.asleep = None
        assert not any(other.at == "note read" for other in self.callers), "two readers"
        self.roles.in_hand = True
        caller.data, self.replies = self.replies, b""
        caller.at = "note read"

    def note_read(self, caller: Caller) -> None:
        roles, core = self.roles, self.roles.core
        assert caller.data is not None
        core.received(caller.data)
        caller.data = None
        self.tell()
        roles.in_hand = False
        caller.at = "wait"
        if core.over is not None:
            self.wind_up()
        elif caller.done:
            self.pass_on(caller)
            self.finish(caller)

    def resume(self, caller: Caller) -> None:
        caller.asleep = None
        self.go_on(caller, self.roles.resume(caller))

    def go(self, caller: Caller) -> None:
        """Wake up."""
        caller.rings = False
        if caller.done or self.roles.core.over is not None:
            caller.at = "leave"

    def time_out(self, caller: Caller) -> None:
        caller.at = "leave"

    def strike(self, caller: Caller) -> None:
        caller.at = "leave"

    def close(self, caller: Caller) -> None:
        """Close the connection instead of calling."""
        self.roles.core.end("closed")
        self.wind_up()
        self.finish(caller)

    def leave(self, caller: Caller) -> None:
        roles, core = self.roles, self.roles.core
        core.cancel(caller)
        if roles.writer is caller and not core.lose_track((caller,), self.atomic):
            core.end("interrupted while writing")
        if roles.reader is caller and roles.in_hand:
            roles.in_hand = False
            core.end("interrupted while reading")
        self.pass_on(caller)
        if roles.blocked:
            self.doorbell = True
        if core.over is not None:
            self.wind_up()
        self.finish(caller)

    def pass_on(self, caller: Caller) -> None:
        successor = self.roles.successor(caller)
        if successor is not None:
            successor.wake()
        self.roles.leave(caller)

    def tell(self) -> None:
        completed = self.roles.core.completed
        while completed:
            call = completed.pop()
            self.roles.served(call)
            call.completed()

    def wind_up(self) -> None:
        self.roles.core.end("again")
        self.tell()
        if not self.roles.empty:
            self.doorbell = True

    def finish(self, caller: Caller) -> None:
        caller.at = "done"
        over = self.roles.core.over
        caller.outcome = "reply" if caller.done else "given up" if over is None else over.reason

    # What has to hold

    def check(self) -> None:
        roles = self.roles
        for caller in self.callers:
            if caller.done:
                assert caller.reply is not None
                assert caller.reply.sequence == caller.sequence, "another call's reply"
            if caller.at == "done":
                assert roles.reader is not caller
                assert roles.writer is not caller
                assert caller not in roles.followers
        assert roles.reader not in roles.followers
        if roles.followers:
            assert roles.reader is not None, "followers without a reader"
        *lines, rest = self.pipe.split(b"\n")
        for line in lines:
            assert set(json.loads(line)) == {"sequence", "type", "namespace", "name", "args"}, "a torn message"
        assert b"sequence" not in rest[5:], "a torn message"
        assert len(self.asked()) == len(set(self.asked())), "a message was sent twice"

    def key(self) -> tuple[object, ...]:
        """What tells this state from others."""
        roles = self.roles
        return (
            tuple((c.at, c.rings, c.asleep, c.chunk, c.count, c.data, c.done, c.sequence) for c in self.callers),
            repr(roles.core), self.number(roles.reader), self.number(roles.writer),
            tuple(self.number(each) for each in roles.followers), roles.in_hand,
            self.pipe, frozenset(self.answered), self.replies, self.eof, self.mishaps, self.doorbell,
        )  # fmt: skip

    @staticmethod
    def number(member: object) -> int | None:
        assert member is None or isinstance(member, Caller)
        return None if member is None else member.number


def explore(callers: int, mishaps: int, atomic: int) -> tuple[int, set[tuple[str, ...]]]:
    """Visit every state; return how many there are, and the outcomes of the callers at all ends."""

    seen, ends = set(), set()
    branches: list[list[str]] = [[]]
    while branches:
        path = branches.pop()
        world = World(callers, mishaps, atomic)
        for step in path:
            world.do(step)
        while True:
            world.check()
            key = world.key()
            if key in seen:
                break
            seen.add(key)
            steps = list(world.steps())
            if all(step.split(" ", 1)[1].startswith("!") for step in steps):
                # Nothing goes on by itself: then everybody has to be at the end.
                asleep = [caller.number for caller in world.callers if caller.at != "done"]
                assert not asleep, f"{asleep} forgotten after {path}"
                assert world.roles.empty
                ends.add(tuple(sorted(caller.outcome for caller in world.callers)))
            if not steps:
                break
            branches += ([*path, step] for step in steps[1:])
            path = [*path, steps[0]]
            world.do(steps[0])
    return len(seen), ends


@pytest.mark.parametrize(
    ("callers", "mishaps", "atomic", "states"),
    [(2, 0, 0, 70), (2, 1, 4096, 300), (2, 2, 0, 2000), (2, 2, 4096, 1000), (3, 0, 0, 500), (3, 1, 0, 5000)],
)
def test_all_interleavings(callers: int, mishaps: int, atomic: int, states: int) -> None:
    visited, ends = explore(callers, mishaps, atomic)
    print(visited, ends)
    assert visited >= states
    assert ("reply",) * callers in ends
    if not mishaps:
        assert len(ends) == 1
        return
    outcomes = {outcome for end in ends for outcome in end}
    expected = {"reply", "given up", "interrupted while reading", "the host closed the connection", "closed"}
    assert outcomes == expected | ({"interrupted while writing"} if not atomic or mishaps or callers > 1 else set())
