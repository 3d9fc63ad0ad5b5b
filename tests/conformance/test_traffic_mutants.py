"""A few mutants and a correct testee, recorded and judged; `tests.conformance.recorded_mutants` does so with all."""

from __future__ import annotations

import shlex
import sys

import pytest

from conformance.mutants import load_mutants
from tests.conformance.recorded_mutants import ROOT, SET, broken_by, record_and_judge

SCRATCH = shlex.join([sys.executable, str(ROOT / "fixtures" / "testees" / "scratch_python" / "testee.py")])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["scratch-host-services-twice", "scratch-plugin-no-arguments-is-null"])
def test_a_recorded_mutant_is_guilty(name: str) -> None:
    (mutant,) = (mutant for mutant in load_mutants(SET) if mutant.id == name)
    assert broken_by(mutant) >= set(mutant.catches)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("side", "scheme", "cases"),
    [
        ("plugin", "file", ["plugin/requests/call", "plugin/requests/lookups"]),
        ("host", "devfd", ["host/replies/*"]),
    ],
)
def test_a_recorded_correct_testee_is_clean(side: str, scheme: str, cases: list[str]) -> None:
    assert record_and_judge(SCRATCH, {}, side, cases, scheme) == []
