"""Runs every fault, one after the other, and prints how many there were: `python -m tests.faults [TRANSPORT...]`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from .inject import ERRORS, Fault, build, is_loaded, unavailable

LASTING = ("EMFILE", "ENOSPC", "ENOMEM")
"""Errors that, once there, usually stay."""


def main() -> int:
    """Return the exit status: 0 when nothing is wrong, 1 when something is, 2 when faults cannot be injected."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("transports", nargs="*", help="names of binds (default: all)")
    parser.add_argument("--side", choices=("host", "plugin"), help="only this side")
    parser.add_argument("--error", choices=ERRORS, help="only this error")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th call (default: 1)")
    parser.add_argument("--short", action="store_true", help="a selection: lasting EMFILE, ENOSPC and EPIPE")
    options = parser.parse_args()
    if options.short:
        options.every = max(options.every, 4)
    reason = unavailable()
    if reason is not None:
        print(f"tests.faults: {reason}", file=sys.stderr)
        return 2
    if not is_loaded():
        with tempfile.TemporaryDirectory(prefix="faults-") as directory:
            library = build(Path(directory))
            environ = {**os.environ, "LD_PRELOAD": str(library)}
            command = [sys.executable, "-m", "tests.faults", *sys.argv[1:]]
            return os.waitstatus_to_exitcode(os.spawnve(os.P_NOWAIT, sys.executable, command, environ) and os.wait()[1])
    return _run_all(options)


def _errors(options: argparse.Namespace) -> tuple[str, ...]:
    if options.error is not None:
        return (options.error,)
    return ("EMFILE", "ENOSPC", "EPIPE") if options.short else tuple(ERRORS)


def _run_all(options: argparse.Namespace) -> int:
    from .runs import SIDES, TRANSPORTS, count_calls, prepare, run

    unknown = set(options.transports) - set(TRANSPORTS)
    if unknown:
        print(f"tests.faults: unknown: {', '.join(sorted(unknown))}; there are {', '.join(TRANSPORTS)}")
        return 2
    began = time.monotonic()
    outcomes: Counter[str] = Counter()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="faults-") as directory:
        place = Path(directory) / "place"
        place.mkdir()
        prepare(place)
        for transport in options.transports or TRANSPORTS:
            for side in SIDES if options.side is None else (options.side,):
                counts = {}
                for error in _errors(options):
                    counts[error] = count_calls(side, transport, error, place)
                    once = (False,) if not (options.short and error in LASTING) else ()
                    for lasting in (*once, True) if error in LASTING else once:
                        for call in range(1, counts[error] + 1, options.every):
                            fault = Fault(error, call, lasting)
                            result = run(side, transport, fault, place)
                            outcomes["success" if result.outcome == "success" else "error"] += 1
                            for each in result.wrong:
                                wrong += 1
                                print(f"{transport} {side}: {fault} ({result.hit}): {each} [{result.outcome}]")
                print(f"{transport} {side}: calls {counts}", flush=True)
    print(
        f"{outcomes.total()} faults: {outcomes['success']} survived, {outcomes['error']} reported as errors,"
        f" {wrong} wrong; {time.monotonic() - began:.0f} s"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
