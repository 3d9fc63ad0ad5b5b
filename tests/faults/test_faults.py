"""A short form of the fault injection, and proof that it finds what it looks for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .inject import build, unavailable

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))


@pytest.mark.parametrize("arguments", [["--short"], ["fd", "--error", "ENOMEM"]], ids=" ".join)
def test_no_fault_makes_anything_hang_leak_or_stay(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 wrong;" in done.stdout.splitlines()[-1]


BAD = """
import os, sys, threading, time
from pathlib import Path
from tests.faults.inject import Fault
from tests.faults.runs import TRANSPORTS, prepare, run
from plugsvc.host.binds.fd import FdBind

class Bad:
    name = "bad"

    def __init__(self, place):
        self.place = place

    def run(self, context, plugin, command, serve, next):
        try:
            return FdBind().run(context, plugin, command, serve, next)
        except OSError as error:
            globals()[sys.argv[2]](self.place, error)
            raise

def descriptor(place, error):
    os.dup(2)

def file(place, error):
    (place / "left").touch()

def thread(place, error):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()

def child(place, error):
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)

def hang(place, error):
    time.sleep(60)

def lie(place, error):
    raise KeyError("x") from None

TRANSPORTS["bad"] = Bad
place = Path(sys.argv[1])
prepare(place)
result = run("host", "bad", Fault("EMFILE", 1), place)
print(result.hit, "|", " ".join(result.wrong))
"""


@pytest.mark.parametrize(
    ("flaw", "found"),
    [
        ("descriptor", "descriptors stay: {"),
        ("file", "files stay: ['left']"),
        ("thread", "threads stay: ["),
        ("child", "a child stays"),
        ("hang", "it hangs"),
        ("lie", "it raises KeyError('x')"),
    ],
)
def test_what_is_wrong_is_found(flaw: str, found: str, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", BAD, str(place), flaw],
        cwd=ROOT,
        env={**os.environ, "LD_PRELOAD": str(build(tmp_path))},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert found in done.stdout
