"""All interleavings of the threads of one connection, run on the programs that the threads run.

A `World` is a connection without threads: its programs take one step at a time, in the order that is asked for.
`explore` tries every order, and comes back to no situation twice.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from plugsvc.errors import PluginError
from plugsvc.host.calls import Call, Service, succeeded
from plugsvc.host.core import Event, HostCore, State
from plugsvc.host.limits import DEFAULTS, Limits
from plugsvc.host.namespaces import Namespace
from plugsvc.host.registry import Registry
from plugsvc.host.roles import Do, Program, Roles, Signal
from plugsvc.marshal import Signature
from plugsvc.wire import ReplyReader, encode_request

WAITED_FOR = (Signal.ROOM, Signal.WORK, Signal.ALARM)


SIGNATURE = Signature.from_types([], [int], side="provider")


class Registered(Registry):
    """A registry with some services, none of which is ever called. Made quickly, since it is made often."""

    def __init__(self, slow: tuple[str, ...]) -> None:
        super().__init__()
        self.namespace = Namespace("n", b"null")
        for name in ("a", "b", "c", "loop"):
            service = self.namespace.services[name] = Service(name, int, SIGNATURE, is_async=name == "loop")
            if name in slow:
                service.pace.disappoint()

    def find(self, namespace: str) -> Namespace | None:
        return self.namespace


@dataclass(frozen=True)
class Scenario:
    """What happens to a connection: everything that is listed may happen at any time.

    `names`: the services that are called; `hasNamespace` stands for that request. `after`: a call that does not end
    before another one was run. `ends`: the plugin closes its end; else it goes on to wait. `events`: from outside.
    `watchdog`: there is one; where it does not matter a test is quicker without.
    `failing`: the number of the thread that cannot be started. `broken`: nobody reads. `garbage`: the input ends so.
    """

    names: tuple[str, ...]
    one_read: bool = True
    after: dict[int, int] = field(default_factory=dict)
    ends: bool = False
    garbage: bool = False
    events: tuple[Event, ...] = ()
    limits: Limits = DEFAULTS
    slow: tuple[str, ...] = ()
    failing: int | None = None
    broken: bool = False
    time_is_up: bool = False
    watchdog: bool = True


class Thread:
    """A thread: its program, and what it is about to do."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.do: Do | None = None
        self.what: Any = None
        self.result: Any = None
        self.waits: Signal | None = None
        self.over = False

    def situation(self, step: int) -> Hashable:
        """Where its program is, with the simple ones of its variables; of steps only whether they are this one."""
        if self.over:
            return ()
        places = []
        generator: Any = self.program
        while generator is not None and generator.gi_frame is not None:
            frame = generator.gi_frame
            variables = tuple(
                (name, value == step if name in ("step", "seen") else value)
                for name, value in frame.f_locals.items()
                if isinstance(value, int | enum.Enum)
            )
            places.append((frame.f_lasti, variables))
            generator = generator.gi_yieldfrom
        what = self.what.sequence if isinstance(self.what, Call) else self.what if self.do is not Do.START else None
        return self.do, what if isinstance(what, Hashable) else None, self.waits, tuple(places)


