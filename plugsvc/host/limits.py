"""Limits of one connection: their defaults, and the check of what the user gives."""

from __future__ import annotations

from typing import NamedTuple

from ..wire import MAX_DEPTH
from .checks import check_count, check_seconds

__all__ = ["DEFAULTS", "Limits"]

MIB = 1024 * 1024


class Limits(NamedTuple):
    """What one plugin can take from its host at most. `docs/host.md` says what happens at each limit.

    `max_running`, `max_awaiting`, `max_queued`: numbers of calls. `max_memory`, `max_unsent`, `max_message`: bytes.
    `max_values`: JSON values in the arguments of one call. `max_depth`: levels. `drain_timeout`: seconds.
    """

    max_running: int = 64
    max_awaiting: int = 1024
    max_queued: int = 16384
    max_memory: int = 64 * MIB
    max_unsent: int = 32 * MIB
    max_message: int = 80 * MIB
    max_values: int = 2_000_000
    max_depth: int = MAX_DEPTH
    drain_timeout: float = 5.0

    def check(self) -> Limits:
        """Return the limits themselves. Raises `RegistrationError` where one of them makes no sense."""
        for name, value in zip(self._fields[:-1], self[:-1], strict=True):
            check_count(name, value)
        check_seconds("drain_timeout", self.drain_timeout)
        return self


DEFAULTS = Limits()
