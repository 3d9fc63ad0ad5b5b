"""An installation changes nobody's run, and nobody's configuration changes what the suite judges."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.conformance.foreign import CASES, COMMAND, MODULE, ONE_CASE, SCRIPT, run, write

WITHOUT = ["-p", "no:plugsvc-conformance", "-p", "no:cacheprovider"]
WITH = ["-p", "no:cacheprovider"]

HOSTILE_CONFTEST = """
import pytest

@pytest.fixture
def host():
    return "theirs"

@pytest.fixture
def plugin():
    return "theirs"

@pytest.fixture(autouse=True)
def breaks(request):
    raise RuntimeError("for the tests of this repository only")

def pytest_addoption(parser):
    for name in ("--profile", "--replay", "--seed", "--side", "--case", "--level", "--testee"):
        parser.addoption(name)
"""

HOSTILE_INI = """[pytest]
python_files = check_*.py
python_functions = check_*
python_classes = *
norecursedirs = conf* cases
markers = mine: a marker
usefixtures = no_such_fixture
filterwarnings = error
timeout = 0.01
addopts = --strict-markers --strict-config --doctest-modules --import-mode=importlib -p no:doctest
"""


def test_options_have_a_prefix(tmp_path: Path) -> None:
    options = [
        set(re.findall(r"^\s+(--?[\w-]+)", run(tmp_path, *SCRIPT, *words, "--help").output, re.MULTILINE))
        for words in (WITH, WITHOUT)
    ]
    added = options[0] - options[1]
    assert "--conformance-testee" in added
    assert [name for name in added if not name.startswith("--conformance-")] == []


def test_no_fixture_is_there(tmp_path: Path) -> None:
    write(tmp_path, {"test_mine.py": "def test_mine():\n    pass\n"})
    with_ours, without = (
        re.sub(r"in [\d.]+s", "", run(tmp_path, *SCRIPT, *words, "--fixtures", "-q").output)
        for words in (WITH, WITHOUT)
    )
    assert with_ours == without


def test_nothing_is_loaded(tmp_path: Path) -> None:
    shown = "import sys\ndef test_mine():\n    print(sorted({name.split('.')[0] for name in sys.modules}))\n"
    write(tmp_path, {"test_mine.py": shown})
    names = [
        set(re.findall(r"'(\w+)'", run(tmp_path, *SCRIPT, *words, "-s", "-q").output)) for words in (WITH, WITHOUT)
    ]
    assert names[0] - names[1] == {"pytest_plugsvc_conformance"}


@pytest.mark.parametrize("start", [SCRIPT, MODULE])
@pytest.mark.parametrize(("test", "status"), [("assert True", 0), ("assert False", 1)])
def test_a_folder_with_a_name_like_ours(start: list[str], test: str, status: int, tmp_path: Path) -> None:
    write(tmp_path, {"conformance_tests/test_theirs.py": f"def test_theirs():\n    {test}\n"})
    done = run(tmp_path, *start, "conformance_tests", "-q")
    assert (done.status, "testee" in done.output) == (status, False)


@pytest.mark.parametrize("start", [SCRIPT, MODULE])
def test_a_package_with_our_name(start: list[str], tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "conformance/__init__.py": "MINE = True\n",
            "conformance/test_theirs.py": "import conformance\ndef test_theirs():\n    assert conformance.MINE\n",
        },
    )
    done = run(tmp_path, *start, "conformance", "-q")
    assert (done.status, done.counts) == (0, "1 passed")


def test_their_package_and_our_cases_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path, {"conformance/__init__.py": "", "conftest.py": "import conformance\n"})
    done = run(tmp_path, *SCRIPT, *ONE_CASE)
    assert done.status == 4
    assert f"conformance: another module of this name is loaded already, from {tmp_path}" in done.output


@pytest.mark.parametrize("start", [SCRIPT, MODULE])
def test_no_configuration_changes_what_is_judged(start: list[str], tmp_path: Path) -> None:
    write(tmp_path, {"conftest.py": HOSTILE_CONFTEST, "pytest.ini": HOSTILE_INI})
    words = ["--conformance-case", "plugin/requests/call", "--conformance-case", "host/namespaces/*"]
    done = run(tmp_path, *start, "--pyargs", "conformance", *words, "--conformance-json", "report.json")
    assert done.status == 0, done.output
    data = json.loads((tmp_path / "report.json").read_text())
    assert data["summary"]["passed"] == data["summary"]["total"] == 10


def test_cases_beside_their_tests_keep_their_fixtures(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "conftest.py": "import pytest\n@pytest.fixture\ndef host():\n    return 'theirs'\n",
            "test_mine.py": "def test_mine(host):\n    assert host == 'theirs'\ndef test_missing(plugin):\n    pass\n",
        },
    )
    done = run(tmp_path, *SCRIPT, "test_mine.py", *ONE_CASE, "-q")
    assert (done.status, done.counts) == (1, "2 passed, 1 error")
    assert "fixture 'plugin' not found" in done.output


SHADOWS = ["types", "random", "json", "pytest", "conformance", "plugsvc", "click", "hypothesis"]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_modules_of_the_working_folder_are_not_ours(workers: str, tmp_path: Path) -> None:
    write(tmp_path, {f"{name}.py": f"raise RuntimeError('{name} of the working folder')\n" for name in SHADOWS})
    done = run(tmp_path, *COMMAND, "--case", "plugin/requests/call", "-n", workers)
    assert done.status == 0, done.output


def test_modules_of_the_working_folder_beside_pytest(tmp_path: Path) -> None:
    write(tmp_path, {f"{name}.py": f"raise RuntimeError('{name} of the working folder')\n" for name in SHADOWS})
    done = run(tmp_path, *SCRIPT, *ONE_CASE)
    assert done.status == 0, done.output


@pytest.mark.parametrize(
    "start", [[*COMMAND, "--testee"], *([*s, *ONE_CASE, "--conformance-testee"] for s in (SCRIPT, MODULE))]
)
def test_a_testee_with_our_name(start: list[str], tmp_path: Path) -> None:
    testee = tmp_path / "conformance.py"
    testee.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m conformance.reference "$@"\n')
    testee.chmod(0o755)
    words = ["--case", "plugin/requests/call"] if start[:2] == COMMAND else []
    done = run(tmp_path, *start, "./conformance.py", *words)
    assert done.status == 0, done.output


@pytest.mark.parametrize("value", [None, "1"])
def test_testees_keep_the_path_of_the_user(value: str | None, tmp_path: Path) -> None:
    """The suite's own processes are started with a clean path; what it sets for that is not for testees."""
    testee = tmp_path / "testee"
    check = f'[ "$PYTHONSAFEPATH" = "{value or ""}" ] || exit 9'
    testee.write_text(f'#!/bin/sh\n{check}\nexec {sys.executable} -P -m conformance.reference "$@"\n')
    testee.chmod(0o755)
    words = ["--testee", str(testee), "--case", "plugin/requests/call", "-n", "2"]
    done = run(tmp_path, *COMMAND, *words, env={"PYTHONSAFEPATH": value} if value else {})
    assert done.status == 0, done.output


