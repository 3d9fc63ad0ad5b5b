"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long drawing takes depends on what else the machine does, and no test is about that.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
