"""The endpoint of shared memory."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from conformance.drive.endpoints.base import Endpoint
from conformance.drive.pump import Pump
from conformance.drive.rings import Bridge, make
from conformance.drive.wire import WireEnd

PLACE = "/dev/shm"


@dataclass
class Shared(Endpoint):
    """A memory file with its doorbells; the suite is behind the bridge."""

    path: Path = Path()
    bridge: Bridge = field(kw_only=True)

    def begin(self, pump: Pump, wire: WireEnd) -> None:
        """The rings can be used before the plugin has come."""
        cross(self.bridge, wire)

    def discard(self) -> None:
        """Give everything back that the pump does not own."""
        self.bridge.close()
        super().discard()


def cross(bridge: Bridge, wire: WireEnd) -> None:
    """Let the wire have the suite's ends of a bridge."""

    def report(problem: str) -> None:
        wire.broken = wire.broken or problem

    bridge.report = report
    wire.attach(bridge.read_fd, bridge.write_fd, unread=bridge.unread, over=bridge.over)


def shm(requests: int = 1 << 16, replies: int = 1 << 14) -> Shared:
    """Two rings of these capacities in a private folder."""
    folder = tempfile.mkdtemp(prefix="conformance-", dir=PLACE if os.path.isdir(PLACE) else None)
    path = Path(folder, "the ring")
    memory, doorbells = make(str(path), requests, replies)
    bridge = Bridge(memory, doorbells, takes="requests", gives="replies")
    return Shared(["shm://" + quote(str(path))], folder=folder, path=path, bridge=bridge)
