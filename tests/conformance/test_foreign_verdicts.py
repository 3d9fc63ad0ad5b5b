"""The exit status of pytest with the cases beside foreign tests, workers that die, and runs that are cut short."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conformance import bad_testees
from tests.conformance.foreign import ONE_CASE, SCRIPT, Done, run, write

pytestmark = pytest.mark.timeout(300)  # a run with workers is three processes of pytest or more, beside other tests
PYTEST = [*SCRIPT, "-p", "no:cacheprovider", "-q"]
GROUP = ["--pyargs", "conformance", "--conformance-case", "plugin/requests/*"]

CANNOT = """
    for line in sys.stdin:
        print(json.dumps({"id": json.loads(line)["id"], "unsupported": "nothing at all"}), flush=True)
"""
FAILS = """
    for line in sys.stdin:
        order = json.loads(line)
        known = order["op"] in ("call", "hosted", "hasNamespace", "getManifest", "listServices")
        print(json.dumps({"id": order["id"], **({"error": "no"} if known else {"unsupported": "?"})}), flush=True)
"""

PLUGINS = {
    "dies": "os._exit(5)",
    "interrupts": "raise KeyboardInterrupt",
    "stops": "item.session.shouldstop = 'enough'",
}


def on(folder: Path, rest: str) -> list[str]:
    return ["--conformance-testee", bad_testees.write(folder, bad_testees.manifest(), rest)]


def with_plugin(folder: Path, name: str, *words: str) -> Done:
    """Run pytest with a plugin that does something at the case ``plugin/requests/call``."""
    body = f"    if item.name.startswith('test_call['):\n        {PLUGINS[name]}\n"
    write(folder, {"own_plugin.py": f"import os\ndef pytest_runtest_call(item):\n{body}"})
    report = ["--conformance-json", "report.json"]
    return run(
        folder, *PYTEST, "-p", "own_plugin", *GROUP, *report, *words, env={"PYTHONPATH": str(folder)}, timeout=280
    )


def outcomes(folder: Path) -> dict[str, str]:
    """The outcome of each case by the report."""
    return {row["case"]: row["outcome"] for row in json.loads((folder / "report.json").read_text())["results"]}


def test_a_failing_test_beside_cases_that_are_unsupported(tmp_path: Path) -> None:
    write(tmp_path, {"test_mine.py": "def test_mine():\n    assert False\n"})
    done = run(tmp_path, *PYTEST, "test_mine.py", *ONE_CASE, *on(tmp_path, CANNOT))
    assert (done.status, done.counts) == (1, "1 failed, 1 skipped")


def test_a_collection_error_beside_the_cases(tmp_path: Path) -> None:
    write(tmp_path, {"test_mine.py": "raise RuntimeError\n"})
    done = run(tmp_path, *PYTEST, "test_mine.py", "--continue-on-collection-errors", *ONE_CASE)
    assert (done.status, done.counts) == (1, "1 passed, 1 error")


def test_passing_tests_beside_cases_that_are_unsupported(tmp_path: Path) -> None:
    write(tmp_path, {"test_mine.py": "def test_mine():\n    pass\n"})
    done = run(tmp_path, *PYTEST, "test_mine.py", *ONE_CASE, *on(tmp_path, CANNOT))
    assert (done.status, done.counts) == (4, "1 passed, 1 skipped")


def test_a_worker_that_dies_takes_no_row_along(tmp_path: Path) -> None:
    done = with_plugin(tmp_path, "dies", "-n", "2")
    found = outcomes(tmp_path)
    assert done.status == 3, done.output
    assert found["plugin/requests/call"] == "crashed"
    assert len(found) > 10
    assert {"passed", "crashed"} >= set(found.values()) - {"not-run"}


def test_no_worker_is_left(tmp_path: Path) -> None:
    done = with_plugin(tmp_path, "dies", "-n", "2", "--max-worker-restart", "0")
    found = outcomes(tmp_path)
    assert done.status == 3, done.output
    assert found["plugin/requests/call"] == "crashed"
    assert len(found) > 10


def test_a_mode_of_workers_that_repeats_what_a_worker_died_in(tmp_path: Path) -> None:
    """pytest-xdist gives the case to the next worker too; without a limit it is four workers for each of ``-n``."""
    done = with_plugin(tmp_path, "dies", "-n", "2", "--dist", "loadscope", "--max-worker-restart", "1")
    found = outcomes(tmp_path)
    assert done.status == 3, done.output
    assert found["plugin/requests/call"] == "crashed"
    assert len(found) > 10
    assert {"passed", "crashed", "not-run"} >= set(found.values())


def test_a_time_limit_that_ends_the_worker(tmp_path: Path) -> None:
    words = ["-n", "1", "--timeout", "0.05", "--timeout-method", "thread", "--conformance-json", "report.json"]
    done = run(tmp_path, *PYTEST, *ONE_CASE, *words)
    assert done.status == 3, done.output
    assert outcomes(tmp_path) == {"plugin/requests/call": "crashed"}


@pytest.mark.parametrize("words", [["-x"], ["-n", "2", "--maxfail", "1"]])
def test_a_stop_after_a_failure(words: list[str], tmp_path: Path) -> None:
    report = ["--conformance-json", "report.json"]
    done = run(tmp_path, *PYTEST, *GROUP, *on(tmp_path, FAILS), *words, *report)
    found = outcomes(tmp_path)
    assert done.status == 1, done.output
    assert "failed" in found.values()
    assert "not-run" in found.values()
    assert len(found) > 10


def test_an_interrupt(tmp_path: Path) -> None:
    done = with_plugin(tmp_path, "interrupts")
    assert done.status == 2
    assert "not-run" in outcomes(tmp_path).values()


def test_a_plugin_that_ends_the_run(tmp_path: Path) -> None:
    done = with_plugin(tmp_path, "stops")
    assert done.status == 2
    assert "not-run" in outcomes(tmp_path).values()


def test_other_tests_chosen_with_k(tmp_path: Path) -> None:
    write(tmp_path, {"test_mine.py": "def test_mine():\n    pass\n"})
    done = run(tmp_path, *PYTEST, "test_mine.py", *ONE_CASE, "-k", "mine")
    assert (done.status, done.counts) == (0, "1 passed, 1 deselected")


def test_no_case_at_all(tmp_path: Path) -> None:
    words = ["--pyargs", "conformance", "--conformance-case", "plugin/requests/*", "--conformance-side", "host"]
    done = run(tmp_path, *PYTEST, *words)
    assert done.status == 4
    assert "conformance: nothing to run" in done.output
