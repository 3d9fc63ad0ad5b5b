"""The client core: the state of one connection, without any I/O.

Events go in: a call is submitted or cancelled, bytes were received or written, the stream ended. What comes out are
bytes to write (`take`), completed calls (`completed`), and the reason why the connection is over (`over`). The core has
no lock, descriptor, thread, clock or event loop; its driver calls it from one thread at a time.

`TABLE` says what is legal when. The states are those of the output:

- `IDLE`: there is nothing to write.
- `QUEUED`: messages wait, and nothing of them was handed out.
- `TAKEN`: a chunk was handed out by `take`; the writer owes `written` or `lose_track`.
- `PARTIAL`: a chunk was written in part; its rest goes first.
- `ENDED`: the connection is over.

An exception, such as that of a signal handler, may interrupt any of these methods. So each of them changes its state in
such an order that `cancel`, `lose_track` or `end` clears up after an interruption anywhere in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..errors import ConnectionLost, ProtocolError
from ..wire import MAX_DEPTH, MAX_MESSAGE, MAX_SEQUENCE, Message, Reply, ReplyReader, call_message, join_call

__all__ = ["IDLE", "TABLE", "Batch", "Call", "Core", "Over", "Request"]

IDLE, QUEUED, TAKEN, PARTIAL, ENDED = "idle", "queued", "taken", "partial", "ended"


class _Row(dict[str, str]):
    """The next states of one event, by state. A missing state is a mistake of the driver."""

    def __init__(self, event: str, states: dict[str, str]) -> None:
        super().__init__(states)
        self._event = event

    def __missing__(self, state: str) -> str:
        raise RuntimeError(f"the client core cannot take the event {self._event!r} in the state {state!r}")


SUBMITTED = _Row("submitted", {IDLE: QUEUED, QUEUED: QUEUED, TAKEN: TAKEN, PARTIAL: PARTIAL})
"""A message was queued. Not legal after the end: `submit` raises `ConnectionLost`."""
TOOK = _Row("took", {QUEUED: TAKEN, PARTIAL: TAKEN})
"""The writer takes a chunk. In all other states there is none."""
WROTE_PART = _Row("wrote part", {TAKEN: PARTIAL, ENDED: ENDED})
"""A part of the chunk was written, or nothing of it."""
WROTE_ALL = _Row("wrote all", {TAKEN: IDLE, ENDED: ENDED})
"""The whole chunk was written, or it was forgotten."""
EMPTIED = _Row("emptied", {IDLE: IDLE, QUEUED: IDLE, TAKEN: TAKEN, PARTIAL: PARTIAL, ENDED: ENDED})
"""The last queued message was withdrawn."""
RECEIVED = _Row("received", {IDLE: IDLE, QUEUED: QUEUED, TAKEN: TAKEN, PARTIAL: PARTIAL})
"""Bytes or the end of the stream came. Ignored after the end."""
FINISHED = _Row("finished", dict.fromkeys((IDLE, QUEUED, TAKEN, PARTIAL, ENDED), ENDED))
"""The connection is over."""

TABLE = {
    "submitted": SUBMITTED, "took": TOOK, "wrote part": WROTE_PART, "wrote all": WROTE_ALL, "emptied": EMPTIED,
    "received": RECEIVED, "finished": FINISHED,
}  # fmt: skip
"""What is legal when: by event and state, the next state."""

JOIN = 64 * 1024
"""Messages of several callers are joined into one chunk of up to about this many bytes."""

READ_SIZE, LARGE_READ_SIZE = 64 * 1024, 160 * 1024
"""How many bytes to read at once; the latter once a message did not fit into one read. Each read gets a new block of
memory: a larger one would be cleared and faulted in again and again, which costs more than the further reads."""

Request = tuple[bytes, bytes]
"""A prefix by `request_prefix`, and arguments as JSON (an array, or null)."""


class Call:
    """One request and its reply. `done`: the reply is in.

    Who waits for it is told by `completed`, which the drivers' calls define.
    """

    __slots__ = ("args", "done", "prefix", "reply", "sequence")

    done: bool
    prefix: bytes
    args: bytes
    sequence: int

    def __init__(self, prefix: bytes, args: bytes) -> None:
        self.prefix, self.args = prefix, args
        self.reply: Reply | None = None
        self.done = False
        self.sequence = -1

    def completed(self) -> None:
        """Take note, with the connection's lock held, that the call is done, or that the connection is over.

        May be called twice.
        """

    def enter(self, sequence: int, pending: dict[int, Any]) -> tuple[Message, int]:
        """Become known under `sequence`; return the message to write, and the sequence of the next call."""
        self.sequence = sequence
        pending[sequence] = self
        return call_message(sequence, self.prefix, self.args), (sequence + 1) & MAX_SEQUENCE

    def accept(self, reply: Reply) -> bool:
        """Take a reply; return whether nothing is missing any more."""
        self.reply = reply
        self.done = True
        return True

    def withdraw(self, pending: dict[int, Any]) -> None:
        """Let replies that have not come yet be ignored."""
        if pending.get(self.sequence) is self:
            del pending[self.sequence]


class Batch(Call):
    """Several requests that are sent as one message and completed together. `replies`: in the order of the requests."""

    __slots__ = ("_missing", "_requests", "replies")

    def __init__(self, requests: Sequence[Request]) -> None:
        super().__init__(b"", b"")
        self._requests = requests
        self._missing = len(requests)
        self.replies: list[Reply | None] = [None] * len(requests)

    def enter(self, sequence: int, pending: dict[int, Any]) -> tuple[Message, int]:
        """See `Call`; the sequences of a batch follow each other."""
        self.sequence = sequence
        messages = []
        for prefix, args in self._requests:
            pending[sequence] = self
            messages.append(join_call(sequence, prefix, args))
            sequence = (sequence + 1) & MAX_SEQUENCE
        return b"".join(messages), sequence

    def accept(self, reply: Reply) -> bool:
        """See `Call`."""
        self.replies[(reply.sequence - self.sequence) & MAX_SEQUENCE] = reply
        self._missing -= 1
        if self._missing:
            return False
        self.done = True
        return True

    def withdraw(self, pending: dict[int, Any]) -> None:
        """See `Call`."""
        for index, reply in enumerate(self.replies):
            sequence = (self.sequence + index) & MAX_SEQUENCE
            if reply is None and pending.get(sequence) is self:
                del pending[sequence]


class Over(NamedTuple):
    """Why a connection is over; `cause` is the malformed message, if that is why."""

    reason: str
    cause: ProtocolError | None = None

    def error(self) -> ConnectionLost:
        """Return a new error that says so."""
        lost = ConnectionLost(self.reason)
        lost.__cause__ = self.cause
        return lost


class Core:
    """The state of one connection.

    `state`: a state of `TABLE`. `over`: None until the connection is over. `completed`: calls that are done or, after
    the end, have no reply; the driver tells who waits for each, and only then removes it. `read_size`: how many
    bytes to read next.
    """

    read_size: int
    state: str

    def __init__(self, *, max_message: int = MAX_MESSAGE, max_depth: int = MAX_DEPTH, first_sequence: int = 1) -> None:
        self.state = IDLE
        self.over: Over | None = None
        self.completed: list[Call] = []
        self.read_size = READ_SIZE
        self._frames = ReplyReader(max_message=max_message, max_depth=max_depth)
        self._pending: dict[int, Call] = {}
        self._queue: dict[Call, Message] = {}
        self._chunk: bytes | memoryview | None = None
        self._sole: Call | None = None  # whose message the chunk is, if of one call and nothing of it is known written
        self._rest: Sequence[bytes | memoryview] = ()  # further pieces of the message that the chunk belongs to
        self._next = first_sequence

    def __repr__(self) -> str:
        queued = [call.sequence for call in self._queue]
        chunk = None if self._chunk is None else bytes(self._chunk)
        return f"<Core {self.state}, {self.over}, pending {[*self._pending]}, queued {queued}, chunk {chunk!r}>"

    @property
    def pending(self) -> int:
        """How many replies are expected."""
        return len(self._pending)

    # Output

    def submit(self, call: Call) -> None:
        """Queue the message of a call, and expect its reply. Raises `ConnectionLost` after the end."""
        if self.over is not None:
            raise self.over.error()
        self._queue[call], self._next = call.enter(self._next, self._pending)
        self.state = SUBMITTED[self.state]

    def take(self) -> bytes | memoryview | None:
        """Return the chunk that has to be written next, None where there is none. The writer then owes `written`."""
        if self.state not in TOOK:
            return None
        self.state = TOOK[self.state]  # first: `lose_track` then knows of an interruption below
        if self._chunk is None:
            queue = self._queue
            if len(queue) == 1:
                self._sole, message = queue.popitem()
                if isinstance(message, tuple):
                    self._begin(message)
                else:
                    self._chunk = message
            else:
                self._join(queue)
        return self._chunk

    def _begin(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Make the first piece of a long message the chunk; the others are to be written next."""
        self._sole, self._chunk, self._rest = None, pieces[0], pieces[1:]

    def _join(self, queue: dict[Call, Message]) -> None:
        """Make the queued messages, or the first of many, the chunk."""
        size, messages = 0, dict[Call, bytes]()
        for call, message in queue.items():
            if isinstance(message, tuple):
                if not messages:
                    del queue[call]
                    self._begin(message)
                    return
                break
            messages[call] = message
            size += len(message)
            if size >= JOIN:
                break
        self._chunk = b"".join(messages.values())
        for call in messages:
            del queue[call]

    def written(self, count: int) -> None:
        """Take note that the writer has written so many bytes of the chunk."""
        chunk = self._chunk
        if chunk is None or count >= len(chunk):
            if self._rest:
                self._chunk, self._sole, self._rest = self._rest[0], None, self._rest[1:]
                self.state = WROTE_PART[self.state]
                return
            after = WROTE_ALL[self.state]
            if self._queue:
                after = SUBMITTED[after]
            self.state, self._chunk, self._sole = after, None, None
            return
        after = WROTE_PART[self.state]
        if count:
            self._chunk, self._sole = memoryview(chunk)[count:], None
        self.state = after

    def lose_track(self, given_up: Sequence[Call], atomic: int) -> bool:
        """Take note that the writer does not know how much of the chunk was written; return whether that does no harm.

        It does none to the message of a single call that is `given_up`, of up to `atomic` bytes, which were written
        as a whole or not at all. Otherwise the driver has to `end` the connection.
        """
        chunk = self._chunk
        if self.state != TAKEN:
            return True
        if chunk is None or self._sole not in given_up or len(chunk) > atomic:
            return False
        self.written(len(chunk))
        return True

    # Input

    def received(self, data: bytes) -> None:
        """Take bytes of the host; `b""` is the end of the stream."""
        if self.state not in RECEIVED:
            return
        frames = self._frames
        if not data:
            self._end_of_file(frames)
            return
        replies = frames.feed(data)
        pending, completed = self._pending, self.completed
        for reply in replies:
            sequence = reply.sequence
            call = pending.get(sequence)
            if call is not None:  # else late, a duplicate, or never asked for
                if call.accept(reply):
                    completed.append(call)
                del pending[sequence]
        self.read_size = READ_SIZE if replies else LARGE_READ_SIZE
        malformed = frames.error
        if malformed is not None:
            where = f"byte {malformed.offset} of the stream"
            self.end(f"the host sent what is not the protocol: {malformed.reason} ({where})", malformed)

    def _end_of_file(self, frames: ReplyReader) -> None:
        buffered = frames.buffered
        try:
            frames.eof()
        except ProtocolError as error:
            self.end(f"the host closed the connection in the middle of a message, after {buffered} bytes of it", error)
        else:
            self.end("the host closed the connection")

    # Giving up

    def cancel(self, call: Call) -> None:
        """Forget a call: a message of which nothing was taken is not sent, and a late reply is ignored."""
        if not call.done:
            call.withdraw(self._pending)
        if self._queue and self._queue.pop(call, None) is not None and not self._queue:
            self.state = EMPTIED[self.state]

    def end(self, reason: str, cause: ProtocolError | None = None) -> None:
        """End the connection: every call that has no reply is completed without one. The first reason counts."""
        if self.over is None:
            self.over = Over(reason, cause)
        self.state = FINISHED[self.state]
        self._queue.clear()
        self._chunk = self._sole = None
        self._rest = ()
        self.completed.extend(dict.fromkeys(self._pending.values()))
        self._pending.clear()
