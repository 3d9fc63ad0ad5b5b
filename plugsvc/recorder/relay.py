"""The state of a recorded connection, without I/O: events go in, actions come out.

A connection has two flows, one for each direction. A flow reads from its *source* and writes to its *sink*. It holds at
most one piece of data: while the sink takes nothing, nothing is read, so back-pressure reaches the source.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

__all__ = ["REPLIES", "REQUESTS", "Act", "Action", "Flow", "FlowState", "Relay"]

REQUESTS = ">"
"""The direction from the plugin to the host."""
REPLIES = "<"
"""The direction from the host to the plugin."""


class FlowState(Enum):
    """What a flow waits for: data from its source, room in its sink, or nothing any more."""

    READING = "reading"
    WRITING = "writing"
    OVER = "over"


class Act(Enum):
    """What the driver has to do. `RECORD_…` come first, so that nothing is passed on that is not recorded."""

    RECORD_DATA = "data"
    RECORD_EOF = "eof"
    RECORD_CLOSED = "closed"
    WRITE = "write"
    END_SINK = "end sink"
    STOP_SOURCE = "stop source"


class Action(NamedTuple):
    """One thing to do for a flow; `data` only for `RECORD_DATA`. `WRITE` means to write what is `pending`."""

    act: Act
    data: bytes = b""


_WRITE = Action(Act.WRITE)
_EOF = (Action(Act.RECORD_EOF), Action(Act.END_SINK))
_CLOSED = (Action(Act.RECORD_CLOSED), Action(Act.STOP_SOURCE))
_DROPPED = (Action(Act.END_SINK), Action(Act.STOP_SOURCE))
_ENDED = (Action(Act.END_SINK),)


class Flow:
    """One direction. `pending` is what was read and not yet written."""

    def __init__(self, direction: str) -> None:
        self.direction = direction
        self.state: FlowState = FlowState.READING
        self.pending: memoryview = memoryview(b"")
        self.draining = False

    def received(self, data: bytes) -> tuple[Action, ...]:
        """The source gave these bytes; `b""` is its end."""
        assert self.state is FlowState.READING
        if not data:
            self.state = FlowState.OVER
            return _EOF
        self.pending = memoryview(data)
        self.state = FlowState.WRITING
        return (Action(Act.RECORD_DATA, data), _WRITE)

    def nothing_there(self) -> tuple[Action, ...]:
        """The source has nothing at present; when its program has ended, that is the end."""
        if not self.draining or self.state is not FlowState.READING:
            return ()
        self.state = FlowState.OVER
        return _ENDED

    def wrote(self, count: int) -> None:
        """The sink took `count` bytes of what is pending."""
        assert self.state is FlowState.WRITING
        self.pending = self.pending[count:]
        if not self.pending:
            self.state = FlowState.READING

    def sink_closed(self) -> tuple[Action, ...]:
        """Nobody reads at the sink any more."""
        if self.state is FlowState.OVER:
            return ()
        self.state = FlowState.OVER
        self.pending = memoryview(b"")
        return _CLOSED

    def drop(self) -> tuple[Action, ...]:
        """End now, whatever is pending."""
        if self.state is FlowState.OVER:
            return ()
        self.state = FlowState.OVER
        self.pending = memoryview(b"")
        return _DROPPED


class Relay:
    """Both flows, and whether the plugin's process runs."""

    def __init__(self) -> None:
        self.requests: Flow = Flow(REQUESTS)
        self.replies: Flow = Flow(REPLIES)
        self.exited: bool = False

    @property
    def flows(self) -> tuple[Flow, Flow]:
        """Both flows."""
        return self.requests, self.replies

    @property
    def over(self) -> bool:
        """Whether there is nothing left to pass on."""
        return all(flow.state is FlowState.OVER for flow in self.flows)

    def plugin_exited(self) -> tuple[Action, ...]:
        """The plugin's process has ended: return what to do for the replies, which nobody reads now.

        What the plugin has written before still goes to the host. A child of the plugin that holds the connection open
        is not waited for.
        """
        self.exited = True
        self.requests.draining = True
        return self.replies.drop()
