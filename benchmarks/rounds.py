"""Rounds: in each of them every peer does every kind of work, one after the other, so that drift hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from statistics import median

from benchmarks.figures import Figures
from benchmarks.peers import Peer
from benchmarks.prepare import Unprepared
from benchmarks.running import Failed, Running, Unsupported
from benchmarks.works import Work

__all__ = ["QUEUED", "prepare", "run_rounds"]

QUEUED = 10_000
SETTLE_SECONDS, IDLE_SECONDS = 0.5, 2.0
QUEUED_GROUPS = frozenset({"main"})


def prepare(peers: Sequence[Peer], figures: Figures, say: Callable[[str], None]) -> list[Peer]:
    """Build what the peers need, and return those that can be run; the reasons of the others go to `figures`."""
    ready = []
    for peer in peers:
        try:
            peer.prepare()
        except Unprepared as reason:
            figures.unprepared[peer.name] = str(reason)
            say(f"{peer.name}: not run: {reason}")
        else:
            ready.append(peer)
    return ready


def run_rounds(
    peers: Sequence[Peer],
    works: Sequence[Work],
    figures: Figures,
    *,
    rounds: int,
    seconds: float,
    thorough: bool,
    say: Callable[[str], None],
) -> None:
    """Run every peer in every round, each work for about `seconds`. `thorough`: look at idle peers and memory, too.

    A peer that fails is out from then on, with its reason in `figures`.
    """
    out: set[str] = set()
    for number in range(1, rounds + 1):
        began = time.monotonic()
        with ExitStack() as stack:
            running = []
            for peer in peers:
                if peer.name in out:
                    continue
                try:
                    one = stack.enter_context(Running(peer))
                except Failed as failed:
                    _drop(figures, out, "start", peer, failed, say)
                else:
                    figures.add("start", peer.name, one.started)
                    running.append(one)
            for work in works:
                for one in running:
                    if one.peer.groups & work.groups and one.peer.name not in out:
                        _work(one, work, seconds, figures, out, say)
            if thorough:
                alive = [one for one in running if one.peer.name not in out]
                _idle(alive, figures)
                for one in alive:
                    if one.peer.groups & QUEUED_GROUPS:
                        _queued(one, figures, say)
        say(f"round {number} of {rounds}: {time.monotonic() - began:.0f} s")


def _drop(figures: Figures, out: set[str], work: str, peer: Peer, failed: Failed, say: Callable[[str], None]) -> None:
    out.add(peer.name)
    figures.miss(work, peer.name, str(failed))
    say(f"{work}: {failed}")


def _work(
    one: Running, work: Work, seconds: float, figures: Figures, out: set[str], say: Callable[[str], None]
) -> None:
    try:
        samples = one.do(**work.told, seconds=seconds * work.share)
    except Unsupported as reason:
        figures.miss(work.name, one.peer.name, str(reason))
    except Failed as failed:
        _drop(figures, out, work.name, one.peer, failed, say)
    else:
        value = work.summary(samples)
        figures.add(work.name, one.peer.name, value, best=min(samples) if work.summary is median else value)


def _idle(running: Sequence[Running], figures: Figures) -> None:
    """Leave all of them alone at the same time, once they have had the time to notice that it is quiet."""
    time.sleep(SETTLE_SECONDS)
    before = [(one, one.activity()) for one in running]
    time.sleep(IDLE_SECONDS)
    for one, (cpu, wakeups) in before:
        later_cpu, later_wakeups = one.activity()
        figures.add("idle-cpu", one.peer.name, later_cpu - cpu)
        figures.add("idle-wakeups", one.peer.name, later_wakeups - wakeups, "n")
        figures.add("memory", one.peer.name, one.memory(), "B")


def _queued(one: Running, figures: Figures, say: Callable[[str], None]) -> None:
    """Let many calls be under way at once, and see how much more memory both sides take."""
    one.forget_peak()
    before = one.memory()
    for way in ("pipelined", "asyncio"):
        try:
            one.do(work="many", way=way, count=QUEUED, seconds=0)
        except Unsupported as reason:
            figures.miss("queued", one.peer.name, str(reason))
            continue
        except Failed as failed:
            # So many may be too many; that says nothing about the other kinds of work.
            figures.miss("queued", one.peer.name, str(failed))
            say(f"queued: {failed}")
            return
        figures.absent.get("queued", {}).pop(one.peer.name, None)
        figures.add("queued", one.peer.name, max(one.memory(peak=True) - before, 0), "B")
        return
