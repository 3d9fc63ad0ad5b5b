"""Memory for large messages: pages that were got once are kept."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

CODE = """
import os, resource, sys
from plugsvc.openers.large import expect_large
if sys.argv[1] == "expect":
    expect_large()
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
    assert faults("expect") < 500
