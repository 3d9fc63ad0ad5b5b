"""Daily use of `run`: shards, what failed last, how much is shown, and reports that never lie."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from conformance.case import catalogue
from conformance.cli import main
from conformance.drive.capabilities import Role, Testee
from conformance.last_failed import recall, remember
from conformance.report.failure import SHORT, short_lines
from conformance.report.files import write_file
from conformance.report.github import annotation_lines
from conformance.report.junit import as_junit
from conformance.report.saved import read_report
from conformance.report.writer import ReportWriteError, RowStream, saved
from conformance.results import report
from conformance.settings import Plan, Settings
from tests.conformance import bad_testees
from tests.conformance.foreign import run as run_in
from tests.conformance.reports import failed, row

WRONG = """
    for line in sys.stdin:
        order = json.loads(line)
        known = order["op"] in ("call", "hosted")
        outcome = {"error": "no"} if known else {"unsupported": "unknown op"}
        print(json.dumps({"id": order["id"], **outcome}), flush=True)
"""
CASES = ("--case", "plugin/requests/call", "--case", "plugin/requests/no-arguments")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["run", "-n", "0", *words])


def wrong_testee(folder: Path) -> str:
    return bad_testees.write(folder, bad_testees.manifest(), WRONG)


def test_all_shards_together_are_the_run() -> None:
    roles = {
        "plugin": Role(("p",), schemes=("file", "unix"), types=("any",)),
        "host": Role(("h",), binds=("devfd", "tcp"), types=("any",)),
    }
    testees = [Testee("a", ("a",), {}, roles), Testee("b", ("b",), {}, roles)]
    whole = [each.key for each in Plan(Settings(), testees).selected()]
    parts = [[each.key for each in Plan(Settings(shard=(i, 5)), testees).selected()] for i in range(1, 6)]
    assert sorted(key for part in parts for key in part) == sorted(whole)
    assert len(set(whole)) == len(whole) > 500
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    sent = Plan.from_json(json.loads(json.dumps(Plan(Settings(shard=(2, 5)), testees).to_json())))
    assert [each.key for each in sent.selected()] == parts[1]


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0"])
def test_a_shard_that_is_none(text: str) -> None:
    result = run("--shard", text)
    assert result.exit_code == 2
    assert f"{text}: expected I/N with I from 1 to N" in result.stderr


def test_last_failed_and_first_failure(tmp_path: Path) -> None:
    testee = wrong_testee(tmp_path)
    file = tmp_path / "report.json"
    first = run("--testee", testee, *CASES, "-x", "--json", str(file))
    assert first.exit_code == 1, first.output
    made = read_report(str(file))
    assert not made.complete
    assert sorted(each.outcome for each in made.results) == ["failed", "not-run"]
    (key,) = recall([Testee("bad", tuple(testee.split()))])
    again = run("--testee", testee, *CASES, "--last-failed", "--json", str(file))
    assert again.exit_code == 1
    made = read_report(str(file))
    assert made.complete
    assert [each.case for each in made.results] == [key[0]]


def test_what_failed_last_is_kept_by_row(tmp_path: Path) -> None:
    testee = Testee("mine", ("./mine",))
    remember([testee], [failed("plugin/requests/call"), row("plugin/requests/no-arguments")])
    assert recall([testee]) == [("plugin/requests/call", "mine", "file")]
    remember([testee], [row("plugin/requests/call", "not-run")])
    assert recall([testee]) == [("plugin/requests/call", "mine", "file")]
    remember([testee], [row("plugin/requests/call")])
    assert recall([testee]) == []


def test_how_much_is_shown(tmp_path: Path) -> None:
    testee = wrong_testee(tmp_path)
    words = ("--testee", testee, "--case", "plugin/requests/call")
    short = run(*words).stdout
    assert "  reproduce: plugsvc-conformance run" in short
    assert "standard error of the testee" not in short
    quiet = run(*words, "-q").stdout.splitlines()
    assert len(quiet) == 3
    assert quiet[0].startswith("FAILED plugin/requests/call on bad over file: ")
    assert "\x1b[1;31m" in run(*words, "--color", "always").stdout
    assert "\x1b" not in run(*words, "--color", "never").stdout
    assert "PASSED plugin/requests/call" in run("--case", "plugin/requests/call", "-vv").stdout


def test_a_failure_in_short_has_ten_lines_at_most() -> None:
    lines = short_lines(failed("plugin/requests/call", "\n".join(f"line {number}" for number in range(30))))
    assert len(lines) == SHORT
    assert lines[-2] == "  … 24 more lines with -v"
    assert lines[-1].startswith("  reproduce: ")


def test_reports_of_a_run(tmp_path: Path) -> None:
    names = {form: tmp_path / f"report.{form}" for form in ("json", "jsonl", "junit", "markdown", "html")}
    words = [word for form, file in names.items() for word in (f"--{form}", str(file))]
    result = run("--case", "plugin/requests/call", *words)
    assert result.exit_code == 0, result.output
    events = [json.loads(line) for line in names["jsonl"].read_text().splitlines()]
    assert [event["event"] for event in events] == ["start", "result", "finish"]
    assert (events[0]["total"], events[-1]["exit"], events[-1]["complete"]) == (1, 0, True)
    assert read_report(str(names["json"])).complete
    assert names["markdown"].read_text().startswith("## Conformance")
    assert "<html" in names["html"].read_text()
    properties = ElementTree.parse(names["junit"]).getroot().iterfind(".//testcase/properties/property")
    assert {each.get("name") for each in properties} == {"requirement", "level", "side", "transport", "outcome"}
    assert not list(tmp_path.glob(".report*"))


def test_an_old_report_does_not_look_like_a_new_one(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    assert run("--case", "plugin/requests/call", "--json", str(file)).exit_code == 0
    hangs = bad_testees.write(tmp_path, bad_testees.manifest(), WRONG.replace('("call", "hosted")', '("x",)'))
    words = ["--testee", hangs, "--case", "plugin/requests/call", "--json", str(file), "--jsonl", "/dev/full"]
    result = run(*words)
    assert result.exit_code == 3
    assert "--jsonl /dev/full: No space left on device" in result.stderr
    made = read_report(str(file))
    assert (made.complete, made.results) == (False, [])


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "f"
    assert write_file(file, "one") == ""
    link = tmp_path / "link"
    link.symlink_to(file)
    assert write_file(link, "two") == ""
    assert (file.read_text(), link.is_symlink()) == ("two", True)
    assert write_file(tmp_path / "none" / "f", "x") == "No such file or directory"
    assert write_file("/dev/full", "x") == "No space left on device"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f", "link"]


def test_a_stream_to_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(ReportWriteError, match="--jsonl /dev/full: No space left on device"):
        RowStream("/dev/full", {})


def test_junit_says_what_the_exit_status_says() -> None:
    rows = [
        failed("plugin/requests/call"),
        failed("plugin/requests/call", scheme="unix"),
        row("plugin/requests/call", scheme="fd"),
    ]
    rows[1].level = "SHOULD"
    data = saved({**report(rows, [Testee("mine", ("./mine",))], exit_code=1, seed=1), "complete": True})
    for strict, expected in ((False, ("1", "1")), (True, ("2", "0"))):
        suite = ElementTree.fromstring(as_junit(data, strict=strict)).find("testsuite")
        assert suite is not None
        assert (suite.get("failures"), suite.get("skipped")) == expected
        assert suite.get("tests") == "3"


def test_annotations_of_github() -> None:
    rows = [failed("plugin/requests/call", "100 % wrong\nseen: x")]
    data = saved({**report(rows, [Testee("mine", ("./mine",))], exit_code=1, seed=1), "complete": True})
    (line,) = annotation_lines(data, strict=False)
    assert line.startswith("::error title=failed%3A plugin/requests/call (REQ-01")
    assert "::100 %25 wrong%0Aseen: x%0Areproduce: " in line


def test_github_gets_a_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    result = run("--testee", wrong_testee(tmp_path), "--case", "plugin/requests/call")
    assert "\n::error title=" in result.stdout
    assert "### Failures: 1" in (tmp_path / "summary").read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--case", "plugin/*"], "a run with --case says nothing of the other cases"),
        (["--shard", "1/2"], "a run with --shard says nothing of the other cases"),
        (["-x"], "a run with --max-failures says nothing of the other cases"),
        ([], "name the one file of each testee with --known-failures"),
    ],
)
def test_what_cannot_update_known_failures_is_refused(words: list[str], says: str) -> None:
    result = run("--update-known-failures", *words)
    assert result.exit_code == 2
    assert result.stderr == f"plugsvc-conformance: --update-known-failures: {says}\n"


def test_known_failures_are_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = sorted({case.rpartition("/")[0] + "/*" for case in catalogue()} - {"plugin/requests/*"})
    (tmp_path / "conformance.toml").write_text(
        f"[testees.bad]\ncommand = '{wrong_testee(tmp_path)}'\nknown-failures = 'known.toml'\nskip = {groups}\n"
    )
    monkeypatch.chdir(tmp_path)
    first = run("--update-known-failures", "--profile", "quick", "-n", "2")
    assert first.exit_code == 0, first.output
    text = (tmp_path / "known.toml").read_text()
    assert "0 changed, 0 removed" in first.stdout
    assert 'case = "plugin/requests/call"' in text
    second = run("--update-known-failures", "--profile", "quick", "-n", "2")
    assert second.exit_code == 0, second.output
    assert "0 added, 0 changed, 0 removed" in second.stdout
    assert (tmp_path / "known.toml").read_text() == text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes(shell: str) -> None:
    name = "_PLUGSVC_CONFORMANCE_COMPLETE"
    command = str(Path(sys.executable).with_name("plugsvc-conformance"))
    script = run_in(Path("/"), command, env={name: f"{shell}_source"})
    assert script.status == 0
    assert f"{name}={shell}_complete" in script.output
    words = {"COMP_WORDS": "plugsvc-conformance run --case plugin/requests/ca", "COMP_CWORD": "3"}
    words = words if shell != "fish" else {**words, "COMP_CWORD": "plugin/requests/ca"}
    done = run_in(Path("/"), command, env={name: f"{shell}_complete", **words})
    assert "plugin/requests/call" in done.output
