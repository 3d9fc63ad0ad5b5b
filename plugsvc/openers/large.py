"""Keeps the memory of large messages in the process, for programs that ask for it.

A message of a megabyte is several blocks of that size on each side: what is encoded, read, collected and decoded. The
C library of Linux hands such blocks back to the system as soon as they are free, and gets them anew with the next
message: each of their pages is cleared and faulted in again, which takes about as long as all the JSON. How large a
block has to be for that it learns from the largest one that was freed so far. This is a property of the whole process,
so the program decides, not the library.
"""

from __future__ import annotations

__all__ = ["LARGEST", "keep_large_blocks"]

LARGEST = 31 * 1024 * 1024
"""Bytes; the C library of Linux learns from no larger blocks."""


def keep_large_blocks(largest: int = LARGEST) -> None:
    """Make the C library keep freed blocks of memory of up to `largest` bytes, and up to twice as many free bytes.

    For programs that exchange large messages all the time: a call of a megabyte takes about half the processor time.
    It concerns the whole process, for as long as it lives, and the process keeps more memory: up to several hundred
    megabytes after messages of 16 MiB. Costs a few microseconds, and no memory by itself. Without effect with other C
    libraries than glibc, and where `MALLOC_MMAP_THRESHOLD_` is set. Raises `ValueError` for less than 1 byte or more
    than 31 MiB.
    """
    if not 1 <= largest <= LARGEST:
        raise ValueError(f"{largest} bytes; expected 1 to {LARGEST}")
    bytes(largest)  # which is freed at once, and never touched
