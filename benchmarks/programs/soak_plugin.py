"""The plugin of the soak: CALLS THREADS SEED. Ends with status 0 when every answer was the right one."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable
from itertools import count

from holding import holding  # type: ignore[import-not-found]

import plugsvc

SOAK = "soak"
SAMPLE_SECONDS = 2.0
MATERIAL = "".join(random.Random(1).choices('abcdefghij "\\\n\t0123456789äß€😀\x01', k=2 * 1024 * 1024))
"""Texts are parts of this one: plain, escaped, one byte a character and four."""


@plugsvc.service(SOAK)
def turn(number: int, text: str) -> tuple[int, str]: ...  # type: ignore[empty-body]


@plugsvc.service(SOAK)
def fail(number: int) -> None: ...


@plugsvc.service(SOAK)
def panic(number: int) -> None: ...


@plugsvc.service(SOAK)
def missing(number: int) -> None: ...


@plugsvc.service(SOAK)
def slow(number: int) -> int: ...  # type: ignore[empty-body]


@plugsvc.service(SOAK)
def report(calls: int, memory: int, blocks: int, descriptors: int, threads: int) -> None: ...


impatient = plugsvc.limit(slow, timeout=0.001)


class Wrong(Exception):
    """An answer was not the one that is due."""


class Caller:
    """One thread's calls, drawn from its own random numbers. `done`: how many it has made."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.done = 0

    def step(self) -> None:
        """Make one call of some kind, or a list of calls. Raises `Wrong`."""
        chance = self._random.random()
        for limit, kind in self.KINDS:
            if chance < limit:
                self.done += kind(self)
                return

    def _text(self) -> str:
        chance = self._random.random()
        most = 256 if chance < 0.9994 else 64 * 1024 if chance < 0.99999 else len(MATERIAL) - 1
        size = self._random.randrange(most)
        start = self._random.randrange(len(MATERIAL) - size)
        return MATERIAL[start : start + size]

    def _number(self) -> int:
        return self._random.randrange(-(2**40), 2**40)

    def _turn(self) -> int:
        number, text = self._number(), self._text()
        self._check(turn(number, text), (number + len(text), text[::-1]))
        return 1

    def _fail(self) -> int:
        number = self._number()
        self._check_error(lambda: fail(number), f'failed with {number} "€"')
        return 1

    def _panic(self) -> int:
        number = self._number()
        self._check_error(lambda: panic(number), f"panic in service: panicked with {number}")
        return 1

    def _missing(self) -> int:
        self._check_error(lambda: missing(1), 'undefined service "missing"')
        return 1

    def _slow(self) -> int:
        number = self._number()
        self._check(slow(number), -number)
        return 1

    def _impatient(self) -> int:
        number = self._number()
        try:
            self._check(impatient(number), -number)
        except plugsvc.CallTimeout:
            pass  # which is the rule; on a busy machine the reply may be there as well
        return 1

    def _many(self) -> int:
        size = self._random.randrange(1, 40)
        expected: list[object] = []
        calls: list[plugsvc.BoundCall[object]] = []
        for _ in range(size):
            number = self._number()
            if self._random.random() < 0.1:
                calls.append(plugsvc.prepare(fail, number))
                expected.append(f'failed with {number} "€"')
            else:
                text = self._text()
                calls.append(plugsvc.prepare(turn, number, text))
                expected.append((number + len(text), text[::-1]))
        found = plugsvc.call_many(calls)
        self._check([str(each) if isinstance(each, plugsvc.ServiceError) else each for each in found], expected)
        return size

    def _check(self, found: object, expected: object) -> None:
        if found != expected:
            raise Wrong(f"expected {str(expected)[:200]}, got {str(found)[:200]}")

    def _check_error(self, call: Callable[[], object], text: str) -> None:
        try:
            found = call()
        except plugsvc.RemoteError as error:
            self._check(str(error), text)
        else:
            raise Wrong(f"expected the error {text}, got {found}")

    KINDS: tuple[tuple[float, Callable[[Caller], int]], ...] = (
        (0.92, _turn), (0.95, _fail), (0.96, _panic), (0.969, _missing), (0.9695, _slow), (0.97, _impatient),
        (1.0, _many),
    )  # fmt: skip


def main(calls: int, threads: int, seed: int) -> int:
    """Let the threads make about so many calls, and tell the host now and then what this process holds."""
    callers = [Caller(seed + index) for index in range(threads)]
    wrong: list[str] = []

    def run(caller: Caller) -> None:
        try:
            while caller.done < calls / threads and not wrong:
                caller.step()
        except Exception as error:
            wrong.append(f"{type(error).__name__}: {error}")

    plugsvc.init_service_client()
    before = holding()
    report(0, *before)
    running = [threading.Thread(target=run, args=(caller,)) for caller in callers]
    for thread in running:
        thread.start()
    for _ in count():
        deadline = time.monotonic() + SAMPLE_SECONDS
        for thread in running:
            thread.join(max(deadline - time.monotonic(), 0))
        if not any(thread.is_alive() for thread in running):
            break
        report(sum(caller.done for caller in callers), *holding())
    deadline = time.monotonic() + 10
    while holding()[-1] > before[-1] and time.monotonic() < deadline:
        time.sleep(0.01)  # a thread that has been joined is not gone from the system yet
    report(sum(caller.done for caller in callers), *holding())
    for text in wrong:
        print(text, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["info"]:
        print('{"manifestVersion":1,"name":"soak","version":"1","commands":[{"path":["run"],"type":"soak"}]}')
    else:
        sys.exit(main(*map(int, sys.argv[-3:])))
