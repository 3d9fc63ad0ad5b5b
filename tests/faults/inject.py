"""Builds the shim and controls it: which call of the C library fails, and with which error."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ERRORS", "Fault", "arm", "build", "disarm", "is_loaded", "unavailable"]

ERRORS = {"EMFILE": 1, "ENOSPC": 2, "EINTR": 4, "ENOMEM": 8, "EPIPE": 16}
"""The errors that can be injected, with the shim's bit for the calls that can fail with each."""


@dataclass(frozen=True)
class Fault:
    """One failure: call number `call` (from 1; 0: none) of those that can fail with `error`.

    `lasting`: all later ones fail, too, as when there are no descriptors left.
    """

    error: str
    call: int = 0
    lasting: bool = False

    def __str__(self) -> str:
        return f"{self.error} at call {self.call}{' and after' if self.lasting else ''}"


def unavailable() -> str | None:
    """Return why faults cannot be injected here, None where they can."""
    if os.uname().sysname != "Linux" or os.uname().machine not in ("x86_64", "aarch64"):
        return "the shim is for Linux on 64-bit machines"
    if shutil.which("cc") is None:
        return "there is no C compiler (cc)"
    return None


def build(directory: Path) -> Path:
    """Compile the shim into a directory, and return its path."""
    library = directory / "shim.so"
    source = Path(__file__).with_name("shim.c")
    command = ["cc", "-std=c11", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True, timeout=60)
    return library


def is_loaded() -> bool:
    """Whether this process runs under the shim."""
    return hasattr(_library, "faults_arm")


def arm(fault: Fault) -> None:
    """Begin to count, and let the call of the fault fail."""
    _library.faults_arm(ERRORS[fault.error], getattr(errno, fault.error), fault.call, fault.lasting)


def disarm() -> tuple[int, str | None]:
    """Let nothing fail any more; return how many calls were counted, and the name of the function that failed."""
    count = _library.faults_disarm()
    name = _library.faults_hit()
    return count, None if name is None else name.decode()


_library = ctypes.CDLL(None)
if is_loaded():
    _library.faults_hit.restype = ctypes.c_char_p
