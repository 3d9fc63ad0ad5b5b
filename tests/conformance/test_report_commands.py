"""The commands ``report``, ``diff`` and ``badge``, and what they read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from conformance.cli import main
from conformance.outcomes import Outcome
from conformance.report.compare import compare
from conformance.report.markdown import FIRST, as_markdown
from conformance.report.saved import read_report
from tests.conformance.reports import failed, row, write

CALL, EMPTY, HEADS = "plugin/requests/call", "plugin/errors/empty-text", "plugin/framing/split-at-every-byte"


def command(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def test_two_runs_of_the_same_state_do_not_differ(tmp_path: Path) -> None:
    old = write(tmp_path / "old.json", [row(CALL), failed(EMPTY, "no reply to request 3 within 1.5 s at 0x7f01")])
    new = write(tmp_path / "new.json", [row(CALL), failed(EMPTY, "no reply to request 17 within 2.25 s at 0x7f99")])
    result = command("diff", old, new)
    assert (result.exit_code, result.output) == (0, "no difference\n")
    assert not compare(read_report(old), read_report(new))


def test_each_kind_of_change_is_told(tmp_path: Path) -> None:
    old = write(
        tmp_path / "old.json", [row(CALL), failed(EMPTY), failed(HEADS, "one text"), row("plugin/errors/texts")]
    )
    new = write(
        tmp_path / "new.json",
        [
            failed(CALL, "broken\nmore"),
            row(EMPTY),
            failed(HEADS, "another text"),
            row("plugin/replies/unknown-sequence"),
        ],
    )
    result = command("diff", old, new)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "newly failing: 1",
        f"  passed → failed {CALL} on mine over file: broken",
        "newly passing: 1",
        f"  failed → passed {EMPTY} on mine over file",
        "failing with another message: 1",
        f"  failed → failed {HEADS} on mine over file: another text",
        "no longer run: 1",
        "  passed → absent plugin/errors/texts on mine over file",
        "new: 1",
        "  absent → passed plugin/replies/unknown-sequence on mine over file",
    ]
    data = json.loads(command("diff", old, new, "--format", "json").output)
    assert data["regressions"] == 1
    assert [change["case"] for change in data["failing"]] == [CALL]
    assert (
        f"| `{CALL}` | mine | file | passed → failed | broken |"
        in command("diff", old, new, "--format", "markdown").output
    )


@pytest.mark.parametrize(
    ("rows", "exit_code"),
    [
        ([failed(CALL)], 1),
        ([row(CALL)], 0),
        ([], 0),
        ([row(CALL, Outcome.XFAILED)], 0),
        ([row(CALL, Outcome.XPASSED)], 1),
    ],
)
def test_a_new_case_that_fails_is_a_regression(tmp_path: Path, rows: list[object], exit_code: int) -> None:
    old = write(tmp_path / "old.json", [row(EMPTY)])
    new = write(tmp_path / "new.json", [row(EMPTY), *rows])  # type: ignore[list-item]
    assert command("diff", old, new).exit_code == exit_code


def test_a_testee_that_was_renamed_is_the_same_where_it_is_alone(tmp_path: Path) -> None:
    old = write(tmp_path / "old.json", [row(CALL, testee="before")])
    new = write(tmp_path / "new.json", [row(CALL, testee="after")])
    assert command("diff", old, new).output == "no difference\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "not JSON"),
        ('{"report": 1}', "not a report: Object missing required field `suite`"),
        (
            '{"report":2,"suite":{"name":"x","version":"1"},"testees":[],"results":[],"summary":{}}',
            "a report of version 2",
        ),
        ("\xff", "not JSON"),
    ],
)
@pytest.mark.parametrize("words", [["diff", "FILE", "FILE"], ["badge", "FILE"], ["report", "FILE", "-o", "/dev/null"]])
def test_what_is_no_report_is_refused(tmp_path: Path, content: str, says: str, words: list[str]) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(content.encode("latin-1"))
    result = command(*(str(path) if word == "FILE" else word for word in words))
    assert result.exit_code == 2
    assert f"{path}: {says}" in result.output
    assert "Traceback" not in result.output


def test_a_missing_file_and_an_unwritable_one_are_usage_errors(tmp_path: Path) -> None:
    good = write(tmp_path / "good.json", [row(CALL)])
    for words in (
        ["diff", good, "/no/such"],
        ["badge", good, "--svg", "/no/such/x"],
        ["report", good, "-o", "/no/such/x"],
    ):
        result = command(*words)
        assert result.exit_code == 2
        assert "/no/such" in result.output
        assert "No such file or directory" in result.output


@pytest.mark.parametrize(
    ("rows", "exit_code", "complete", "message", "color"),
    [
        ([row(CALL), row(EMPTY)], 0, True, "2/2 MUST", "brightgreen"),
        ([row(CALL), failed(EMPTY)], 1, True, "1/2 MUST", "red"),
        ([row(CALL), row(EMPTY, Outcome.XFAILED)], 0, True, "2/2 MUST, 1 known failures", "brightgreen"),
        ([row(CALL, Outcome.UNSUPPORTED)], 4, True, "nothing run", "lightgrey"),
        ([row(CALL)], 0, False, "incomplete", "lightgrey"),
    ],
)
def test_badges(tmp_path: Path, rows: list[object], exit_code: int, complete: bool, message: str, color: str) -> None:
    path = write(tmp_path / "report.json", rows, exit_code=exit_code, complete=complete)  # type: ignore[arg-type]
    svg, endpoint = tmp_path / "badge.svg", tmp_path / "badge.json"
    assert command("badge", path, "--svg", str(svg), "--endpoint", str(endpoint)).exit_code == 0
    made = json.loads(endpoint.read_text())
    assert made == {"schemaVersion": 1, "label": "conformance", "message": message, "color": color}
    image = ElementTree.fromstring(svg.read_text())
    assert image.get("aria-label") == f"conformance: {message}"
    assert command("badge", path).output == svg.read_text()


def test_markdown_names_the_first_failures_and_counts_the_rest(tmp_path: Path) -> None:
    rows = [failed(CALL, f"message {n} | `x`", scheme=f"s{n}") for n in range(FIRST + 3)]
    text = as_markdown(read_report(write(tmp_path / "r.json", rows, exit_code=1, complete=False)))
    assert "**Incomplete:**" in text
    assert "| mine | 23 |" in text
    assert text.count("**failed**") == FIRST
    assert r"message 0 \| \`x\`" in text
    assert text.endswith("- … and 3 more\n")


def test_the_page_needs_no_network_and_keeps_a_testees_text_as_text(tmp_path: Path) -> None:
    path = write(
        tmp_path / "r.json", [failed(CALL, "</script><script>alert(1)</script>", stderr="<b>bold</b>")], exit_code=1
    )
    page = tmp_path / "r.html"
    assert command("report", path, "-o", str(page)).exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)=\"(?!#)", text)
    assert "http:" not in text.partition('<script type="application/json"')[0]
    assert "<script>alert" not in text
    assert text.count("</script>") == 2


def test_the_same_testee_in_two_reports_has_two_columns(tmp_path: Path) -> None:
    one, two = (write(tmp_path / name, [row(CALL)]) for name in ("one.json", "two.json"))
    page = tmp_path / "r.html"
    command("report", one, two, "-o", str(page))
    assert '<th scope="col">mine (1)<br>' in page.read_text()
    assert '<th scope="col">mine (2)<br>' in page.read_text()
