"""Mistakes of the programmer that your implementation refuses."""

from __future__ import annotations

from collections.abc import Callable

# YOUR IMPLEMENTATION: a function for each kind that it can commit. The function makes the mistake, and the
# implementation refuses it by an exception that names what is wrong.

KINDS: dict[str, Callable[[], object]] = {}
