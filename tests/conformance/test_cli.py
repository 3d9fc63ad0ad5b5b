"""The command line: one clear line and the documented status for whatever it is given."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from conformance.fuzz.record import pack
from tests.conformance import bad_testees

COMMAND = [sys.executable, "-m", "conformance.cli"]


def cli(*words: str, cwd: Path | None = None, timeout: float = 100) -> subprocess.CompletedProcess[str]:
    """Run ``plugsvc-conformance`` with these words."""
    return subprocess.run(
        [*COMMAND, *words],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=cwd,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """What stands on standard error, which must be one line of ours."""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("plugsvc-conformance: ")
    return lines[0].removeprefix("plugsvc-conformance: ")


def test_a_testee_that_does_not_exist() -> None:
    done = cli("run", "--testee", "/no/such/testee")
    assert (done.returncode, one_line(done)) == (3, "/no/such/testee: no such file")


def test_a_testee_that_is_not_on_the_path() -> None:
    done = cli("run", "--testee", "no-such-testee")
    assert (done.returncode, one_line(done)) == (3, "no-such-testee: no such program on PATH")


def test_a_testee_that_is_not_executable(tmp_path: Path) -> None:
    path = tmp_path / "testee"
    path.write_text("#!/bin/sh\n")
    done = cli("run", "--testee", str(path))
    assert (done.returncode, one_line(done)) == (3, f"{path}: not an executable file")


def test_a_testee_that_the_kernel_does_not_start(tmp_path: Path) -> None:
    path = tmp_path / "testee"
    path.write_text("no program\n")
    path.chmod(0o755)
    done = cli("run", "--testee", str(path))
    assert (done.returncode, one_line(done)) == (3, f"{path}: cannot be started: Exec format error")


def test_an_unfinished_quote() -> None:
    done = cli("run", "--testee", "testee 'x")
    assert done.returncode == 3
    assert one_line(done) == "testee 'x: not a command line: No closing quotation"


@pytest.mark.parametrize(
    ("info", "says"),
    [
        ("print('hello')", "`info` printed no JSON object: Expecting value at character 0"),
        ("print('[]')", "`info` printed list, not an object"),
        ("print('x', file=sys.stderr); sys.exit(3)", "`info` ended with exit 3: x"),
        ("os.abort()", "`info` ended with killed by SIGABRT"),
        (bad_testees.manifest(manifestVersion=2), "manifestVersion is 2, expected 1"),
        (bad_testees.manifest(commands=None), "the manifest's commands are not a list"),
        (bad_testees.manifest(commands=[]), "the manifest has no command of the contract"),
        (bad_testees.manifest(name=""), "the manifest has no name"),
        (bad_testees.with_data(contract=2), "conformance-plugin keeps contract 2, expected 1"),
        (bad_testees.with_data(schemes="file"), "schemes of conformance-plugin is not a list"),
    ],
)
def test_a_testee_whose_info_breaks_the_contract(tmp_path: Path, info: str, says: str) -> None:
    command = bad_testees.write(tmp_path, info)
    done = cli("run", "--testee", command)
    assert done.returncode == 3
    assert one_line(done).startswith(f"{command}: {says}")


def test_a_testee_that_claims_what_does_not_exist(tmp_path: Path) -> None:
    command = bad_testees.write(tmp_path, bad_testees.manifest(), bad_testees.ANSWERS_EVERYTHING)
    done = cli("run", "--testee", command)
    assert done.returncode == 3
    assert "a made-up op was answered 'ok' instead of 'unsupported'" in one_line(done)


def test_a_testee_that_does_not_answer(tmp_path: Path) -> None:
    command = bad_testees.write(tmp_path, bad_testees.manifest(), "    sys.stdin.read()\n")
    done = cli("run", "--testee", command, "--timeout", "0.5")
    assert done.returncode == 3
    assert "the plugin side does not start" in one_line(done)


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["run", "--case", "no/such/case"], 2, "--case no/such/case: no such case"),
        (["run", "--skip", "no/such/case"], 2, "--skip no/such/case: no such case"),
        (["run", "--scheme", "bogus"], 2, "--scheme bogus: no such scheme; this suite offers file"),
        (["run", "--bind", "bogus"], 2, "--bind bogus: no testee declares it"),
        (["run", "--replay", "zz"], 2, "--replay: not an example to be replayed: zz"),
        (["run", "--replay", pack("host/no/such", 1)], 2, "--replay: an example of host/no/such, which is no case"),
        (["run", "-n", "many"], 2, "-n many: expected a number of processes, or auto"),
        (["run", "--known-failures", "/no/such/file"], 2, "/no/such/file: No such file or directory"),
        (["run", "--json", "/no/such/folder/report.json"], 2, "--json /no/such/folder/report.json: No such file"),
        (["run", "--junit", "/no/such/folder/report.xml"], 2, "--junit /no/such/folder/report.xml: No such file"),
        (["run", "--side", "host", "--case", "plugin/requests/*"], 4, "nothing to run"),
        (["run", "--case", "plugin/requests/*", "--skip", "*"], 4, "nothing to run"),
        (["explain", "XYZ-99"], 2, "XYZ-99: no such requirement or case"),
        (["mutants", "--set", "/no/such/folder"], 2, "/no/such/folder: no mutant set there"),
    ],
)
def test_bad_choices(words: list[str], status: int, says: str) -> None:
    done = cli(*words)
    assert done.returncode == status
    assert one_line(done).startswith(says)


@pytest.mark.parametrize(
    "words", [["run", "--nonsense"], ["run", "--timeout", "0"], ["run", "--side", "x"], ["nonsense"]]
)
def test_usage_errors_exit_2(words: list[str]) -> None:
    done = cli(*words)
    assert done.returncode == 2
    assert "Error:" in done.stderr


def test_reports_are_written(tmp_path: Path) -> None:
    json_file, junit_file = tmp_path / "report.json", tmp_path / "report.xml"
    done = cli("run", "--case", "plugin/requests/*", "--json", str(json_file), "--junit", str(junit_file))
    assert done.returncode == 0, done.stdout + done.stderr
    data = json.loads(json_file.read_text())
    assert data["summary"]["exit"] == 0
    assert data["summary"]["passed"] == data["summary"]["total"] == len(data["results"]) > 0
    assert {row["outcome"] for row in data["results"]} == {"passed"}
    assert data["testees"][0]["capabilities"]["plugin"]["schemes"][:2] == ["file", "fd"]
    cases = ElementTree.parse(junit_file).getroot().iter("testcase")
    assert len(list(cases)) == len(data["results"])


def test_a_failure_is_explained_and_its_reproduction_reproduces_it(tmp_path: Path) -> None:
    rest = """
    for line in sys.stdin:
        order = json.loads(line)
        known = order["op"] in ("call", "hosted")
        outcome = {"error": "no"} if known else {"unsupported": "unknown op"}
        print(json.dumps({"id": order["id"], **outcome}), flush=True)
