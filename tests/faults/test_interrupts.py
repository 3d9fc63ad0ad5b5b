"""An exception in the main thread, at each step or at any moment, leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from .interrupts import at_each_step, at_random_moments
from .scenarios import SCENARIOS, make_scenario, prepare


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_exception_at_each_line(name: str, tmp_path: Path) -> None:
    prepare()
    assert at_each_step(make_scenario(name, tmp_path), "line") > 30


@pytest.mark.parametrize("name", ["a process", "an execution"])
def test_an_exception_at_each_instruction(name: str, tmp_path: Path) -> None:
    prepare()
    assert at_each_step(make_scenario(name, tmp_path), "opcode", stride=2) > 90


@pytest.mark.parametrize("name", SCENARIOS)
def test_signals_at_random_moments(name: str, tmp_path: Path) -> None:
    prepare()
    assert at_random_moments(make_scenario(name, tmp_path), times=30, seed=1) > 3
