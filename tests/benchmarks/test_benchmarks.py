"""The benchmarks run, tell a regression from a run without one, and say what they could not measure."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import page, plot
from benchmarks.cli import main
from benchmarks.figures import Figures
from benchmarks.goals import BOUNDS, GOALS, Ratio
from benchmarks.peers import PEERS, Peer
from benchmarks.prepare import Unprepared
from benchmarks.report import render, value_text
from benchmarks.rounds import prepare, run_rounds
from benchmarks.works import WORKS

ROOT = Path(__file__).parents[2]
PAIR = ("small", "plugsvc"), ("small", "pipes")


def figures(ours: list[float], theirs: list[float]) -> Figures:
    """Small calls of two peers."""
    made = Figures()
    for value in ours:
        made.add("small", "plugsvc", value)
    for value in theirs:
        made.add("small", "pipes", value)
    return made


def test_short_run_measures_every_bound(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--short", "--rounds", "1", "--seconds", "0.02"]
    report = tmp_path / "report.json"
    done = subprocess.run(
        [*command, "--json", str(report), "--plot", str(tmp_path / "plot.svg")],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    found = json.loads(report.read_text(encoding="utf-8"))
    assert {row["title"] for row in found["ratios"] if row["found"] is not None} == {bound.title for bound in BOUNDS}
    assert (done.returncode == 0) is all(row["holds"] for row in found["ratios"]), done.stderr
    assert "one caller, small calls" in done.stdout
    assert ElementTree.parse(tmp_path / "plot.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    verdict = Ratio("r", *PAIR, 0.5).judge(figures([4, 1, 9], [10, 10, 10]))
    assert (verdict.found, verdict.holds) == (0.4, True)
    assert not Ratio("r", *PAIR, 0.39).judge(figures([4, 1, 9], [10, 10, 10])).holds


def test_a_lenient_ratio_is_that_of_the_best_round() -> None:
    assert Ratio("r", *PAIR, 0.1, lenient=True).judge(figures([4, 1, 9], [10, 10, 10])).holds


def test_what_was_not_measured_does_not_hold() -> None:
    verdict = Ratio("r", *PAIR, 1000).judge(figures([1], []))
    assert (verdict.found, verdict.holds) == (None, False)


def test_a_gross_regression_fails_the_short_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "benchmarks.cli.run_rounds", lambda ready, works, to_fill, **_: to_fill.figures.update(BAD.figures)
    )
    assert main(["--short"]) == 1
    assert "a gross regression: one caller, small calls: to the ping-pong: 11, at most 10" in capsys.readouterr().err


BAD = figures([11.0], [1.0])


def test_what_cannot_be_prepared_is_reported_and_left_out() -> None:
    def refuse() -> list[str]:
        raise Unprepared("there is no such thing here")

    said: list[str] = []
    made = Figures()
    peer = Peer("strange", "a strange one", refuse, frozenset({"main"}))
    assert prepare([peer], made, said.append) == []
    assert said == ["strange: not run: there is no such thing here"]
    assert "- a strange one: there is no such thing here" in render(made, [peer], WORKS, "plugsvc", [])


def test_a_peer_that_does_not_start_is_reported() -> None:
    said: list[str] = []
    made = Figures()
    peer = Peer("broken", "a broken one", lambda: [sys.executable, "-c", "exit('I cannot')"], frozenset({"main"}))
    run_rounds([peer], WORKS, made, rounds=2, seconds=0.01, thorough=True, say=said.append)
    assert made.absent == {"start": {"broken": "broken did not come: I cannot"}}
    assert said[0] == "start: broken did not come: I cannot"
    assert made.figures == {}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--peers", "nobody"], "there is no peer 'nobody'"),
        (["--works", "nothing"], "there is no work 'nothing'"),
        (["--rounds", "0"], "rounds and seconds are positive"),
    ],
)
def test_usage_errors(words: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(words)
    assert exit.value.code == 2
    assert text in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.0000123, "s", "12.3 µs"), (0.5, "s", "500 ms"), (2.0, "s", "2.00 s"), (0, "s", "0"), (3, "n", "3"),
     (2_500_000, "B", "2.5 MB")],
)  # fmt: skip
def test_values_are_written_with_three_digits(value: float, unit: str, text: str) -> None:
    assert value_text(value, unit) == text


def test_the_pages_take_the_figures_of_a_run(tmp_path: Path) -> None:
    """Again and again, and only between the marks."""
    for name in ("benchmarks.md", "openers.md"):
        (tmp_path / name).write_text((ROOT / "docs" / name).read_text(encoding="utf-8"), encoding="utf-8")
    before = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    made = figures([1.5e-5], [2e-5])
    run = page.Run(made, [GOALS[1].judge(made)], "a machine", "2000-01-01", "python -m benchmarks", "1 and 2")
    for _ in range(2):
        page.update(run, tmp_path)
        text = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
        assert "a machine, 2000-01-01, load before and after 1 and 2:" in text
        assert "| `devfd` | 15.0 µs | – | – | – |" in text
        assert "| one caller, small calls: to the ping-pong | 0.750 | 0.750 | at most 0.5 | no |" in text
        assert _without_figures(text) == _without_figures(before)
        openers = (tmp_path / "openers.md").read_text(encoding="utf-8")
        assert openers.count("*Speed* of a small call") == len(page.SECTIONS)
        assert "`devfd` 15.0 µs and –" in openers


def _without_figures(text: str) -> str:
    return re.sub(r"(<!-- (\w+) -->).*?<!-- /\2 -->", r"\1", text, flags=re.DOTALL)


def test_a_picture_has_every_peer_by_its_title() -> None:
    drawn = plot.draw(figures([1e-5], [2e-5]), {peer.name: peer.title for peer in PEERS})
    assert "plugsvc, both sides" in drawn
    assert "bare blocking ping-pong over pipes" in drawn
