"""A peer at work: its processes, and the socket over which it is told what to do."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.peers import Peer
from benchmarks.prepare import environment

__all__ = ["Failed", "Running", "Unsupported"]

START_SECONDS = 60
WORK_SECONDS = 180


class Failed(Exception):
    """A peer did not start, did not answer, or answered wrong."""


class Unsupported(Exception):
    """A peer cannot do this; the text says why."""


class Running:
    """One peer, started; a context manager, which ends it.

    `started`: seconds from its start to the first reply that its caller got.

    Raises:
        Failed: it does not start.
        Unprepared: what it needs cannot be had.
    """

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        command = [str(word) for word in peer.prepare()]
        self._directory = tempfile.TemporaryDirectory(prefix="benchmarks-")
        path = f"{self._directory.name}/control"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1)
            listener.settimeout(0.2)
            began = time.perf_counter()
            self._process = subprocess.Popen(
                [*command, path], env=environment() | peer.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, start_new_session=True, preexec_fn=self._restrict,
            )  # fmt: skip
            try:
                self._socket = self._accept(listener)
                self._stream = self._socket.makefile("rwb")
                self.do(work="first")
            except BaseException:
                self.close()
                raise
            self.started = time.perf_counter() - began

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _restrict(self) -> None:
        if self.peer.cpus is not None:
            os.sched_setaffinity(0, self.peer.cpus)

    def _accept(self, listener: socket.socket) -> socket.socket:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            try:
                connected, _ = listener.accept()
            except TimeoutError:
                if self._process.poll() is not None:
                    break
                continue
            connected.settimeout(WORK_SECONDS)
            return connected
        raise Failed(f"{self.peer.name} did not come: {self._last_words()}")

    def _last_words(self) -> str:
        if self._process.poll() is None:
            return "it says nothing"
        assert self._process.stderr is not None
        lines = self._process.stderr.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {self._process.returncode}"

    def do(self, **told: Any) -> Any:
        """Let its caller do something, and return what came of it.

        Raises:
            Unsupported: it cannot do that.
            Failed: anything else that went wrong.
        """
        try:
            self._stream.write(json.dumps(told).encode() + b"\n")
            self._stream.flush()
            line = self._stream.readline()
        except OSError as error:
            raise Failed(f"{self.peer.name} did not answer: {error}") from None
        if not line:
            raise Failed(f"{self.peer.name} is gone: {self._last_words()}")
        outcome = json.loads(line)
        if "unsupported" in outcome:
            raise Unsupported(outcome["unsupported"])
        if "error" in outcome:
            raise Failed(f"{self.peer.name}: {outcome['error'].splitlines()[0]}")
        return outcome["ok"]

    def processes(self) -> list[int]:
        """All processes of the peer that live."""
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    stat = (entry / "stat").read_text(encoding="ascii", errors="replace")
                except OSError:
                    continue
                children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
        found = [self._process.pid]
        for pid in found:  # which grows meanwhile
            found += children.get(pid, [])
        return found

    def activity(self) -> tuple[float, int]:
        """CPU seconds that its processes have used, and how often one of their threads has gone to sleep."""
        each = [_activity(pid) for pid in self.processes()]
        return sum(cpu for cpu, _ in each), sum(switches for _, switches in each)

    def memory(self, *, peak: bool = False) -> int:
        """Bytes resident in all its processes; `peak`: the most since `forget_peak`."""
        return sum(_status(pid).get("VmHWM" if peak else "VmRSS", 0) * 1024 for pid in self.processes())

    def forget_peak(self) -> None:
        """Let `memory(peak=True)` begin anew."""
        for pid in self.processes():
            Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")

    def close(self) -> None:
        """End it: its caller by hanging up, and what is left of it after that by force."""
        left = self.processes()
        if hasattr(self, "_socket"):
            self._stream.close()
            self._socket.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            pass
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._process.wait(10)
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._directory.cleanup()


def _status(pid: int) -> dict[str, int]:
    """The numbers of a process's status file."""
    return dict(_numbers(Path(f"/proc/{pid}/status")))


def _numbers(path: Path) -> Iterator[tuple[str, int]]:
    for line in path.read_text(encoding="ascii", errors="replace").splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdecimal():
            yield name, int(words[0])


def _activity(pid: int) -> tuple[float, int]:
    """CPU seconds that a process has used, and how often a thread of it has gone to sleep by itself."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    switches = sum(
        dict(_numbers(task / "status"))["voluntary_ctxt_switches"] for task in Path(f"/proc/{pid}/task").iterdir()
    )
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK"), switches
