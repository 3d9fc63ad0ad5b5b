"""Large messages and memory: let the C library keep what it gets from the system.

A message of a megabyte is several blocks of that size on each side: what is encoded, read, collected and decoded. The
C library of Linux hands blocks like these back to the system as soon as they are free, and gets them anew with the
next message: each of their pages is then cleared and faulted in again, which takes longer than all the JSON. How large
a block has to be for that it learns from the largest one that was freed so far.
"""

from __future__ import annotations

__all__ = ["expect_large"]

LARGEST = 31 * 1024 * 1024
"""Bytes. Up to this size blocks are kept from then on, and up to twice as many bytes that are free."""

_expected = False


def expect_large() -> None:
    """Get ready for large messages, once for the process. Takes a few microseconds, and no memory."""
    global _expected
    if not _expected:
        _expected = True
        bytes(LARGEST)  # which is freed at once, and never touched
