"""The core of a connection, without I/O: every state with every event, and a model of ten lines."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from plugsvc.errors import ProtocolError
from plugsvc.host.calls import Call, succeeded
from plugsvc.host.core import TRANSITIONS, Event, HostCore, Reading, State
from plugsvc.host.limits import Limits
from plugsvc.host.registry import Registry
from plugsvc.wire import ReplyReader, encode_request, join_reply, reply_message
from plugsvc.wire.pieces import PIECES_FROM

TABLE = """
                OPEN      LEAVING   DRAINING  OVER
INPUT_ENDED     DRAINING  OVER      DRAINING  OVER
DRAINED         OPEN      LEAVING   OVER      OVER
READER_GONE     OPEN      LEAVING   OVER      OVER
PLUGIN_GONE     LEAVING   LEAVING   OVER      OVER
TIMEOUT         OPEN      LEAVING   OVER      OVER
CLOSED          OVER      OVER      OVER      OVER
"""


def registry() -> Registry:
    made = Registry()
    made.define("n", {"a": 1})
    made.add_service("n", "add", lambda a, b: a + b)
    return made


def core(**limits: Any) -> HostCore:
    return HostCore(registry(), Limits(**limits))


def call_of(core: HostCore, data: bytes = encode_request(1, "call", "n", "add", b"[1,2]")) -> Call:
    """Let the core receive a call, and return it."""
    core.input.receive(data)
    request = core.next_request()
    assert request is not None
    call = core.resolve(request)
    assert isinstance(call, Call)
    return call


def state_of(core: HostCore) -> State:
    """The state, as a type checker cannot know it."""
    return core.state


def reading_of(core: HostCore) -> Reading:
    """Likewise."""
    return core.reading


def error_of(core: HostCore) -> BaseException | None:
    """Likewise."""
    return core.error


def busy(state: State) -> HostCore:
    """A core in that state, with a call that runs, so that it stays there."""
    made = core()
    call_of(made)
    made.calls.running += 1
    if state is State.LEAVING:
        made.happen(Event.PLUGIN_GONE)
    elif state is State.DRAINING:
        made.happen(Event.INPUT_ENDED)
    elif state is State.OVER:
        made.happen(Event.CLOSED)
    assert state_of(made) is state
    return made


def table() -> list[tuple[State, Event, State]]:
    names, *rows = [line.split() for line in TABLE.strip().splitlines()]
    return [
        (State[name], Event[event], State[after])
        for event, *cells in rows
        for name, after in zip(names, cells, strict=True)
    ]


@pytest.mark.parametrize(("before", "event", "after"), table())
def test_every_state_with_every_event(before: State, event: Event, after: State) -> None:
    made = busy(before)
    made.happen(event)
    assert state_of(made) is after
    assert reading_of(made) is {State.DRAINING: Reading.ENDED, State.OVER: Reading.ENDED}.get(after, Reading.GO)
    if after is State.OVER or event is Event.READER_GONE:
        made.output.add(b"x")
        assert made.output.empty


def test_the_table_is_whole() -> None:
    assert {(before, event): after for before, event, after in table()} == {
        (before, event): after for before, row in TRANSITIONS.items() for event, after in row.items()
    }
    assert len(table()) == len(State) * len(Event)


def test_input_ends_after_what_came_before() -> None:
    made = core()
    made.input.receive(encode_request(1, "hasNamespace", "n") + b"}")
    assert reading_of(made) is Reading.GO
    assert made.next_request() is not None
    assert error_of(made) is None
    assert made.next_request() is None
    assert isinstance(error_of(made), ProtocolError)
    assert state_of(made) is State.OVER


def test_an_end_in_a_message_is_an_error_unless_the_host_has_closed() -> None:
    for close in (False, True):
        made = core()
        made.input.receive(b'{"sequence":')
        if close:
            made.happen(Event.CLOSED)
        made.input.receive(b"")
        made.next_request()
        assert (made.error is None) is close


def test_a_drained_connection_ends() -> None:
    made = core()
    call = call_of(made)
    assert made.queue(made.calls, call)
    assert made.calls.take() is call
    made.input.receive(b"")
    assert made.next_request() is None
    made.completed(made.calls, call, succeeded(call, 3))
    assert state_of(made) is State.DRAINING
    data = made.output.take()
    assert data == b'{"sequence":1,"reply":[3]}\n'
    made.written(data, len(data))
    assert state_of(made) is State.OVER


def test_a_batch_that_was_written_in_part_is_gone_on_with() -> None:
    output = core().output
    for reply in (b"one\n", b"two\n"):
        output.add(reply)
    data = output.take()
    assert data == b"one\ntwo\n"
    assert output.take() is None
    output.add(b"three\n")
    output.written(data, 5)
    assert output.take() == b"wo\nthree\n"
    assert output.unsent == 9


def test_the_pieces_of_a_long_reply_are_written_one_by_one_and_in_order() -> None:
    output = core().output
    results = b'["%b"]' % (b"x" * 2 * PIECES_FROM)
    for reply in (b"one\n", b"two\n", reply_message(3, results), b"four\n", reply_message(5, results), b"six\n"):
        output.add(reply)
    expected = b"one\ntwo\n%bfour\n%bsix\n" % (join_reply(3, results), join_reply(5, results))
    assert output.unsent == len(expected)
    written, batches = b"", 0
    while (data := output.take()) is not None:
        assert output.take() is None
        count = min(len(data), 100_000)
        written += data[:count]
        output.written(data, count)
        batches += 1
    assert written == expected
    assert batches == 7
    assert output.unsent == 0
    assert output.empty


@pytest.mark.parametrize(
    ("limits", "paused"),
    [({}, False), ({"max_queued": 1}, True), ({"max_memory": 600}, True), ({"max_memory": 100_000}, False)],
)
def test_reading_pauses_at_limits(limits: dict[str, int], paused: bool) -> None:
    made = core(**limits)
    call = call_of(made)
    assert made.queue(made.calls, call)
    assert (reading_of(made) is Reading.PAUSED) is paused
    assert made.calls.take() is call
    assert (reading_of(made) is Reading.PAUSED) is (paused and "max_memory" in limits)
    made.completed(made.calls, call, b"reply")
    assert reading_of(made) is Reading.GO
    assert made.memory == 0


def test_unsent_replies_pause_the_reading() -> None:
    made = core(max_unsent=10)
    made.output.add(b"x" * 10)
    assert reading_of(made) is Reading.PAUSED
    made.happen(Event.PLUGIN_GONE)
    assert reading_of(made) is Reading.GO


def test_padding_counts_for_memory_and_is_not_kept() -> None:
    """White space within the arguments counts. What is around them is dropped with the bytes that it came in."""
    made = core()
    call = call_of(
        made, b'{"sequence":1,"type":"call","namespace":"n","name":"add","args":[1,2' + b" " * 100_000 + b"]}"
    )
    assert made.queue(made.calls, call)
    assert 100_000 < made.memory < 110_000
    made = core()
    call = call_of(
        made, b'{"sequence":1,"type":"call","namespace":"n","name":"add",' + b" " * 100_000 + b'"args":[1,2]}'
    )
    assert call.args == b"[1,2]"
    assert type(call.args) is bytes
    assert made.queue(made.calls, call)
    assert made.memory < 2000


def test_values_count_for_memory() -> None:
    made = core()
    call = call_of(made, encode_request(1, "call", "n", "add", b"[[" + b"{}," * 9_999 + b"{}],1]"))
    assert made.queue(made.calls, call)
    assert made.memory > 10_000 * 4 * 64


def test_too_many_values_are_an_error_of_that_call() -> None:
    made = core(max_values=100)
    made.input.receive(encode_request(1, "call", "n", "add", b"[" + b"1," * 200 + b"1]"))
    request = made.next_request()
    assert request is not None
    assert made.resolve(request) == (
        b'{"sequence":1,"error":"the arguments have 205 values, more than the 100 that are allowed"}\n'
    )
    # What only looks like values does not count.
    call_of(made, encode_request(2, "call", "n", "add", b'["' + b"[,{," * 1000 + b'",1]'))


class Machine(RuleBasedStateMachine):
    """A core, and what has to be true of it: a set of calls, and a number of bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.core = core(max_running=2, max_queued=3, max_unsent=200)
        self.sequence = 0
        self.waiting: list[Call] = []
        self.running: list[Call] = []
        self.batch: bytes | memoryview | None = None
        self.replies: list[int] = []
        self.written = b""

    @precondition(lambda self: self.core.reading is Reading.GO and not self.core.input.ended)
    @rule()
    def receive(self) -> None:
        self.sequence += 1
        call = call_of(self.core, encode_request(self.sequence, "call", "n", "add", b"[1,2]"))
        if self.core.queue(self.core.calls, call):
            self.waiting.append(call)
        else:
            assert self.core.state is State.LEAVING
            assert len(self.waiting) >= 3

    @rule()
    def take(self) -> None:
        expected = self.waiting.pop(0) if self.waiting and len(self.running) < 2 else None
        assert self.core.calls.take() is expected
        if expected is not None:
            self.running.append(expected)

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 1))
    def complete(self, which: int) -> None:
        call = self.running.pop(which % len(self.running))
        if self.core.output.open:
            self.replies.append(call.sequence)
        self.core.completed(self.core.calls, call, succeeded(call, 3))

    @precondition(lambda self: self.batch is None)
    @rule()
    def begin_to_write(self) -> None:
        self.batch = self.core.output.take()

    @precondition(lambda self: self.batch is not None)
    @rule(part=st.integers(0, 100))
    def write(self, part: int) -> None:
        assert self.batch is not None
        data, self.batch = self.batch, None
        count = len(data) * part // 100
        self.written += data[:count]
        self.core.written(data, count)

    @precondition(lambda self: self.batch is not None)
    @rule()
    def fail_to_write(self) -> None:
        assert self.batch is not None
        data, self.batch = self.batch, None
        self.core.write_failed(data)

    @rule()
    def end_of_input(self) -> None:
        self.core.input.receive(b"")
        self.core.next_request()

    @rule(event=st.sampled_from([Event.PLUGIN_GONE, Event.TIMEOUT, Event.CLOSED]))
    def happen(self, event: Event) -> None:
        self.core.happen(event)

    @invariant()
    def agrees(self) -> None:
        if self.core.state is State.OVER:
            self.waiting = []
        assert (self.core.calls.waiting, self.core.calls.running) == (len(self.waiting), len(self.running))
        assert self.core.memory == sum(call.weight for call in self.waiting + self.running)
        assert self.core.error is None
        # Replies leave whole, once, and in the order in which the calls were completed.
        sent = [reply.sequence for reply in ReplyReader().feed(self.written)]
        assert sent == self.replies[: len(sent)]
        if self.core.output.open:
            assert (len(sent) == len(self.replies)) is self.core.output.empty


TestAgainstAModel = Machine.TestCase
