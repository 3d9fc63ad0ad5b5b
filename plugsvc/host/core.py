"""A connection as its host sees it, without I/O: what came in, what runs, what goes out, and how it ends.

Events go in (bytes received, end of input, call completed, bytes written, write failed, plugin gone, close), and the
state says what to do: which call to run, which bytes to write, whether to read. There is no lock, descriptor, thread,
clock or event loop in here. `roles` says which thread does what, `server` has the lock and the descriptors.

The life of a connection is the table `TRANSITIONS`:

- OPEN: requests are read and answered.
- LEAVING: the plugin is gone. What it left behind is read and answered, nobody waits for room or for calls.
- DRAINING: nothing is read any more. Calls from before that are answered, then the connection ends.
- OVER: nothing is read, run or written any more.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Raw

from ..errors import ProtocolError
from ..wire import CONTAINER, Message, Request, RequestReader, count_values, rough_count
from .calls import Call, answer_refused
from .limits import Limits
from .lookup import look_up
from .namespaces import Namespaces

__all__ = ["TRANSITIONS", "CallQueue", "Event", "HostCore", "Input", "Reading", "State", "WriteQueue"]

VALUE_BYTES = 64
"""What a value of the arguments takes in memory, at most and on average, see `wire.count`."""
CALL_BYTES = 512
"""What a call takes besides its arguments."""
COUNTED = 4096
"""From this many bytes on, what is received is counted; for less the largest number of values is assumed."""
RETAINED = 64 * 1024
"""Arguments look into the bytes of one read. From this size of a read on, small ones are copied out of it."""


class State(enum.Enum):
    """Where a connection is in its life."""

    OPEN = "open"
    LEAVING = "leaving"
    DRAINING = "draining"
    OVER = "over"


class Event(enum.Enum):
    """What changes the state of a connection."""

    INPUT_ENDED = "the input has ended: end of file, or a malformed message"
    DRAINED = "every call was answered, every reply written"
    READER_GONE = "the plugin does not read any more"
    PLUGIN_GONE = "the plugin has ended"
    TIMEOUT = "the time to drain is up"
    CLOSED = "the host closes the connection, or cannot go on"


class Reading(enum.Enum):
    """What the thread that reads has to do."""

    GO = "read"
    PAUSED = "wait until there is room"
    ENDED = "read nothing more"


OPEN, LEAVING, DRAINING, OVER = State
GO, PAUSED, ENDED = Reading

TRANSITIONS: Mapping[State, Mapping[Event, State]] = MappingProxyType(
    {
        OPEN: {
            Event.INPUT_ENDED: DRAINING,
            Event.DRAINED: OPEN,
            Event.READER_GONE: OPEN,  # it may still have something to say
            Event.PLUGIN_GONE: LEAVING,
            Event.TIMEOUT: OPEN,
            Event.CLOSED: OVER,
        },
        LEAVING: {
            Event.INPUT_ENDED: OVER,
            Event.DRAINED: LEAVING,
            Event.READER_GONE: LEAVING,
            Event.PLUGIN_GONE: LEAVING,
            Event.TIMEOUT: LEAVING,
            Event.CLOSED: OVER,
        },
        DRAINING: {
            Event.INPUT_ENDED: DRAINING,
            Event.DRAINED: OVER,
            Event.READER_GONE: OVER,
            Event.PLUGIN_GONE: OVER,
            Event.TIMEOUT: OVER,
            Event.CLOSED: OVER,
        },
        OVER: dict.fromkeys(Event, OVER),
    }
)
"""The next state, for each state and event."""


class CallQueue:
    """Calls of one kind: those that wait, in their order, and how many run. At most `limit` run at once."""

    __slots__ = ("_calls", "limit", "running", "waiting")

    limit: int
    running: int
    waiting: int

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.running = 0
        self.waiting = 0
        self._calls: deque[Call] = deque()

    @property
    def startable(self) -> int:
        """How many of the calls that wait may run now."""
        return min(self.waiting, self.limit - self.running)

    @property
    def busy(self) -> bool:
        """Whether a call waits or runs."""
        return self.running > 0 or self.waiting > 0

    def add(self, call: Call) -> None:
        """Let a call wait for its turn."""
        self._calls.append(call)
        self.waiting += 1

    def take(self) -> Call | None:
        """Return the next call that may run, which counts as running from now on, or None."""
        if not self.waiting or self.running >= self.limit:
            return None
        self.running += 1
        self.waiting -= 1
        return self._calls.popleft()

    def drop(self) -> list[Call]:
        """Take all calls out that wait, and return them."""
        dropped = [*self._calls]
        self._calls.clear()
        self.waiting = 0
        return dropped


class WriteQueue:
    """Replies on their way out. One thread at a time writes, for all.

    Who takes a batch is the writer until `written` or `fail`. So a reply is never mixed with another one, many replies
    leave in one write, and a plugin that does not read blocks one thread at most. The pieces of a long reply are
    written one by one, since to join them would copy it.
    """

    __slots__ = ("_replies", "open", "unsent", "writing")

    writing: bool
    open: bool
    unsent: int

    def __init__(self) -> None:
        self.open = True
        self.writing = False
        self.unsent = 0
        self._replies: list[bytes | memoryview] = []

    @property
    def empty(self) -> bool:
        """Whether everything was written, or given up."""
        return not self._replies and not self.writing

    @property
    def takeable(self) -> bool:
        """Whether there is something to write that nobody is writing."""
        return bool(self._replies) and not self.writing

    def add(self, reply: Message) -> None:
        """Put one reply in. Dropped when nobody reads any more."""
        if not self.open:
            return
        if isinstance(reply, tuple):
            self._replies += reply
            self.unsent += sum(map(len, reply))
        else:
            self._replies.append(reply)
            self.unsent += len(reply)

    def take(self) -> bytes | memoryview | None:
        """Become the writer of what waits, up to the next long piece; None when there is nothing, or another one
        writes."""
        replies = self._replies
        if self.writing or not replies:
            return None
        self.writing = True
        self._replies = []
        return replies[0] if len(replies) == 1 else self._join(replies)

    def _join(self, replies: list[bytes | memoryview]) -> bytes | memoryview:
        """Return one long piece, or the replies before the next one as one batch; what follows waits."""
        count = next((index for index, reply in enumerate(replies) if type(reply) is memoryview), len(replies)) or 1
        self._replies = replies[count:]
        return replies[0] if count == 1 else b"".join(replies[:count])

    def written(self, data: bytes | memoryview, count: int) -> None:
        """Record that `count` bytes of the batch `data` were written. The rest goes first in the next batch."""
        self.writing = False
        self.unsent -= count
        if count < len(data):
            if self.open:
                self._replies.insert(0, data[count:])
            else:
                self.unsent -= len(data) - count

    def close(self) -> None:
        """Drop what waits, and everything that comes from now on."""
        self.open = False
        self.unsent -= sum(map(len, self._replies))
        self._replies = []


class Input:
    """What comes in. It belongs to the thread that reads: no other one touches it.

    `requests`: those that were not taken yet. `ended`: nothing more will come. `error`: why, None for a clean end of
    file. `read`, `values`: in how many bytes the present messages came, and how many values these have at most.
    """

    __slots__ = ("_messages", "ended", "error", "read", "requests", "values")

    read: int
    values: int
    ended: bool

    def __init__(self, limits: Limits) -> None:
        self._messages = RequestReader(max_message=limits.max_message, max_depth=limits.max_depth)
        self.requests: deque[Request] = deque()
        self.ended = False
        self.error: ProtocolError | None = None
        self.read = 0
        self.values = 0

    def receive(self, data: bytes) -> None:
        """Take bytes from the plugin; none at the end of the stream."""
        messages = self._messages
        if not data:
            self.ended = True
            try:
                messages.eof()
            except ProtocolError as error:
                self.error = error
            return
        size = len(data)
        count = CONTAINER * size if size <= COUNTED else rough_count(data)
        if messages.buffered:
            size += self.read
            count += self.values
        self.read, self.values = size, count
        self.requests += messages.feed(data)
        if messages.error is not None:
            self.ended, self.error = True, messages.error

    def break_off(self, error: ProtocolError) -> None:
        """Take note that the plugin broke the stream itself."""
        self.ended, self.error = True, error


class HostCore:
    """One connection. `error` says how it ended: None for a clean end.

    Everything happens under the lock of the owner, but for what belongs to `input`. `calls` run in threads, `awaited`
    in an event loop. `output` is what to write. `memory`: bytes that calls count for which wait or run.
    """

    input: Input
    calls: CallQueue
    awaited: CallQueue
    output: WriteQueue
    state: State
    memory: int

    def __init__(self, registry: Namespaces, limits: Limits) -> None:
        self.state = OPEN
        self.error: BaseException | None = None
        self.limits = limits
        self.input = Input(limits)
        self.calls = CallQueue(limits.max_running)
        self.awaited = CallQueue(limits.max_awaiting)
        self.output = WriteQueue()
        self._registry = registry
        self.memory = 0
        self._small = min(RETAINED, limits.max_values // CONTAINER)  # bytes of a read that need no further look

    @property
    def reading(self) -> Reading:
        """Whether to read, as things are."""
        if self.state is OPEN:
            unsent, memory = self.output.unsent, self.memory
            if unsent or memory:
                limits = self.limits
                # Calls that wait count as memory, so where there is none nothing waits.
                if unsent >= limits.max_unsent or (
                    memory
                    and (memory >= limits.max_memory or self.calls.waiting + self.awaited.waiting >= limits.max_queued)
                ):
                    return PAUSED
            return GO
        return GO if self.state is LEAVING else ENDED

    def happen(self, event: Event) -> None:
        """Change the state, as `TRANSITIONS` says."""
        before, self.state = self.state, TRANSITIONS[self.state][event]
        if event is Event.READER_GONE:
            self.output.close()
        elif event is Event.INPUT_ENDED and before is not OVER and self.error is None:
            self.error = self.input.error
        if self.state is OVER and before is not OVER:
            self.output.close()
            for call in (*self.calls.drop(), *self.awaited.drop()):
                self._discharge(call)
                _abandon(call)
        self._check_drained()

    def fail(self, error: BaseException) -> None:
        """End the connection: the host cannot go on."""
        if self.state is not OVER:
            self.error = error
        self.happen(Event.CLOSED)

    # Requests

    def next_request(self) -> Request | None:
        """Return the next request, or None: then read, unless `reading` says otherwise."""
        arrivals = self.input
        if arrivals.requests:
            return arrivals.requests.popleft()
        if arrivals.ended:
            self.happen(Event.INPUT_ENDED)
        return None

    def resolve(self, request: Request) -> Call | bytes:
        """Return the call to run, or the reply."""
        found = look_up(self._registry, request)
        if isinstance(found, bytes):
            return found
        args: bytes | Raw | None = request.args
        read, values = self.input.read, self.input.values
        if args is not None and read > self._small:
            most = self.limits.max_values
            if values > most:
                args = bytes(args)
                count = count_values(args, most)
                if count > most:
                    return answer_refused(request.sequence, count, most)
            elif read > RETAINED and 2 * len(args) < read:
                args = bytes(args)
        # This counts if the call turns out slow; one that is to wait is weighed by itself.
        return Call(found, request.sequence, args, CALL_BYTES + read + VALUE_BYTES * values)

    # Calls

    def queue(self, calls: CallQueue, call: Call) -> bool:
        """Let a call wait. False: it is dropped, the plugin is gone and there is no room."""
        if self.state is OVER or (self.state is LEAVING and calls.waiting >= self.limits.max_queued):
            return False
        args = call.args
        if args is not None:
            # In a copy, since its bytes are a part of everything that came in the same read.
            call.args = args = bytes(args)
            call.weight = CALL_BYTES + len(args) + VALUE_BYTES * rough_count(args)
        self.charge(call)
        calls.add(call)
        return True

    def charge(self, call: Call) -> None:
        """Count a call for `max_memory` until it is completed. Inline calls count when they turn out slow."""
        if not call.charged:
            call.charged = True
            self.memory += call.weight

    def completed(self, calls: CallQueue, call: Call, reply: Message | None) -> None:
        """Take note that a call has ended that was running, with its reply, or None where nobody wants it."""
        calls.running -= 1
        if call.charged:
            self._discharge(call)
        if reply is not None:
            self.output.add(reply)
        if self.state is DRAINING:
            self._check_drained()

    def await_result(self, call: Call) -> bool:
        """Take note that a running call has returned something to be awaited. False: nobody wants it."""
        self.calls.running -= 1
        if self.state is OVER:
            self._discharge(call)
            _abandon(call)
            return False
        self.charge(call)
        self.awaited.add(call)
        return True

    def _discharge(self, call: Call) -> None:
        if call.charged:
            call.charged = False
            self.memory -= call.weight

    # Output

    def written(self, data: bytes | memoryview, count: int) -> None:
        """Take note that the writer has written `count` bytes of its batch."""
        self.output.written(data, count)
        if self.state is DRAINING:
            self._check_drained()

    def write_failed(self, data: bytes | memoryview) -> None:
        """Take note that nobody reads any more, found by the writer."""
        self.output.written(data, len(data))
        self.happen(Event.READER_GONE)

    def _check_drained(self) -> None:
        if self.state is DRAINING and self.output.empty and not self.calls.busy and not self.awaited.busy:
            self.happen(Event.DRAINED)


def _abandon(call: Call) -> None:
    """Close a coroutine that nobody will await."""
    close = getattr(call.awaitable, "close", None)
    if close is not None:
        close()
