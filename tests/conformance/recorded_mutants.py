"""Record mutants and correct testees while the suite runs on them, and judge the recordings.

    python -m tests.conformance.recorded_mutants [--all] [--only GLOB]   mutants: is each judged guilty?
    python -m tests.conformance.recorded_mutants --testee CMD            a correct testee: is it judged clean?

Without `--all`, one mutant for each requirement and side that a recording can show. The suite at the other end breaks
the protocol on purpose in many cases, so only the testee's side is looked at.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path

from conformance.mutants import Mutant, cases_for, load_mutants, mutated
from conformance.traffic.checks import TABLE
from conformance.traffic.judge import Violation, judge
from conformance.traffic.recording import by_connection, read

ROOT = Path(__file__).parents[2]
SET = ROOT / "fixtures" / "mutants"
SECONDS = 300


class NothingRecorded(Exception):
    """The suite ran no case in which there was a connection."""


def record_and_judge(
    command: str, env: dict[str, str], side: str, cases: Iterable[str], scheme: str
) -> list[Violation]:
    """Run cases of the suite on a testee with the recorder in it, and return what its recordings show of this side.

    Raises `NothingRecorded`.
    """
    with tempfile.TemporaryDirectory(prefix="recorded-") as folder:
        recording = Path(folder, "r.jsonl")
        wrapper = [sys.executable, "-P", "-m", "tests.recorder.wrapped_testee", str(recording)]
        # The recorder is this library, whatever the testee's environment says of it.
        testee = shlex.join([*wrapper, "env", *(f"{name}={value}" for name, value in env.items())]) + f" {command}"
        words = [sys.executable, "-m", "conformance.command", "run", "--testee", testee, "--side", side, "-n", "0"]
        words += ["--timeout", "6", "--scale", "0.05", "--scheme" if side == "plugin" else "--bind", scheme]
        words += [word for case in cases for word in ("--case", case)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=ROOT, env=environment
        )
        if not recording.exists():
            raise NothingRecorded(f"the suite recorded nothing: {done.stdout[-1000:]}{done.stderr[-1000:]}")
        events = by_connection(read(recording))
        judgements = [judge(connection, each) for connection, each in events.items()]
    return [each for judgement in judgements for each in judgement.violations if each.side.value == side]


def broken_by(mutant: Mutant) -> set[str]:
    """The requirements that the recordings of the cases which catch a mutant show broken."""
    with mutated(mutant) as (command, env):
        cases = [case.id for case in cases_for(mutant)]
        scheme = (mutant.transports or (("file",) if mutant.side.value == "plugin" else ("devfd",)))[0]
        found = record_and_judge(command, env, mutant.side.value, cases, scheme)
    return {each.requirement for each in found}


def visible_mutants(mutants: Sequence[Mutant]) -> list[Mutant]:
    """The mutants of the from-scratch testee that break something which a recording can show."""
    rows = {(row.requirement, row.side) for row in TABLE}
    return [
        mutant
        for mutant in mutants
        if mutant.base.name == "scratch-python" and any((id_, mutant.side) in rows for id_ in mutant.catches)
    ]


def main() -> int:
    """Print what was found; the exit status is 1 when a correct testee is not clean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", default="*")
    parser.add_argument("--testee")
    parser.add_argument("--case", action="append", default=[])
    arguments = parser.parse_args()
    if arguments.testee:
        status = 0
        for side, scheme in (("plugin", "file"), ("host", "devfd")):
            found = record_and_judge(arguments.testee, {}, side, arguments.case or [f"{side}/*"], scheme)
            print(f"{side}: {'clean' if not found else 'GUILTY'}", flush=True)
            for each in found:
                print(each.render(), flush=True)
                status = 1
        return status
    chosen = [mutant for mutant in visible_mutants(load_mutants(SET)) if fnmatch(mutant.id, arguments.only)]
    if not arguments.all and arguments.only == "*":
        first: dict[tuple[str, str], Mutant] = {}
        for mutant in chosen:
            first.setdefault((mutant.catches[0], mutant.side.value), mutant)
        chosen = list(first.values())
    words = Counter[str]()
    for mutant in chosen:
        broken = broken_by(mutant)
        word = "found" if broken & set(mutant.catches) else "found as another" if broken else "not seen"
        words[word] += 1
        print(f"{word}: {mutant.id} breaks {' '.join(mutant.catches)}, seen {' '.join(sorted(broken))}", flush=True)
    print(f"of {len(chosen)} mutants: " + ", ".join(f"{count} {word}" for word, count in words.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
