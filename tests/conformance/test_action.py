"""The GitHub Action: its script runs the suite, and its steps give the script what it reads."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from conformance.report.saved import read_report
from tests.conformance import bad_testees
from tests.conformance.foreign import run
from tests.docs.markdown import ROOT

SCRIPT = ROOT / ".github" / "action" / "run.sh"
ACTION = (ROOT / "action.yml").read_text(encoding="utf-8")
BIN = str(Path(sys.executable).parent)


def variables(folder: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "REPORTS": str(folder / "reports"),
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "ARGUMENTS": "--case 'plugin/requests/call' -n 0",
        **more,
    }


def test_the_script_writes_reports_summary_and_outputs(tmp_path: Path) -> None:
    done = run(tmp_path, "bash", str(SCRIPT), env=variables(tmp_path))
    assert done.status == 0, done.output
    names = sorted(path.name for path in (tmp_path / "reports").iterdir())
    assert names == ["junit.xml", "report.html", "report.json", "report.md"]
    assert read_report(str(tmp_path / "reports" / "report.json")).complete
    assert (tmp_path / "output").read_text() == f"status=0\nreports={tmp_path}/reports\n"
    assert (tmp_path / "summary").read_text().startswith("## Conformance")


def test_a_failure_is_the_status_of_the_script(tmp_path: Path) -> None:
    rest = """
    for line in sys.stdin:
        order = json.loads(line)
        outcome = {"error": "no"} if order["op"] == "call" else {"unsupported": "unknown op"}
        print(json.dumps({"id": order["id"], **outcome}), flush=True)
"""
    testee = bad_testees.write(tmp_path, bad_testees.manifest(), rest)
    done = run(tmp_path, "bash", str(SCRIPT), env=variables(tmp_path, TESTEE=testee))
    assert done.status == 1, done.output
    assert "::error title=" in done.output
    assert "status=1\n" in (tmp_path / "output").read_text()


def test_the_action_gives_the_script_its_variables() -> None:
    assert ".github/action/run.sh" in ACTION
    read = set(re.findall(r"\$\{(TESTEE|KNOWN_FAILURES|ARGUMENTS|REPORTS):-", SCRIPT.read_text(encoding="utf-8")))
    given = set(re.findall(r"^ +(\w+): \$\{\{ (?:inputs|runner)", ACTION, re.MULTILINE))
    assert read == {"TESTEE", "KNOWN_FAILURES", "ARGUMENTS", "REPORTS"} <= given
    inputs = set(re.findall(r"inputs\.([\w-]+)", ACTION))
    declared = set(re.findall(r"^  ([\w-]+):\n    description", ACTION.partition("outputs:")[0], re.MULTILINE))
    assert inputs == declared
