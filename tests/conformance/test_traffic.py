"""The judge of recordings: what it finds guilty, what it leaves alone, and who it says it was."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from conformance.requirements import all_requirements
from conformance.traffic.checks import TABLE
from conformance.traffic.conversation import converse
from conformance.traffic.judge import Judgement, judge, not_visible
from conformance.traffic.recording import Event, RecordingError, read

CALL = '>{"sequence":1,"type":"call","namespace":"n","name":"s","args":[]}\n'
REPLY = '<{"sequence":1,"reply":[]}\n'
EOF = ["> eof", "< eof", "exit 0"]


def recording(*steps: str | float) -> list[Event]:
    """Events from a short notation: data begins with its direction; a number lets so many seconds pass."""
    events = [Event("c", 100.0, "header", fields={"version": 1})]
    at = 100.0
    for step in steps:
        at += 0.01
        if not isinstance(step, str):
            at += step
        elif step in ("> eof", "< eof", "> closed", "< closed"):
            events.append(Event("c", at, step[2:], step[0]))
        elif step.startswith("exit "):
            events.append(Event("c", at, "exit", fields={"status": int(step[5:])}))
        elif step.startswith("signal "):
            events.append(Event("c", at, "exit", fields={"signal": int(step[7:])}))
        else:
            events.append(Event("c", at, "data", step[0], step[1:].encode("utf-8", "surrogateescape")))
    return events


def guilty(*steps: str | float) -> list[str]:
    """The requirements that are broken, with the side."""
    return [f"{each.side.value} {each.requirement}" for each in judged(*steps).violations]


def judged(*steps: str | float) -> Judgement:
    return judge("c", recording(*steps))


def ask(kind: str, sequence: int = 1) -> str:
    return f'>{{"sequence":{sequence},"type":"{kind}","namespace":"n"}}\n'


GUILTY: list[tuple[str, list[str | float]]] = [
    ("plugin FRM-07", ['>{"sequence":1,"type":"call","namespace":"n","name":"s","args":[NaN]}\n', "< eof", *EOF[2:]]),
    ("plugin FRM-07", [">hello\n", "< eof", *EOF[2:]]),
    ("plugin FRM-07", [CALL[:-9], "> eof", "exit 0"]),
    ("host FRM-07", [CALL, '<{"sequence":1,"reply":[Infinity]}\n', *EOF]),
    ("host FRM-07", [CALL, '<{"sequence":1,"reply":["\udcff"]}\n', *EOF]),
    ("host FRM-07", [CALL, "<{}}\n", *EOF]),
    ("host FRM-07", [CALL, "<[]\n", *EOF]),
    ("plugin FRM-12", [CALL[:-1], REPLY, *EOF]),
    ("plugin FRM-12", [CALL[:-1] + ask("getManifest", 2)[1:], REPLY, '<{"sequence":2}\n', *EOF]),
    ("host FRM-12", [CALL, REPLY[:-1], *EOF]),
    ("plugin REQ-01", ['>{"sequence":1,"type":"call","namespace":"n","name":"s","args":{}}\n', REPLY, *EOF]),
    ("plugin REQ-01", ['>{"sequence":1,"type":"call","namespace":"n","args":[]}\n', REPLY, *EOF]),
    ("plugin REQ-01", ['>{"type":"call","namespace":"n","name":"s","args":[]}\n', '<{"reply":[]}\n', *EOF]),
    ("plugin REQ-02", ['>{"sequence":1,"type":"hasNamespace"}\n', '<{"sequence":1}\n', *EOF]),
    ("plugin REQ-02", [ask("hasnamespace"), '<{"sequence":1,"error":"invalid request type"}\n', *EOF]),
    ("plugin REQ-03", [CALL, CALL, REPLY, REPLY, *EOF]),
    ("plugin REQ-03", [CALL.replace('"sequence":1', '"sequence":-1'), "< eof", "exit 0"]),
    ("plugin REQ-03", [CALL.replace('"sequence":1', '"sequence":18446744073709551616'), "< eof", "exit 0"]),
    ("plugin REQ-04", ['>{"sequence":1,"type":"call","namespace":"n","name":"s","args":null}\n', REPLY, *EOF]),
    ("plugin MAL-01", [CALL, '<{"sequence":1,"error":1}\n', 2.0, ask("getManifest", 2), "exit 0"]),
    ("plugin MAL-02", [CALL, '<{"sequence":1,"ok":"yes"}\n', 9.0, "exit 0"]),
    ("plugin END-02", ["< eof", 2.0, CALL, "exit 0"]),
    ("host REP-06", [CALL, REPLY, REPLY, *EOF]),
    ("host REP-06", [CALL, '<{"sequence":2,"reply":[]}\n', REPLY, *EOF]),
    ("host REP-06", [REPLY, *EOF]),
    ("host REP-06", [CALL, 2.0, "< eof", 2.0, "> eof", "exit 0"]),
    ("host REP-06", [CALL, '<{"sequence":1.0,"reply":[]}\n', *EOF]),
    ("host REP-07", [CALL, '<{"sequence":1,"reply":3}\n', *EOF]),
    ("host REP-07", [CALL, '<{"sequence":1}\n', *EOF]),
    ("host REP-10", [CALL, '<{"sequence":1,"reply":[],"error":false}\n', "> eof", "exit 0"]),
    ("host NSP-01", [ask("hasNamespace"), '<{"sequence":1,"error":"undefined namespace"}\n', *EOF]),
    ("host NSP-03", [ask("listServices"), '<{"sequence":1,"services":["a","a"]}\n', *EOF]),
    ("host NSP-03", [ask("listServices"), '<{"sequence":1,"services":"a"}\n', "> eof", "exit 0"]),
    ("host NSP-04", [ask("listServices"), '<{"sequence":1,"services":["a","b"]}\n', ask("listServices"),
                     '<{"sequence":1,"services":["b","a"]}\n', *EOF]),
    ("host ERR-08", [ask("bogus"), '<{"sequence":1,"reply":[]}\n', *EOF]),
    ("host ERR-09", [ask("bogus"), '<{"sequence":1,"error":"what?"}\n', *EOF]),
    ("host MAL-03", [">]", 9.0, "exit 0"]),
    ("host MAL-03", ['>{"sequence":"1"}' + CALL[1:], '<{"sequence":1,"reply":[]}\n', "< eof", "exit 0"]),
    ("host MAL-03", ['>{"sequence":true,' + CALL[15:], REPLY, "exit 0"]),
    ("host MAL-04", [CALL, ">]", "< eof", 1.0, "exit 0"]),
    ("host END-12", [CALL, "> eof", 2.0, "< eof", 2.0, "exit 0"]),
]  # fmt: skip


@pytest.mark.parametrize(("expected", "steps"), GUILTY)
def test_guilty(expected: str, steps: list[str | float]) -> None:
    assert expected in guilty(*steps)


def test_every_row_of_the_table_is_seen_to_find_something() -> None:
    rows = {f"{row.side.value} {row.requirement}" for row in TABLE}
    assert {expected for expected, _ in GUILTY} == rows


CLEAN: list[list[str | float]] = [
    [CALL, REPLY, *EOF],
    [CALL, REPLY, CALL, REPLY, "exit 0"],
    [CALL, 60.0, REPLY, *EOF],
    [CALL, "signal 9"],
    [CALL, "> eof", "< closed", "< eof", "exit 0"],
    [CALL[:20], ">" + CALL[20:], REPLY[:5], "<" + REPLY[5:], *EOF],
    [CALL[:20], "signal 9"],
    [CALL + ask("getManifest", 2)[1:], '<{"sequence":2,"reply":null}\n' + REPLY[1:], *EOF],
    [CALL, '<{"sequence":1,"error":"no"}\n', *EOF],
    [CALL, '<{"sequence":1,"error":null,"reply":[],"ok":false,"services":null}\n', *EOF],
    [ask("hasNamespace"), '<{"sequence":1}\n', *EOF],
    [ask("bogus"), '<{"sequence":1,"error":"invalid request type \\"bogus\\""}\n'],
    ['>{"sequence":5,"type":"listServices","namespace":"n","name":"","args":null}\n', '<{"sequence":5}\n', *EOF],
    [CALL.replace("\n", "  \t\n"), REPLY, *EOF],
    [CALL, "> eof", REPLY, "< eof", "exit 0"],
    [],
]


@pytest.mark.parametrize("steps", CLEAN)
def test_clean(steps: list[str | float]) -> None:
    found = [name for name in guilty(*steps) if not name.endswith("FRM-12")]
    allowed = {"plugin REQ-02"} if any("bogus" in str(step) for step in steps) else set()
    assert set(found) <= allowed


def test_all_bytes_one_by_one_mean_the_same() -> None:
    whole = CALL[1:] + ask("getManifest", 2)[1:]
    talk = converse(recording(*(">" + byte for byte in whole), '<{"sequence":2}\n', REPLY))
    assert [message.line_feed for message in talk.messages] == [True, True, True, True]
    assert [len(exchange.replies) for exchange in talk.exchanges] == [1, 1]


def test_what_is_too_deep_for_the_judge_is_left_open() -> None:
    deep = "[" * 50_000 + "]" * 50_000
    judgement = judged(CALL, f'<{{"sequence":1,"reply":{deep}}}\n', *EOF)
    assert [each for each in judgement.violations if each.requirement == "FRM-07"] == []
    assert judgement.open[0] == "1 messages are nested deeper, or have longer numbers, than the judge reads"


def test_a_request_without_a_reply_is_left_open_and_told() -> None:
    judgement = judged(CALL, 30.0, "exit 1")
    assert judgement.violations == []
    assert judgement.open[0].startswith("1 requests have no reply, the first 30.0")


def test_what_is_not_visible_is_listed() -> None:
    known = {f"{name} ({side.value})" for name, row in all_requirements().items() for side in row.sides}
    assert set(not_visible()) < known
    assert "FRM-07 (host)" not in not_visible()
    assert "LIM-02 (host)" in not_visible()


def lines(events: Iterable[Event]) -> str:
    """The events as the file has them."""
    text = ""
    for event in events:
        fields: dict[str, Any] = {"connection": event.connection, "at": event.at, "event": event.kind, **event.fields}
        if event.direction:
            fields["direction"] = event.direction
        if event.data:
            fields["data"] = base64.b64encode(event.data).decode()
        text += json.dumps(fields) + "\n"
    return text


def check(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "conformance.command", "check", str(path), *options],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_command_says_who_when_and_what(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(lines(recording(CALL, '<{"sequence":1,"reply":3}\n', *EOF)))
    done = check(path)
    assert done.returncode == 1
    assert "0.020 s  host broke REP-07 (MUST): expected reply, the array of results, got 3" in done.stdout
    assert '{"sequence":1,"reply":3}' in done.stdout
    report = json.loads(check(path, "--json").stdout)
    assert [(each["side"], each["requirement"]) for each in report["violations"]] == [("host", "REP-07")]


def test_a_broken_should_fails_a_strict_check_only(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(lines(recording(CALL, REPLY[:-1], *EOF)))
    assert check(path).returncode == 0
    assert check(path, "--strict").returncode == 1


@pytest.mark.parametrize(("text", "status"), [("", 4), ("{}\n", 2)])
def test_files_that_cannot_be_judged(text: str, status: int, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(text)
    assert check(path).returncode == status


def test_a_recording_that_is_cut_off_is_read_to_its_last_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    whole = lines(recording(CALL, REPLY, *EOF))
    path.write_text(whole[:-9])
    assert len(list(read(path))) == whole.count("\n") - 1
    path.write_text(whole[5:])
    with pytest.raises(RecordingError, match="line 1: expected an event of a recording"):
        list(read(path))
