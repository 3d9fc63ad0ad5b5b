"""The former name of `openers.spin`, for what has not been changed yet."""

from __future__ import annotations

from .spin import MISSES, PAUSE, PAUSE_MAX, SPAN, TRIES, WORTH, Spin as Looking, several_cpus

__all__ = ["MISSES", "PAUSE", "PAUSE_MAX", "SPAN", "TRIES", "WORTH", "Looking", "several_cpus"]
