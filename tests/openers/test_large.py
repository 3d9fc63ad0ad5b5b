"""Memory for large messages: pages that were got once are kept, if the program asks for it."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from plugsvc import keep_large_blocks

CODE = """
import os, resource, sys
from plugsvc import keep_large_blocks
if sys.argv[1] == "keep":
    keep_large_blocks()
def blocks():
    return [bytearray(1 << 20) for _ in range(4)]
for _ in range(5):
    blocks()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    blocks()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    """How many page faults twenty rounds of four blocks of a megabyte cost."""
    command = [sys.executable, "-c", CODE, how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env={})
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have other rules")
def test_blocks_are_kept() -> None:
    assert faults("as it is") > 5000, "the C library keeps them by itself: then there is nothing to do"
    assert faults("keep") < 500


HOSTED = """
import ctypes
import plugsvc
from plugsvc.testing import hosted_by
registry = plugsvc.Registry()
registry.define("test")

@registry.service("test")
def echo(text: str) -> str:
    return text

NAMES = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in NAMES.split()]

with hosted_by(registry):
    stub = plugsvc.get_service("test", "echo", echo)
    for _ in range(3):
        assert len(stub("x" * (1 << 20))) == 1 << 20
mallinfo = ctypes.CDLL(None).mallinfo2
mallinfo.restype = Info
before = mallinfo().hblkhd
block = bytearray(16 << 20)
print(mallinfo().hblkhd - before >= 16 << 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have other rules")
def test_large_messages_do_not_change_how_the_process_gets_its_memory() -> None:
    """A block that is larger than all messages is still mapped by itself, and given back when it is freed."""
    command = [sys.executable, "-c", HOSTED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env={})
    assert done.stdout == "True\n"


@pytest.mark.parametrize("largest", [0, -1, 31 * 1024 * 1024 + 1])
def test_sizes_that_make_no_sense(largest: int) -> None:
    with pytest.raises(ValueError, match=f"^{largest} bytes; expected 1 to 32505856$"):
        keep_large_blocks(largest)
