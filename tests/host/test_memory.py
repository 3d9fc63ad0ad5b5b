"""What calls of one plugin take of its host's memory is bounded in bytes, not only in calls."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from .conftest import ROOT, TIMEOUT

HOST = """
import os, select, sys, threading
from pathlib import Path
from typing import Any
from plugsvc.host import Channel, Registry, Server

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

registry = Registry()
registry.define("n")
release = threading.Event()

@registry.service("n")
def wait(value: Any) -> None:
    release.wait(60)

@registry.service("n")
async def wait_async(value: Any) -> None:
    import asyncio
    await asyncio.to_thread(release.wait, 60)

plugin_reads, host_writes = os.pipe()
host_reads, plugin_writes = os.pipe()
server = Server(registry, Channel.of_descriptors(host_reads, host_writes))
server.start()
os.set_blocking(plugin_writes, False)
poll = select.poll()
poll.register(plugin_writes, select.POLLOUT)
before = most = resident()
message = MESSAGE
sent = 0
for number in range(COUNT):
    view = memoryview(message)
    while view and poll.poll(2000):  # no room for so long: the host has paused
        view = view[os.write(plugin_writes, view):]
        most = max(most, resident())
    if view:
        break
    sent += 1
print(sent, most - before, server.wait(0))
server.close()
release.set()
"""

HEAD = b'{"sequence":1,"type":"call","namespace":"n","name":"%b",'
KINDS = {
    "white space within the arguments": ('b\'"args":[1\' + b" " * 10_000_000 + b"]}"', 40),
    "white space before them": ('b" " * 10_000_000 + b\'"args":[1]}\'', 40),
    "values": ('b\'"args":[[\' + b"{}," * 30_000 + b"1]]}"', 400),
}
"""The rest of a call, as an expression, and how many are sent."""


@pytest.mark.parametrize("name", [b"wait", b"wait_async"])
@pytest.mark.parametrize("kind", KINDS)
def test_slow_calls_are_bounded_in_bytes(name: bytes, kind: str) -> None:
    rest, count = KINDS[kind]
    code = HOST.replace("MESSAGE", f"{HEAD % name!r} + {rest}").replace("COUNT", str(count))
    # With this the C library gives large blocks back, so that what it would keep is not counted.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "262144"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=3 * TIMEOUT, check=True,
    )  # fmt: skip
    sent, memory, ended = done.stdout.split()
    assert ended == "False"
    # What may wait, and some copies of the message at hand.
    assert int(memory) < 120_000_000, f"{int(memory):,} bytes for {sent} calls"
    if kind == "white space before them":
        assert int(sent) == count, "what is dropped at once must not count"
