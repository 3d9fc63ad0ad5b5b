"""Drives a relay: waits for bytes, signals and the end of the plugin, and does what the relay says."""

from __future__ import annotations

import select
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import ProtocolError
from ..openers.stream import Stream
from .ends import Side
from .recording import RecordingWriter
from .relay import Act, Action, Flow, FlowState, Relay
from .signals import Signals

__all__ = ["Driver"]

READ_SIZE = 64 * 1024
LARGE_READ = 1024 * 1024
"""After a read that was full: a buffer of this size costs more than a small message."""
LINGER_SECONDS = 5.0
"""How long a host may take nothing of what an ended plugin has left for it."""
_GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL


@dataclass(slots=True, eq=False)
class _Link:
    """A flow with its two ends. `size`: how much to read at once."""

    flow: Flow
    source: Stream
    sink: Stream
    source_side: Side
    sink_side: Side
    size: int = READ_SIZE


class Driver:
    """Passes bytes between two sides until the plugin has ended and nothing is left.

    `host` is there from the start, the plugin's side comes when `connected` is called, from any thread.
    """

    def __init__(self, host: Side, recording: RecordingWriter, signals: Signals) -> None:
        self._relay = Relay()
        self._host = host
        self._plugin: Side | None = None
        self._recording, self._signals = recording, signals
        self._links: tuple[_Link, ...] = ()
        self._watched: dict[int, int] = {}
        self._watched_states: tuple[FlowState, FlowState] | None = None
        self._awaited: list[tuple[int, Stream]] = []
        self._deadline: float | None = None
        self._poll = select.poll()
        self._poll.register(signals.fd, select.POLLIN)

    def connected(self, plugin: Side) -> None:
        """The plugin's side is there."""
        self._plugin = plugin
        self._recording.event("open", side="plugin")
        self._signals.wake()

    def run(self, process: subprocess.Popen[bytes]) -> None:
        """Relay until the process has ended."""
        while not self._relay.exited:
            self._step(process)

    def finish(self, process: subprocess.Popen[bytes]) -> int:
        """Pass on what an ended process has left, close everything; return its status as `Popen` has it."""
        while self._plugin is not None and not self._relay.over:
            self._step(process)
        if self._plugin is not None:
            self._plugin.close(gone=True)
        self._host.close()
        status = process.wait()
        self._recording.event("exit", **({"signal": -status} if status < 0 else {"status": status}))
        return status

    def _step(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until something happens, and see to it."""
        relay = self._relay
        if not self._links and self._plugin is not None:
            self._join(self._plugin)
        for fd, events in self._wait():
            if fd == self._signals.fd:
                self._signals.pass_on(process, self._recording)
                if not relay.exited and process.poll() is not None:
                    self._exited()
                    self._deadline = time.monotonic() + LINGER_SECONDS
            else:
                self._serve(fd, events)
        if self._deadline is None or not self._links:
            return
        requests = self._links[0]
        if requests.flow.state is FlowState.READING:
            self._read(requests)
            self._deadline = time.monotonic() + LINGER_SECONDS
        elif time.monotonic() > self._deadline:
            self._do(requests, requests.flow.drop())

    def _exited(self) -> None:
        """The plugin's process has ended."""
        actions = self._relay.plugin_exited()
        for link in self._links[1:]:
            self._do(link, actions)

    def _join(self, plugin: Side) -> None:
        requests, replies = self._relay.flows
        host = self._host
        self._links = (
            _Link(requests, plugin.reader, host.writer, plugin, host),
            _Link(replies, host.reader, plugin.writer, host, plugin),
        )

    # Waiting

    def _wait(self) -> Iterable[tuple[int, int]]:
        """Return what has happened to which descriptor; what must be tried without waiting counts as that."""
        requests, replies = self._relay.requests.state, self._relay.replies.state
        if (requests, replies) != self._watched_states and self._links:
            self._watch()
            self._watched_states = (requests, replies)
        ready = [(fd, 0) for fd, stream in self._awaited if not stream.arm()]
        if ready:
            return ready
        if self._deadline is None:
            return self._poll.poll()
        # Of an ended plugin that has nothing more to say there is nothing to wait for.
        left = self._deadline - time.monotonic() if requests is FlowState.WRITING else 0.0
        return self._poll.poll(max(0, int(left * 1000)))

    def _watch(self) -> None:
        """Make the poll object fit the states of the flows."""
        wanted: dict[int, int] = {}
        self._awaited = []
        for link in self._links:
            state = link.flow.state
            if state is FlowState.OVER:
                continue
            reading = state is FlowState.READING
            stream, mask = (link.source, select.POLLIN) if reading else (link.sink, link.sink.room)
            fd = stream.fileno()
            wanted[fd] = wanted.get(fd, 0) | mask
            self._awaited.append((fd, stream))
            if reading:
                # To learn at once that nobody reads there any more.
                wanted.setdefault(link.sink.fileno(), 0)
        for fd in self._watched.keys() - wanted.keys():
            self._poll.unregister(fd)
        for fd, mask in wanted.items():
            self._poll.register(fd, mask)
        self._watched = wanted

    # Moving bytes

    def _serve(self, fd: int, events: int) -> None:
        """Do what a descriptor is ready for."""
        read = False
        for link in self._links:
            state = link.flow.state
            if state is FlowState.READING and link.source.fileno() == fd:
                self._read(link)
                read = True
            elif state is FlowState.WRITING and link.sink.fileno() == fd and not events & _GONE:
                self._write(link)
        if events & _GONE and not read:
            for link in self._links:
                if link.flow.state is not FlowState.OVER and link.sink.fileno() == fd:
                    self._do(link, link.flow.sink_closed())

    def _read(self, link: _Link) -> None:
        flow, size = link.flow, link.size
        try:
            data = link.source.read(size)
        except (OSError, ProtocolError) as error:
            self._break(link, error)
            return
        if data is None:
            self._do(link, flow.nothing_there())
            return
        if len(data) == size:
            link.source.grow(LARGE_READ)
            link.sink.grow(LARGE_READ)
            link.size = LARGE_READ
        elif len(data) < READ_SIZE:
            link.size = READ_SIZE
        self._do(link, flow.received(data))

    def _write(self, link: _Link) -> None:
        try:
            link.flow.wrote(link.sink.write(link.flow.pending))
        except (BrokenPipeError, ConnectionResetError):
            self._do(link, link.flow.sink_closed())
        except (OSError, ProtocolError) as error:
            self._break(link, error)

    def _break(self, link: _Link, error: Exception) -> None:
        """End both directions: the stream itself is of no use any more, and nobody must wait for what comes over it."""
        self._recording.event("failed", direction=link.flow.direction, reason=str(error))
        for each in self._links:
            self._do(each, each.flow.drop())

    def _do(self, link: _Link, actions: Iterable[Action]) -> None:
        for act, data in actions:
            if act is Act.RECORD_DATA:
                self._recording.data(link.flow.direction, data)
            elif act is Act.WRITE:
                self._write(link)
            elif act is Act.END_SINK:
                self._end(link)
            elif act is Act.STOP_SOURCE:
                link.source_side.stop_reading()
            else:
                self._recording.event(act.value, direction=link.flow.direction)

    def _end(self, link: _Link) -> None:
        if link.sink_side.end_writing():
            for other in self._links:
                self._do(other, other.flow.drop())
