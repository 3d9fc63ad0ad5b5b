"""The client core: every state with every event, and random sequences of events against a small model."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from plugsvc.client.core import ENDED, IDLE, PARTIAL, QUEUED, TABLE, TAKEN, Batch, Call, Core
from plugsvc.errors import ConnectionLost, ProtocolError
from plugsvc.wire import MAX_SEQUENCE, join_call
from plugsvc.wire.pieces import PIECES_FROM

from .hosts import PREFIX, reply

STATES = (IDLE, QUEUED, TAKEN, PARTIAL, ENDED)


def message(sequence: int, args: str = "[1]") -> bytes:
    return b'{"sequence":%d,"type":"call","namespace":"n","name":"s","args":%b}\n' % (sequence, args.encode())


def core_in(state: str) -> tuple[Core, Call]:
    """A core in a state, and the one call that it knows, or has known."""
    core, call = Core(), Call(PREFIX, b"[1]")
    if state == ENDED:
        core.end("over")
    if state in (QUEUED, TAKEN, PARTIAL):
        core.submit(call)
    if state in (TAKEN, PARTIAL):
        assert core.take() == message(1)
    if state == PARTIAL:
        core.written(3)
    assert core.state == state
    return core, call


def receive(core: Core, data: bytes) -> bool:
    core.received(data)
    return True


def reason(core: Core) -> str:
    assert core.over is not None
    return core.over.reason


def cancel(core: Core, call: Call) -> int:
    core.cancel(call)
    return core.pending


def end(core: Core) -> str:
    core.end("enough")
    return reason(core)


# What an event returns or raises, by state, and the state after it. `...`: not legal, a mistake of the driver.
EVENTS: dict[str, tuple[Callable[[Core, Call], Any], dict[str, Any]]] = {
    "submit": (
        lambda core, call: core.submit(Call(PREFIX, b"[2]")),
        {
            IDLE: (None, QUEUED), QUEUED: (None, QUEUED), TAKEN: (None, TAKEN), PARTIAL: (None, PARTIAL),
            ENDED: (ConnectionLost("over"), ENDED),
        },
    ),
    "take": (
        lambda core, call: core.take(),
        {
            IDLE: (None, IDLE), QUEUED: (message(1), TAKEN), TAKEN: (None, TAKEN), PARTIAL: (message(1)[3:], TAKEN),
            ENDED: (None, ENDED),
        },
    ),
    "written": (
        lambda core, call: core.written(1000),
        {IDLE: ..., QUEUED: ..., TAKEN: (None, IDLE), PARTIAL: ..., ENDED: (None, ENDED)},
    ),
    "written in part": (
        lambda core, call: core.written(1),
        {IDLE: ..., QUEUED: ..., TAKEN: (None, PARTIAL), PARTIAL: ..., ENDED: (None, ENDED)},
    ),
    "no room": (
        lambda core, call: core.written(0),
        {IDLE: ..., QUEUED: ..., TAKEN: (None, PARTIAL), PARTIAL: ..., ENDED: (None, ENDED)},
    ),
    "lose track of an atomic write": (
        lambda core, call: core.lose_track((call,), 4096),
        {
            IDLE: (True, IDLE), QUEUED: (True, QUEUED), TAKEN: (True, IDLE), PARTIAL: (True, PARTIAL),
            ENDED: (True, ENDED),
        },
    ),
    "lose track of another write": (
        lambda core, call: core.lose_track((call,), 10),
        {
            IDLE: (True, IDLE), QUEUED: (True, QUEUED), TAKEN: (False, TAKEN), PARTIAL: (True, PARTIAL),
            ENDED: (True, ENDED),
        },
    ),
    "receive a reply": (
        lambda core, call: receive(core, reply(1, "a")) and call in core.completed,
        {
            IDLE: (False, IDLE), QUEUED: (True, QUEUED), TAKEN: (True, TAKEN), PARTIAL: (True, PARTIAL),
            ENDED: (False, ENDED),
        },
    ),
    "receive a beginning": (
        lambda core, call: receive(core, b'{"seq') and core.completed == [],
        dict.fromkeys(STATES, (True, None)),
    ),
    "receive the end": (
        lambda core, call: receive(core, b"") and reason(core),
        dict.fromkeys(STATES, ("the host closed the connection", ENDED)) | {ENDED: ("over", ENDED)},
    ),
    "receive nonsense": (
        lambda core, call: receive(core, b"}") and reason(core)[:38],
        dict.fromkeys(STATES, ("the host sent what is not the protocol", ENDED)) | {ENDED: ("over", ENDED)},
    ),
    "cancel": (
        lambda core, call: cancel(core, call),
        {IDLE: (0, IDLE), QUEUED: (0, IDLE), TAKEN: (0, TAKEN), PARTIAL: (0, PARTIAL), ENDED: (0, ENDED)},
    ),
    "end": (
        lambda core, call: end(core),
        dict.fromkeys(STATES, ("enough", ENDED)) | {ENDED: ("over", ENDED)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("event", EVENTS)
def test_every_state_with_every_event(state: str, event: str) -> None:
    act, expected = EVENTS[event]
    core, call = core_in(state)
    if expected[state] is ...:
        with pytest.raises(
            RuntimeError, match=rf"^the client core cannot take the event 'wrote .*' in the state '{state}'$"
        ):
            act(core, call)
        assert core.state == state
        return
    outcome, after = expected[state]
    if isinstance(outcome, Exception):
        with pytest.raises(type(outcome)) as caught:
            act(core, call)
        assert str(caught.value) == str(outcome)
    else:
        assert act(core, call) == outcome
    assert core.state == (after or state)
    if core.state == ENDED:
        assert core.pending == 0
        assert core.take() is None
        assert [each.done for each in core.completed] == [False] * len(core.completed)
        if state in (QUEUED, TAKEN, PARTIAL):
            assert core.completed == [call]


def test_the_table_names_every_state() -> None:
    """A row without a state is one where the event is not legal; no row has any other."""
    assert {state for row in TABLE.values() for pair in row.items() for state in pair} == set(STATES)


def test_messages_that_wait_are_joined_and_those_of_cancelled_calls_left_out() -> None:
    core = Core()
    calls = [Call(PREFIX, b"[%d]" % number) for number in range(4)]
    for call in calls:
        core.submit(call)
    core.cancel(calls[1])
    assert core.take() == message(1, "[0]") + message(3, "[2]") + message(4, "[3]")
    core.cancel(calls[0])  # too late
    core.written(1)
    assert core.take() == (message(1, "[0]") + message(3, "[2]") + message(4, "[3]"))[1:]


def test_a_lost_write_of_several_messages_is_not_forgiven() -> None:
    core = Core()
    calls = [Call(PREFIX, b"[]") for _ in range(2)]
    for call in calls:
        core.submit(call)
    core.take()
    assert not core.lose_track(calls, 4096)


def test_a_lost_write_for_somebody_else_is_not_forgiven() -> None:
    """Who waits for it would wait for ever."""
    core, other = core_in(TAKEN)
    own = Call(PREFIX, b"[]")
    core.submit(own)
    assert not core.lose_track((own,), 4096)
    assert core.lose_track((other,), 4096)


def test_a_malformed_message_is_the_cause() -> None:
    core, call = core_in(TAKEN)
    core.received(reply(1, "a") + b"}")
    assert call.done
    assert core.over is not None
    assert isinstance(core.over.error().__cause__, ProtocolError)
    assert core.over.reason.endswith(f"(byte {len(reply(1, 'a'))} of the stream)")


def test_an_end_in_a_message() -> None:
    core, _ = core_in(TAKEN)
    core.received(b'{"sequence":1,')
    core.received(b"")
    assert core.over is not None
    assert core.over.reason == "the host closed the connection in the middle of a message, after 14 bytes of it"


def test_sequences_wrap_also_in_a_batch() -> None:
    core = Core(first_sequence=MAX_SEQUENCE - 1)
    batch = Batch([(PREFIX, b"[%d]" % number) for number in range(4)])
    core.submit(batch)
    sent = [json.loads(line)["sequence"] for line in bytes(core.take() or b"").splitlines()]
    assert sent == [MAX_SEQUENCE - 1, MAX_SEQUENCE, 0, 1]
    core.received(b"".join(reply(sequence, sequence) for sequence in reversed(sent[1:])))
    assert core.completed == []
    core.received(reply(sent[0], sent[0]))
    assert batch.done
    assert core.completed == [batch]
    assert [each and bytes(each.reply or b"") for each in batch.replies] == [b"[%d]" % each for each in sent]


def test_a_batch_that_is_cancelled_keeps_the_replies_that_it_has() -> None:
    core = Core()
    batch = Batch([(PREFIX, b"[]")] * 3)
    core.submit(batch)
    core.take()
    core.received(reply(2))
    core.cancel(batch)
    core.received(reply(1) + reply(3))
    assert [each is not None for each in batch.replies] == [False, True, False]
    assert core.pending == 0
    assert core.completed == []


class CoreMachine(RuleBasedStateMachine):
    """Any sequence of legal events. The model: what was queued, how much of it was taken, and who waits for what."""

    @initialize(first=st.sampled_from([1, MAX_SEQUENCE - 2]))
    def begin(self, first: int) -> None:
        self.core = Core(first_sequence=first)
        self.next = first
        self.queued: dict[Call, bytes] = {}
        self.to_write = b""
        self.written = b""
        self.chunk: bytes | None = None
        self.expected: dict[int, Call] = {}
        self.replies: dict[int, int] = {}
        self.told: list[Call] = []
        self.submitted: list[Call] = []

    def is_over(self) -> bool:
        return self.core.over is not None

    @precondition(lambda self: not self.is_over())
    @rule(count=st.integers(1, 3))
    def submit(self, count: int) -> None:
        call = Call(PREFIX, b"[1]") if count == 1 else Batch([(PREFIX, b"[1]")] * count)
        self.core.submit(call)
        self.queued[call] = b""
        for _ in range(count):
            self.expected[self.next] = call
            self.queued[call] += message(self.next)
            self.next = (self.next + 1) & MAX_SEQUENCE
        self.submitted.append(call)

    @precondition(lambda self: self.submitted)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(self.submitted))
        self.core.cancel(call)
        self.queued.pop(call, None)
        self.expected = {sequence: each for sequence, each in self.expected.items() if each is not call}

    @precondition(lambda self: self.chunk is None)
    @rule()
    def take(self) -> None:
        chunk = self.core.take()
        if chunk is None:
            assert self.is_over() or not (self.queued or self.to_write)
            return
        if not self.to_write:
            self.to_write = b"".join(self.queued.values())
            self.queued.clear()
        assert bytes(chunk) == self.to_write
        self.chunk = bytes(chunk)

    @precondition(lambda self: self.chunk is not None)
    @rule(part=st.floats(0, 1))
    def wrote(self, part: float) -> None:
        assert self.chunk is not None
        count = int(len(self.chunk) * part)
        self.core.written(count)
        self.written, self.to_write = self.written + self.chunk[:count], self.chunk[count:]
        self.chunk = None

    @rule(data=st.data())
    def receive(self, data: st.DataObject) -> None:
        unknown = (self.next + 5) & MAX_SEQUENCE
        sequences = data.draw(st.lists(st.sampled_from([*self.expected, unknown]), min_size=1, max_size=4))
        self.core.received(b"".join(reply(sequence, sequence) for sequence in sequences))
        for sequence in sequences:
            call = self.expected.pop(sequence, None)
            if call is not None and not self.is_over() and call not in self.expected.values():
                self.told.append(call)

    @rule()
    def end(self) -> None:
        before = self.is_over()
        self.core.end("enough")
        if not before:
            self.told += dict.fromkeys(self.expected.values())
        self.expected.clear()
        self.queued.clear()

    @invariant()
    def agrees(self) -> None:
        assert self.core.pending == len(self.expected)
        assert self.core.completed == self.told
        lines = self.written.split(b"\n")
        assert all(json.loads(line)["args"] == [1] for line in lines[:-1])
        sequences = [json.loads(line)["sequence"] for line in lines[:-1]]
        assert len(sequences) == len(set(sequences))


TestCoreMachine = CoreMachine.TestCase
TestCoreMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


LONG = b'["%b"]' % (b"x" * 2 * PIECES_FROM)


@pytest.mark.parametrize("room", [50_000, 10 * PIECES_FROM])
def test_the_pieces_of_a_long_message_are_written_in_order_and_nothing_in_between(room: int) -> None:
    core = Core()
    args = [b"[1]", LONG, b"[3]", LONG, b"[5]"]
    core.submit(Call(PREFIX, LONG))
    stream, joined = b"", 0
    while (chunk := core.take()) is not None:
        if args:
            core.submit(Call(PREFIX, args.pop(0)))
        count = min(room, len(chunk))
        stream += chunk[:count]
        core.written(count)
        joined += 1
    assert core.state == IDLE
    sent = [LONG, b"[1]", LONG, b"[3]", LONG, b"[5]"]
    assert stream == b"".join(join_call(number, PREFIX, each) for number, each in enumerate(sent, 1))
    assert joined >= 3 * 3


def test_a_long_message_that_was_begun_is_finished_after_its_caller_has_given_up() -> None:
    core, call = Core(), Call(PREFIX, LONG)
    core.submit(call)
    first = core.take()
    assert first is not None
    core.written(len(first))
    assert core.state == PARTIAL
    core.cancel(call)
    stream = bytes(first)
    while (chunk := core.take()) is not None:
        stream += chunk
        core.written(len(chunk))
    assert stream == join_call(1, PREFIX, LONG)
    assert core.state == IDLE


def test_of_a_piece_of_a_long_message_nobody_may_lose_track() -> None:
    core, call = Core(), Call(PREFIX, LONG)
    core.submit(call)
    while (chunk := core.take()) is not None:
        assert not core.lose_track((call,), 10 * len(LONG))
        core.written(len(chunk))
    assert core.state == IDLE


def test_after_the_end_no_piece_is_left() -> None:
    core, call = Core(), Call(PREFIX, LONG)
    core.submit(call)
    assert core.take() is not None
    core.end("over")
    core.written(10)
    core.written(10 * len(LONG))
    assert core.take() is None
    assert core.state == ENDED
