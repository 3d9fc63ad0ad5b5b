"""The state of a recorded connection, event by event."""

from __future__ import annotations

import random

import pytest

from plugsvc.recorder.relay import REPLIES, REQUESTS, Act, Action, Flow, FlowState, Relay


def acts(actions: tuple[Action, ...]) -> list[Act]:
    return [action.act for action in actions]


def test_data_is_recorded_before_it_is_passed_on() -> None:
    flow = Flow(REQUESTS)
    assert flow.received(b"{}") == (Action(Act.RECORD_DATA, b"{}"), Action(Act.WRITE))
    assert (flow.state, bytes(flow.pending)) == (FlowState.WRITING, b"{}")


def test_nothing_is_read_while_the_sink_takes_nothing() -> None:
    flow = Flow(REQUESTS)
    flow.received(b"abc")
    flow.wrote(0)
    flow.wrote(2)
    assert bytes(flow.pending) == b"c"
    assert flow.state is not FlowState.READING
    flow.wrote(1)
    assert acts(flow.received(b"")) == [Act.RECORD_EOF, Act.END_SINK]


def test_the_end_of_one_direction_leaves_the_other() -> None:
    relay = Relay()
    assert acts(relay.requests.received(b"")) == [Act.RECORD_EOF, Act.END_SINK]
    assert relay.replies.state is FlowState.READING
    assert not relay.over


@pytest.mark.parametrize("pending", [b"", b"abc"])
def test_a_sink_that_nobody_reads_stops_the_source(pending: bytes) -> None:
    flow = Flow(REPLIES)
    if pending:
        flow.received(pending)
    assert acts(flow.sink_closed()) == [Act.RECORD_CLOSED, Act.STOP_SOURCE]
    assert (flow.state, bytes(flow.pending)) == (FlowState.OVER, b"")
    assert flow.sink_closed() == ()


def test_what_an_ended_plugin_has_written_goes_to_the_host() -> None:
    relay = Relay()
    relay.requests.received(b"last")
    assert acts(relay.plugin_exited()) == [Act.END_SINK, Act.STOP_SOURCE]
    assert relay.requests.state is FlowState.WRITING
    relay.requests.wrote(4)
    assert relay.requests.received(b" words")[0] == Action(Act.RECORD_DATA, b" words")
    relay.requests.wrote(6)
    assert acts(relay.requests.nothing_there()) == [Act.END_SINK]
    assert relay.over


def test_nothing_there_is_no_end_while_the_plugin_runs() -> None:
    relay = Relay()
    assert relay.requests.nothing_there() == ()
    assert relay.requests.state is FlowState.READING


def test_any_pieces_arrive_whole_and_recorded() -> None:
    draw = random.Random(1)
    for _ in range(200):
        flow, sent, recorded, arrived = Flow(REQUESTS), b"", b"", b""
        for _ in range(draw.randrange(8)):
            piece = draw.randbytes(draw.randrange(1, 50))
            sent += piece
            for act, data in flow.received(piece):
                recorded += data if act is Act.RECORD_DATA else b""
            while flow.state is FlowState.WRITING:
                count = draw.randrange(len(flow.pending) + 1)
                arrived += flow.pending[:count]
                flow.wrote(count)
        assert sent == recorded == arrived
