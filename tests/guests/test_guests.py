"""The suite beside the pytest plugins of other people: it changes no run, and no plugin changes its verdicts.

For `tox -e guests`, which installs `plugins.txt`. Every run is one of a process of its own with all of these plugins;
the process of this test loads none of them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.conformance import bad_testees
from tests.conformance.foreign import COMMAND, MODULE, SCRIPT, Done, run
from tests.conformance.test_foreign_verdicts import FAILS

HERE = Path(__file__).parent
pytestmark = pytest.mark.timeout(300)
REPOSITORIES = sorted(path.name for path in (HERE / "repositories").iterdir())
STARTS = {"pytest": SCRIPT, "python -m pytest": MODULE, "workers": [*SCRIPT, "-n", "2", "--dist", "loadfile"]}
FIXED = ["-p", "no:cacheprovider", "-p", "no:sugar", "-p", "no:randomly", "--no-header"]
PATTERNS = ("plugin/requests/call", "host/namespaces/*")
CASES = ["--pyargs", "conformance", *(f"--conformance-case={pattern}" for pattern in PATTERNS)]
NUMBER = 10
"""Rows that these cases have."""

MODES = ("load", "loadscope", "loadfile", "loadgroup", "worksteal", "each")
BESIDE = {
    "as it is": [],
    "randomly": ["-p", "randomly", "-p", "no:random_order"],
    "random-order": ["--random-order"],
    "cov": ["--cov", "--cov-report", "term"],
    "cov and workers": ["--cov", "-n", "2"],
    "reruns": ["--reruns", "2"],
    "timeout": ["--timeout", "100"],
    "socket": ["--disable-socket", "--allow-unix-socket"],
    "repeat": ["--count", "2"],
    "html": ["--html", "report.html", "--self-contained-html"],
    "json-report": ["--json-report"],
    "profiling": ["--profile"],
    "instafail": ["--instafail"],
    "replay": ["--replay-record-dir", "replay"],
    "alluredir": ["--alluredir", "allure"],
    **{f"workers, {dist}": ["-n", "2", "--dist", dist] for dist in MODES},
}


def environment(*, hidden: bool = False) -> dict[str, str]:
    """What a run needs of its environment; ``hidden``: as if the package was not installed."""
    kept = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "", "PYTHONPATH": str(HERE / "hiding"), "PY_COLORS": "0"}
    return {**kept, "HIDE_PLUGSVC": "1" if hidden else ""}


def shown(done: Done) -> tuple[int, list[str]]:
    """The status and the output of a run without what differs from run to run."""
    text = re.sub(r"\d+\.\d+ ?s(econds)?\b|\bgw\d\b|0x[0-9a-f]+", "…", done.output)
    return done.status, [re.sub(r"=+|-+|_+", "=", line).strip() for line in text.splitlines() if line.strip()]


def test_the_plugins_are_there() -> None:
    plugins = {point.name for point in entry_points(group="pytest11")}
    assert {"plugsvc-conformance", "profiling", "replay"} <= plugins
    assert len(plugins) >= 30


@pytest.mark.parametrize(
    ("repository", "start"),
    [(repository, start) for repository in REPOSITORIES for start in STARTS if start != "workers"]
    + [("plain", "workers")],
)
def test_no_run_changes(repository: str, start: str, tmp_path: Path) -> None:
    found = []
    for hidden in (True, False):
        folder = tmp_path / "repository"
        shutil.copytree(HERE / "repositories" / repository, folder)
        done = run(folder, *STARTS[start], *FIXED, "-rA", "--tb=short", env=environment(hidden=hidden))
        left = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if "__pycache__" not in path.parts)
        status, lines = shown(done)
        found.append((status, sorted(lines) if start == "workers" else lines, left))
        shutil.rmtree(folder)
    without, with_ours = found
    assert with_ours == without
    assert without[0] == 1, "each repository has a test that fails"


@pytest.mark.parametrize("words", [["--fixtures", "-v"], ["--markers"], ["--collect-only", "-q"]])
def test_no_list_changes(words: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    shutil.copytree(HERE / "repositories" / "plain", folder)
    without, with_ours = (
        shown(run(folder, *SCRIPT, *FIXED, *words, env=environment(hidden=hidden))) for hidden in (True, False)
    )
    assert with_ours == without


@pytest.mark.parametrize("beside", BESIDE)
def test_no_plugin_changes_a_verdict(beside: str, tmp_path: Path) -> None:
    words = [*CASES, "-p", "no:cacheprovider", "--conformance-json", "conformance.json", *BESIDE[beside]]
    done = run(tmp_path, *SCRIPT, *words, env=environment())
    assert done.status == 0, done.output
    summary = json.loads((tmp_path / "conformance.json").read_text())["summary"]
    assert (summary["passed"] % NUMBER, summary["total"] % NUMBER) == (0, 0), done.output
    assert summary["passed"] == summary["total"] > 0


@pytest.mark.parametrize("words", [[], ["--reruns", "2"], ["-n", "2"], ["-p", "no:randomly", "-x"]])
def test_no_plugin_hides_a_failure(words: list[str], tmp_path: Path) -> None:
    command = bad_testees.write(tmp_path, bad_testees.manifest(), FAILS)
    case = ["--pyargs", "conformance", "--conformance-case", "plugin/requests/call", "--conformance-testee", command]
    done = run(tmp_path, *SCRIPT, "-p", "no:cacheprovider", *case, *words, env=environment())
    assert done.status == 1, done.output


def test_the_command_loads_none_of_them(tmp_path: Path) -> None:
    done = run(tmp_path, *COMMAND, "--case", "plugin/requests/call", "-n", "2", env=environment())
    assert done.status == 0, done.output
    assert os.listdir(tmp_path) == []