def test_an_option_without_the_cases_is_refused(tmp_path: Path) -> None:
    """A pass would be taken for one of the testee."""
    write(tmp_path, {"test_mine.py": "def test_mine():\n    pass\n"})
    done = run(tmp_path, *SCRIPT, "test_mine.py", "--conformance-testee", "./t")
    assert done.status == 4
    assert "--conformance-testee: no case of the suite is asked for; add --pyargs conformance" in done.output


def test_an_option_in_their_configuration_waits_for_the_cases(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "pytest.ini": "[pytest]\naddopts = --conformance-case=plugin/requests/call\n",
            "test_mine.py": "def test_mine():\n    pass\n",
        },
    )
    assert run(tmp_path, *SCRIPT, "test_mine.py", "-q").counts == "1 passed"
    assert run(tmp_path, *SCRIPT, "--pyargs", "conformance", "-q").counts == "1 passed"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--conformance-examples", "0"], "--conformance-examples 0: expected 1 or more"),
        (["--conformance-timeout", "0"], "--conformance-timeout 0: expected 0.1 or more"),
        (
            ["--conformance-json", "/no/such/folder/r"],
            "--conformance-json /no/such/folder/r: No such file or directory",
        ),
    ],
)
def test_options_out_of_range(words: list[str], says: str, tmp_path: Path) -> None:
    done = run(tmp_path, *SCRIPT, *CASES, *words)
    assert (done.status, f"conformance: {says}" in done.output) == (2, True)