"""
    command = bad_testees.write(tmp_path, bad_testees.manifest(), rest)
    done = cli("run", "--testee", command, "--case", "plugin/requests/call")
    assert done.returncode == 1
    assert "FAILED plugin/requests/call (MUST) on bad over file" in done.stdout
    assert "REQ-01" in done.stdout
    assert "call some/namespace.service ended without a request on the connection" in done.stdout
    reproduce = next(line for line in done.stdout.splitlines() if "reproduce: " in line).partition("reproduce: ")[2]
    words = shlex.split(reproduce)
    assert words[0] == "plugsvc-conformance"
    again = cli(*words[1:])
    assert again.returncode == 1
    assert "FAILED plugin/requests/call (MUST) on bad over file" in again.stdout


def test_known_failures_make_it_pass_and_one_that_passes_fails(tmp_path: Path) -> None:
    known = tmp_path / "known.toml"
    known.write_text('[[failure]]\ncase = "plugin/requests/call"\nmessage = "x"\nreason = "it is said to fail"\n')
    done = cli("run", "--case", "plugin/requests/call", "--known-failures", str(known))
    assert done.returncode == 1
    assert "XPASSED plugin/requests/call" in done.stdout
    assert "it is said to fail" in done.stdout


def test_a_known_failure_for_a_case_that_does_not_exist(tmp_path: Path) -> None:
    known = tmp_path / "known.toml"
    known.write_text('[[failure]]\ncase = "plugin/no/such"\nmessage = "x"\nreason = "y"\n')
    done = cli("run", "--known-failures", str(known))
    assert done.returncode == 2
    assert one_line(done) == f"{known}: plugin/no/such: no such case"


def test_side_by_side_gives_the_same_rows(tmp_path: Path) -> None:
    found = []
    for workers in ("0", "2"):
        file = tmp_path / f"{workers}.json"
        done = cli("run", "--case", "plugin/requests/*", "-n", workers, "--json", str(file))
        assert done.returncode == 0, done.stdout + done.stderr
        found.append(sorted(row["case"] for row in json.loads(file.read_text())["results"]))
    assert found[0] == found[1]


def test_the_same_run_by_pytest(tmp_path: Path) -> None:
    words = [
        "-m",
        "pytest",
        "--pyargs",
        "conformance",
        "--conformance-case",
        "plugin/requests/*",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=100, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "plugsvc-reference" in done.stdout
    refused = subprocess.run(
        [sys.executable, *words[:4], "--conformance-testee", "/no/such/testee"],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=tmp_path,
        check=False,
    )
    assert refused.returncode == 3
    assert "/no/such/testee: no such file" in refused.stdout + refused.stderr


@pytest.mark.parametrize(
    ("start", "prefix"),
    [(["-m", "conformance.cli", "run"], "--"), (["-m", "pytest", "--pyargs", "conformance"], "--conformance-")],
)
def test_nothing_is_left_in_the_file_system(start: list[str], prefix: str, tmp_path: Path, temporary: Path) -> None:
    """A host that is killed leaves its pipes lying, and the suite kills many."""
    choices = {"side": "host", "bind": "fifo", "case": "host/ends/running-service-after-kill"}
    words = [f"{prefix}{name}={value}" for name, value in choices.items()]
    done = subprocess.run(
        [sys.executable, *start, *words],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(temporary)},
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert not list(temporary.iterdir())


def test_cases_that_are_over_hold_nothing() -> None:
    """pytest keeps its items to the end of the run; what crossed the wires must not stay with them."""
    cases = [f"--conformance-case={pattern}" for pattern in ("plugin/requests/*", "host/namespaces/*")]
    words = ["-m", "pytest", "--pyargs", "conformance", *cases]
    words += ["-p", "no:cacheprovider", "-p", "tests.conformance.sessions_left", "-s", "-q"]
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=100, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sessions left: 0" in done.stdout


def test_list_and_explain() -> None:
    listed = cli("list", "--case", "plugin/requests/*")
    assert "plugin/requests/call" in listed.stdout
    assert "MUST" in cli("list", "--requirements").stdout
    assert "checked by plugin/requests/call" in cli("explain", "REQ-01").stdout
    assert "REQ-01" in cli("explain", "plugin/requests/call").stdout


def test_panic_is_another_word_for_misuse() -> None:
    by_contract, ours = cli("list", "--side", "panic"), cli("list", "--side", "misuse")
    assert by_contract.returncode == 0
    assert "misuse/registry/error-argument" in by_contract.stdout
    assert by_contract.stdout == ours.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--profile", "campaign"], "--profile campaign: say when it ends, with --max-time or --examples"),
        (["--max-time", "1"], "--max-time is for a campaign (--profile campaign)"),
        (["--resume", "there"], "--resume is for a campaign (--profile campaign)"),
        (["--database", "http://x/"], "http://x/: expected a folder or a URL that begins with redis://"),
    ],
)
def test_generated_cases_that_cannot_be_run_so(words: list[str], says: str) -> None:
    done = cli("run", *words)
    assert done.returncode == 2
    assert one_line(done).startswith(says)


def test_a_regression_of_no_case(tmp_path: Path) -> None:
    (tmp_path / "0001.json").write_text('{"regression": 1, "case": "plugin/fuzz/none", "example": []}')
    done = cli("run", "--regressions", str(tmp_path))
    assert done.returncode == 2
    assert one_line(done) == f"{tmp_path}/0001.json: plugin/fuzz/none: no such generated case"
