"""Limits of a connection are checked when they are given, and hold."""

from __future__ import annotations

import math
import os
from typing import Any

import pytest

from plugsvc.errors import RegistrationError
from plugsvc.host.channel import Channel
from plugsvc.host.limits import Limits
from plugsvc.host.registry import Registry
from plugsvc.host.server import Server


@pytest.mark.parametrize("name", Limits._fields[:-1])
@pytest.mark.parametrize("value", [0, -1, 1.5, math.nan, "3", None, True])
def test_a_limit_is_a_whole_number(name: str, value: Any) -> None:
    with pytest.raises(RegistrationError, match=rf"^{name} must be (a whole number|at least 1), not {value!r}$"):
        Limits(**{name: value}).check()


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, 1e10, "3", None, True])
def test_a_time_is_a_number_of_seconds(value: Any) -> None:
    with pytest.raises(RegistrationError, match=r"^drain_timeout must be a number of seconds from 0 to 1e.09, not "):
        Limits(drain_timeout=value).check()


def test_a_server_checks_before_it_begins() -> None:
    channel = Channel.of_descriptors(*os.pipe())
    with pytest.raises(RegistrationError, match="max_running"):
        Server(Registry(), channel, max_running=0)
    channel.close()
