"""The soak in short, and that it sees what it is there for."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.soak import GROWTH, MORE_BLOCKS, Sample, faults, main

ROOT = Path(__file__).parents[2]
SAMPLE = Sample(1.0, 0, 30_000_000, 50_000, 7, 1, 30_000_000, 60_000, 9, 4)
SOUND = [replace(SAMPLE, seconds=float(second), calls=second * 100) for second in range(20)]


def test_a_short_soak_finds_nothing() -> None:
    command = [sys.executable, "-m", "benchmarks.soak", "--calls", "4000", "--seed", "7"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(", every answer right\n")


def test_sound_samples_have_no_fault() -> None:
    assert faults(SOUND, 1900) == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"calls": 1899}, "only 1899 calls of 1900 were made"),
        ({"plugin_descriptors": 8}, "the plugin has 1 descriptors more than in the beginning"),
        ({"host_descriptors": 11}, "the host has 2 descriptors more than in the beginning"),
        ({"plugin_threads": 2}, "the plugin has 1 threads more than in the beginning"),
    ],
)
def test_what_is_left_in_the_end_is_a_fault(change: dict[str, int], text: str) -> None:
    assert faults([*SOUND[:-1], replace(SOUND[-1], **change)], 1900) == [text]


def test_growing_memory_is_a_fault() -> None:
    growing = [replace(each, host_memory=each.host_memory + each.calls * GROWTH // 900) for each in SOUND]
    (found,) = faults(growing, 1900)
    assert found.startswith("the host's memory grew by ")


def test_growing_blocks_are_a_fault() -> None:
    growing = [replace(each, plugin_blocks=each.plugin_blocks + each.calls * MORE_BLOCKS // 900) for each in SOUND]
    (found,) = faults(growing, 1900)
    assert found.startswith("the plugin has 2")
    assert found.endswith(" blocks of Python more than in the beginning")


def test_one_large_sample_is_none() -> None:
    assert faults([*SOUND[:10], replace(SOUND[10], plugin_memory=10**9), *SOUND[11:]], 1900) == []


def test_a_wrong_answer_ends_it(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.soak.services", _wrong_services)
    assert main(["--calls", "500", "--threads", "2"]) == 1
    assert "Wrong: expected " in capfd.readouterr().out


def _wrong_services(samples: list[Sample], show: bool) -> object:
    import plugsvc

    registry = plugsvc.Registry()
    registry.define("soak")

    @registry.service("soak")
    def turn(number: int, text: str) -> tuple[int, str]:
        return number + len(text) + 1, text[::-1]

    @registry.service("soak")
    def report(calls: int, memory: int, blocks: int, descriptors: int, threads: int) -> None:
        pass

    return registry
