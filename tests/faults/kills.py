"""Kills of a plugin and of a host at random moments, from the start of the process on."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import textwrap
import threading
from functools import partial
from pathlib import Path

from plugsvc import Command, Manifest, Plugin, PluginFailed, Registry, execute

from .remains import TIMEOUT, Leak, nothing_remains

__all__ = ["kill_hosts", "kill_plugins"]

ROOT = Path(__file__).parents[2]
PLUGIN_SECONDS = 0.06
HOST_SECONDS = 0.4
"""Kills come within so many seconds after the start; by then there are calls."""

PLUGIN = f"""#!{sys.executable} -IS
import os, sys
url = [word for i, word in enumerate(sys.argv) if sys.argv[i - 1] == "--host"]
replies, requests = (os.open(each.removeprefix("file://"), flag) for each, flag in zip(url, (os.O_RDONLY, os.O_WRONLY)))
sequence = 0
while True:
    sequence += 1
    request = '{{"sequence":%d,"type":"call","namespace":"test","name":"double","args":[%d]}}' % (sequence, sequence)
    os.write(requests, request.encode())
    reply = b""
    while not reply.endswith(b"\\n"):
        more = os.read(replies, 65536)
        if not more:
            sys.exit(4)  # the host has gone
        reply += more
    if b"[%d]" % (2 * sequence) not in reply:
        sys.exit(5)
"""

HOST = """
import sys
from plugsvc import Command, Manifest, Plugin, Registry, execute
registry = Registry()
registry.define("test")
registry.add_service("test", "double", lambda number: 2 * number)
plugin = Plugin(sys.argv[1], Manifest(1, "caller", commands=(Command(("run",)),)))
execute(plugin, bind=registry.bind(), pass_fds=[int(sys.argv[2])], die_with_host=sys.argv[3] == "True")
"""


def kill_plugins(times: int, seed: int, folder: Path) -> int:
    """Kill so many plugins; return how many were. Raises `Leak` for what is left, or not told truly."""
    randomness = random.Random(seed)
    registry = Registry()
    registry.define("test")
    registry.add_service("test", "double", _double)
    plugin = Plugin(_write(folder), Manifest(1, "caller", commands=(Command(("run",)),)))
    for number in range(times):
        delay = randomness.uniform(0, PLUGIN_SECONDS)
        text = f"a plugin killed after {delay:.6f} s (number {number}, seed {seed})"
        with nothing_remains(partial(str, text)):
            try:
                execute(plugin, bind=registry.bind(), on_start=partial(_kill_later, delay))
            except PluginFailed as error:
                if error.signal != signal.SIGKILL:
                    raise Leak(f"{text}: {error}") from error
            else:
                raise Leak(f"{text}: counts as a success")
    return times


def kill_hosts(times: int, seed: int, folder: Path) -> int:
    """Kill so many hosts; return how many were. Raises `Leak` when a plugin outlives its host."""
    randomness = random.Random(seed)
    plugin = _write(folder)
    for number in range(times):
        delay = randomness.uniform(0, HOST_SECONDS)
        dies_with_host = randomness.random() < 0.5
        read, write = os.pipe()
        try:
            command = [sys.executable, "-c", textwrap.dedent(HOST), plugin, str(write), str(dies_with_host)]
            with subprocess.Popen(command, cwd=ROOT, pass_fds=[write], stderr=subprocess.DEVNULL) as host:
                os.close(write)
                early, _, _ = select.select([read], [], [], delay)
                host.kill()
            text = f"a host killed after {delay:.6f} s (number {number}, seed {seed}, die_with_host={dies_with_host})"
            if early:
                raise Leak(f"{text}: it had ended before, with status {host.returncode}")
            # Host and plugin have the other end: it is the end of the stream when both are gone.
            if not select.select([read], [], [], TIMEOUT)[0]:
                raise Leak(f"{text}: its plugin runs on")
        finally:
            os.close(read)
    return times


def _write(folder: Path) -> str:
    path = folder / "caller"
    path.write_text(PLUGIN)
    path.chmod(0o755)
    return str(path)


def _double(number: int) -> int:
    return 2 * number


def _kill_later(delay: float) -> None:
    # This is called in the thread that has started the process, and starts no other one.
    pid = int(Path("/proc/thread-self/children").read_text())
    threading.Timer(delay, os.kill, [pid, signal.SIGKILL]).start()
