"""Exceptions in the main thread, as signal handlers raise them: at each step of the library, or at random moments."""

from __future__ import annotations

import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import plugsvc

from .remains import nothing_remains

__all__ = ["Injected", "Step", "at_each_step", "at_random_moments"]

LIBRARY = str(Path(plugsvc.__file__).parent)
Step = Literal["line", "opcode"]


class Injected(BaseException):
    """Stands for `KeyboardInterrupt` and whatever else a signal handler raises."""


class _Tracer:
    """Raises `Injected` at one step of the library in the present thread; counts the steps up to there."""

    def __init__(self, step: Step, number: int) -> None:
        self.seen, self.place = 0, "nowhere"
        self._step, self._number = step, number

    def describe(self) -> str:
        """Return what was done where."""
        return f"an exception at {self._step} {self._number}, {self.place}"

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not frame.f_code.co_filename.startswith(LIBRARY):
            return None
        frame.f_trace_opcodes = self._step == "opcode"
        return self._local

    def _local(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == self._step:
            self.seen += 1
            if self.seen == self._number:
                code = frame.f_code
                self.place = f"{Path(code.co_filename).name}:{frame.f_lineno} in {code.co_qualname}"
                sys.settrace(None)
                raise Injected(self.place)
        return self._local


@contextmanager
def _tracing(tracer: _Tracer) -> Iterator[None]:
    previous = sys.gettrace()
    sys.settrace(tracer)
    try:
        yield
    finally:
        sys.settrace(previous)


def at_each_step(action: Callable[[], object], step: Step, first: int = 1, stride: int = 1) -> int:
    """Run `action` again and again, with an exception at its first step, then at its second one, and so on.

    Returns how many exceptions were injected. Raises `Leak` when one leaves something behind.
    """
    number, injected = first, 0
    while True:
        tracer = _Tracer(step, number)
        with nothing_remains(tracer.describe):
            try:
                with _tracing(tracer):
                    action()
            except Injected:
                injected += 1
            else:
                if tracer.seen < number:
                    return injected
        number += stride


def at_random_moments(action: Callable[[], object], times: int, seed: int) -> int:
    """Run `action` so many times, each with a signal at a random moment whose handler raises.

    Returns how many exceptions came in time. Raises `Leak` when one leaves something behind.
    """
    randomness = random.Random(seed)
    began = time.monotonic()
    action()
    duration = time.monotonic() - began
    injected, armed = 0, False

    def handler(number: int, frame: FrameType | None) -> None:
        if armed:
            raise Injected

    previous = signal.signal(signal.SIGALRM, handler)
    try:
        for number in range(times):
            delay = randomness.uniform(0.00001, duration)
            text = f"a signal after {delay:.6f} s (number {number}, seed {seed})"
            with nothing_remains(partial(str, text)):
                try:
                    armed = True
                    signal.setitimer(signal.ITIMER_REAL, delay)
                    action()
                    armed = False
                except Injected:
                    injected += 1
                finally:
                    armed = False
                    signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, previous)
    return injected
