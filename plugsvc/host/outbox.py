"""Replies on their way out: any thread posts, one at a time writes for all."""

from __future__ import annotations

import threading

from .channel import Channel

__all__ = ["Outbox"]


class Outbox:
    """Collects replies and writes each of them whole.

    Whoever comes first writes, also what others post in the meantime; those do not wait. So a reply is never
    interleaved with another one, many replies leave in one write, and a plugin that does not read stops one
    thread at most.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._waiting: list[bytes] = []
        self._writing = False
        self._closed = False
        self.unsent = 0

    @property
    def empty(self) -> bool:
        """Whether everything posted was written (or given up)."""
        with self._lock:
            return not self._waiting and not self._writing

    def post(self, reply: bytes) -> None:
        """Put one reply in; it leaves with the next `flush`."""
        with self._lock:
            if not self._closed:
                self._waiting.append(reply)
                self.unsent += len(reply)

    def send(self, reply: bytes) -> None:
        """As `post` and `flush`, and quicker where there is nothing else to write, as for a lone caller."""
        with self._lock:
            alone = not (self._writing or self._waiting or self._closed)
            self._writing = self._writing or alone
            self.unsent += len(reply) if alone else 0
        if not alone:
            self.post(reply)
            self.flush()
            return
        try:
            self._channel.write(reply)
        finally:
            with self._lock:
                self._writing = False
                self.unsent -= len(reply)
                closed, more = self._closed, self._waiting
        if closed:
            self._channel.close()
        elif more:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting, unless another thread is at it: that one writes this, too."""
        while True:
            with self._lock:
                if self._writing or not self._waiting:
                    return
                batch, self._waiting = self._waiting, []
                self._writing = True
            data = batch[0] if len(batch) == 1 else b"".join(batch)
            try:
                self._channel.write(data)
            finally:
                with self._lock:
                    self._writing = False
                    self.unsent -= len(data)
                    closed = self._closed
            if closed:
                self._channel.close()
                return

    def flush_some(self) -> bool:
        """Write what there is room for, without waiting; return whether nothing is left that nobody is writing."""
        with self._lock:
            if self._writing or not self._waiting:
                return True
            batch, self._waiting = self._waiting, []
            self._writing = True
        data = batch[0] if len(batch) == 1 else b"".join(batch)
        written = 0
        try:
            written = self._channel.write_some(data)
        finally:
            with self._lock:
                self._writing = False
                self.unsent -= written
                if written < len(data) and not self._closed:
                    self._waiting.insert(0, data[written:])
                closed, left = self._closed, bool(self._waiting)
        if closed:
            self._channel.close()
        return closed or not left

    def close(self) -> None:
        """Close the channel, now or as soon as a writer has left it. Later replies are dropped."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._waiting.clear()
            writing = self._writing
        self._channel.wake()
        if not writing:
            self._channel.close()