class World:
    """A connection in a scenario, step by step."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.registry = Registered(scenario.slow)
        self.roles = Roles(HostCore(self.registry, scenario.limits))
        requests = [
            encode_request(number, "call", "n", name, b"[]")
            if name != "hasNamespace"
            else encode_request(number, name, "n")
            for number, name in enumerate(scenario.names, 1)
        ]
        self.script = [b"".join(requests)] if scenario.one_read and requests else requests
        if scenario.garbage:
            self.script.append(b"}")
        elif scenario.ends:
            self.script.append(b"")
        self.events = [*scenario.events]
        self.threads: list[Thread] = []
        self.loop: list[Call] = []
        self.submitted = False
        self.written = b""
        self.run: Counter[int] = Counter()
        self.completed: set[int] = set()
        self.interrupted = False
        self.cancelled = False
        self.closed = 0
        self.finished = 0
        self.started = 0
        error = (self.start(self.roles.watchdog) if scenario.watchdog else None) or self.start(self.roles.reader)
        if error is not None:
            self.roles.fail(error)
            self.threads.append(Thread(self.roles.reader()))

    def start(self, program: Callable[[], Program]) -> Exception | None:
        self.started += 1
        if self.started == self.scenario.failing:
            return RuntimeError("can't start new thread")
        self.threads.append(Thread(program()))
        return None

    # What may happen next

    def options(self) -> list[str]:
        """The names of all that can happen now."""
        found = [f"thread {number}" for number, thread in enumerate(self.threads) if self.can_go(thread)]
        found += [f"event {event.name}" for event in dict.fromkeys(self.events)] if not self.finished else []
        if self.submitted:
            found.append("loop begins")
        if self.loop:
            found.append("loop ends")
        return found

    def can_go(self, thread: Thread) -> bool:
        if thread.over or thread.waits is not None:
            return False
        if thread.do is Do.READ:
            return bool(self.script) or self.interrupted
        if thread.do is Do.RUN:
            other = self.scenario.after.get(thread.what.sequence)
            return other is None or other in self.completed
        if thread.do is Do.AWAIT_READER_GONE:
            return self.interrupted or self.scenario.broken or self.scenario.time_is_up
        return True

    def go(self, option: str) -> None:
        """Let that happen."""
        kind, _, which = option.partition(" ")
        if kind == "thread":
            self.step(self.threads[int(which)])
        elif kind == "event":
            event = Event[which]
            self.events.remove(event)
            self.roles.happen(event)
            self.signal()
        elif which == "begins":
            self.submitted = False
            self.loop += self.roles.take_awaited()
            self.signal()
        else:
            call = self.loop.pop(0)
            self.completed.add(call.sequence)
            self.roles.answered(call, succeeded(call, 0))
            self.signal()
            self.threads.append(Thread(self.roles.flush_from_loop(may_write=True)))
            self.submitted |= self.roles.core.awaited.startable > 0  # after it the loop takes what waits

    def step(self, thread: Thread) -> None:
        result = self.perform(thread.do, thread.what) if thread.do is not None else None
        try:
            thread.do, thread.what = thread.program.send(result)
        except StopIteration:
            thread.over = True
        else:
            thread.waits = thread.what if thread.do is Do.WAIT else None
        self.signal()

    def perform(self, do: Do, what: Any) -> Any:
        if do is Do.READ:
            what.receive(self.script.pop(0) if self.script else b"")
        elif do is Do.RUN:
            self.run[what.sequence] += 1
            self.completed.add(what.sequence)
            return succeeded(what, 0)
        elif do in (Do.WRITE, Do.WRITE_SOME):
            assert not self.closed, "written to a closed channel"
            if self.scenario.broken:
                return None
            # The loop finds room for a part only.
            count = len(what) if do is Do.WRITE else len(what) // 2
            self.written += what[:count]
            return count
        elif do is Do.START:
            return self.start(what)
        elif do is Do.SUBMIT:
            self.submitted = True
        elif do is Do.AWAIT_READER_GONE:
            return self.interrupted or self.scenario.broken
        elif do is Do.CLOSE:
            self.closed += 1
        elif do is Do.FINISH:
            self.finished += 1
        return None

    def signal(self) -> None:
        for signal in self.roles.signals:
            if signal is Signal.INTERRUPT:
                self.interrupted = True
            elif signal is Signal.CANCEL:
                self.cancelled = True
                self.loop.clear()
            else:
                waiting = [thread for thread in self.threads if thread.waits is signal]
                if waiting:
                    waiting[0].waits = None
        self.roles.signals.clear()

    # What has to hold

    def check(self) -> None:
        """What holds at each moment."""
        doing = [thread.do for thread in self.threads if not thread.over and thread.waits is None]
        assert doing.count(Do.READ) <= 1, "two threads read"
        assert doing.count(Do.WRITE) + doing.count(Do.WRITE_SOME) <= 1, "two threads write"
        assert doing.count(Do.RUN) <= self.scenario.limits.max_running, "more calls run than are allowed"
        assert max(self.run.values(), default=0) <= 1, "a call is run twice"
        assert self.closed <= 1
        assert self.finished <= 1

    def check_end(self) -> None:
        """What holds when nothing happens any more."""
        replies = [reply.sequence for reply in ReplyReader().feed(self.written)]
        assert max(Counter(replies).values(), default=0) <= 1, "a call is answered twice"
        complete = sorted(replies) == [*range(1, len(self.scenario.names) + 1)]
        left = [thread.waits or thread.do for thread in self.threads if not thread.over]
        if self.finished:
            if self.scenario.events or self.scenario.failing:  # then a service that runs is not waited for
                left = [each for each in left if each is not Do.RUN]
            assert left == [], f"a thread is left behind: {left}"
            assert self.closed == 1, "the channel is not closed"
            assert self.roles.core.state is State.OVER
        else:
            # The plugin may go on to ask, and everybody is where that needs him.
            left = [each for each in left if each is not Signal.WORK]
            expected = [Do.READ, Signal.ALARM] if self.scenario.watchdog else [Do.READ]
            assert sorted(left, key=str) == expected, f"those wait: {left}"
        if self.scenario.failing is not None and isinstance(self.roles.core.error, PluginError):
            return
        if not (self.scenario.events or self.scenario.broken or self.scenario.time_is_up):
            assert complete, f"answered: {replies}"
            assert self.roles.core.memory == 0

    def situation(self) -> Hashable:
        """Everything that tells one moment from another."""
        core = self.roles.core
        roles = plain(self.roles)
        step = roles.pop("_step")
        return (
            core.state, core.memory, core.calls.waiting, core.calls.running, core.awaited.waiting, core.awaited.running,
            core.output.writing, core.output.unsent, len(core.input.requests), core.input.ended,
            tuple(roles.items()), tuple(self.script), tuple(self.events), tuple(call.sequence for call in self.loop),
            self.submitted, self.written, frozenset(self.completed), self.interrupted, self.closed, self.finished,
            self.started, tuple(sorted(map(repr, (thread.situation(step) for thread in self.threads)))),
            tuple(service.pace.quick for service in self.registry.namespace.services.values()),
        )  # fmt: skip


def plain(thing: object) -> dict[str, Any]:
    """The simple ones of an object's attributes, whatever they are."""
    return {
        name: value.sequence if isinstance(value, Call) else value
        for name, value in vars(thing).items()
        if isinstance(value, int | enum.Enum | Call)
    }


def explore(scenario: Scenario, most: int = 200_000) -> tuple[int, int]:
    """Try every order; return how many situations and how many ends there are.

    Checks what has to hold in each of them.
    """
    seen: set[Hashable] = set()
    ends = 0
    paths: list[tuple[str, ...]] = [()]
    while paths:
        path = paths.pop()
        world = World(scenario)
        try:
            for option in path:
                world.go(option)
            while True:
                world.check()
                situation = world.situation()
                if situation in seen:
                    break
                assert len(seen) < most, "too many situations for a test"
                seen.add(situation)
                options = world.options()
                if not options:
                    world.check_end()
                    ends += 1
                    break
                paths += [(*path, option) for option in options[1:]]
                path = (*path, options[0])
                world.go(options[0])
        except AssertionError as error:
            error.add_note("in this order: " + ", ".join(path))
            raise
    return len(seen), ends
