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
LIMIT = 280
"""Seconds for one run; with workers it is three processes that each load all plugins, beside other tests."""
pytestmark = pytest.mark.timeout(2 * LIMIT + 30)
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
    "timeout and socket": ["--timeout", "100", "--disable-socket", "--allow-unix-socket"],
    "repeat": ["--count", "2"],
    "reports": [
        *("--html", "report.html", "--self-contained-html"),
        *("--json-report", "--alluredir", "allure", "--instafail"),
    ],
    "profiling": ["--profile"],
    "replay": ["--replay-record-dir", "replay"],
}
ONLY_WORKERS = ["-p", "xdist.plugin", "-p", "pytest_plugsvc_conformance"]
"""The plugins of a run with ``PYTEST_DISABLE_PLUGIN_AUTOLOAD``: three processes that load all of them take long."""


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


def test_every_plugin_is_pinned() -> None:
    """A new version of one shows when somebody renews the pins, and not in an unrelated change."""
    files = [HERE / "constraints.txt", HERE.parents[1] / "constraints.txt"]
    pinned = {line.partition("==")[0].lower().replace("_", "-") for file in files for line in file.read_text().split()}
    named = [line.lower() for line in (HERE / "plugins.txt").read_text().splitlines() if not line.startswith("#")]
    assert [name for name in named if name not in pinned] == []


@pytest.mark.parametrize(
    ("repository", "start"),
    [*((repository, "pytest") for repository in REPOSITORIES), ("plain", "python -m pytest"), ("plain", "workers")],
)
def test_no_run_changes(repository: str, start: str, tmp_path: Path) -> None:
    found = []
    for hidden in (True, False):
        folder = tmp_path / "repository"
        shutil.copytree(HERE / "repositories" / repository, folder)
        done = run(folder, *STARTS[start], *FIXED, "-rA", "--tb=short", env=environment(hidden=hidden), timeout=LIMIT)
        left = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if "__pycache__" not in path.parts)
        status, lines = shown(done)
        found.append((status, sorted(lines) if start == "workers" else lines, left))
        shutil.rmtree(folder)
    without, with_ours = found
    assert with_ours == without
    assert without[0] == 1, "each repository has a test that fails"


@pytest.mark.parametrize("words", [["--fixtures", "-v"], ["--markers"]])
def test_no_list_changes(words: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    shutil.copytree(HERE / "repositories" / "plain", folder)
    without, with_ours = (
        shown(run(folder, *SCRIPT, *FIXED, *words, env=environment(hidden=hidden), timeout=LIMIT))
        for hidden in (True, False)
    )
    assert with_ours == without


def assert_all_pass(folder: Path, words: list[str], env: dict[str, str]) -> None:
    """Run the cases with these options, and expect that each is reported once, as passed."""
    report = ["-p", "no:cacheprovider", "--conformance-json", "conformance.json"]
    done = run(folder, *SCRIPT, *CASES, *report, *words, env=env, timeout=LIMIT)
    assert done.status == 0, done.output
    summary = json.loads((folder / "conformance.json").read_text())["summary"]
    assert summary["passed"] == summary["total"], done.output
    assert summary["total"] == NUMBER * (2 if "--count" in words else 1), done.output


@pytest.mark.parametrize("beside", BESIDE)
def test_no_plugin_changes_a_verdict(beside: str, tmp_path: Path) -> None:
    assert_all_pass(tmp_path, BESIDE[beside], environment())


@pytest.mark.parametrize("dist", MODES)
def test_no_mode_of_workers_changes_a_verdict(dist: str, tmp_path: Path) -> None:
    env = {**environment(), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    assert_all_pass(tmp_path, [*ONLY_WORKERS, "-n", "2", "--dist", dist], env)


@pytest.mark.parametrize("words", [[], ["--reruns", "2"], ["-n", "2"], ["-p", "no:randomly", "-x"]])
def test_no_plugin_hides_a_failure(words: list[str], tmp_path: Path) -> None:
    command = bad_testees.write(tmp_path, bad_testees.manifest(), FAILS)
    case = ["--pyargs", "conformance", "--conformance-case", "plugin/requests/call", "--conformance-testee", command]
    done = run(tmp_path, *SCRIPT, "-p", "no:cacheprovider", *case, *words, env=environment(), timeout=LIMIT)
    assert done.status == 1, done.output


def test_the_command_loads_none_of_them(tmp_path: Path) -> None:
    done = run(tmp_path, *COMMAND, "--case", "plugin/requests/call", "-n", "2", env=environment(), timeout=LIMIT)
    assert done.status == 0, done.output
    assert os.listdir(tmp_path) == []
