"""The JSON Schemas: what the suite and its testees write fits them, and what breaks the contract does not."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from conformance.cli import main
from conformance.drive import endpoints
from conformance.drive.capabilities import load
from conformance.drive.plugin import PluginSession
from conformance.schemas.catalogue import SCHEMAS, schema
from tests.conformance.reports import failed, row, write
from tests.docs.markdown import ROOT

CALL = {"op": "call", "namespace": "n", "name": "s", "args": [], "params": [], "results": []}
REFERENCE = f"{sys.executable} -P -m conformance.reference"


def fits(name: str, value: Any) -> bool:
    return bool(Draft202012Validator(schema(name)).is_valid(value))


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_and_is_printed(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))
    result = CliRunner().invoke(main, ["schema", name])
    assert result.exit_code == 0
    assert json.loads(result.output) == schema(name)


def test_names_are_listed() -> None:
    result = CliRunner().invoke(main, ["schema"])
    assert [line.split()[0] for line in result.output.splitlines()] == list(SCHEMAS)


def manifest() -> dict[str, Any]:
    command = {
        "path": ["p"],
        "type": "conformance-plugin",
        "data": {"contract": 1, "schemes": ["file"], "types": ["any"]},
    }
    return {"manifestVersion": 1, "name": "mine", "commands": [command]}


@pytest.mark.parametrize(
    ("change", "good"),
    [
        ({}, True),
        ({"license": "MIT"}, True),
        ({"commands": [{"path": ["run"], "type": "another", "data": 5}]}, True),
        ({"commands": [{"path": ["run"]}]}, False),
        ({"manifestVersion": 2}, False),
        ({"manifestVersion": "1"}, False),
        ({"name": ""}, False),
        ({"name": None}, False),
        ({"commands": {}}, False),
        ({"commands": [{"path": "p", "type": "conformance-plugin", "data": {"contract": 1}}]}, False),
        ({"commands": [{"path": ["p"], "type": "conformance-plugin", "data": {"contract": 2}}]}, False),
        ({"commands": [{"path": ["p"], "type": "conformance-host", "data": {"contract": 1, "binds": "file"}}]}, False),
    ],
)
def test_manifests(change: dict[str, Any], good: bool) -> None:
    assert fits("manifest", {**manifest(), **change}) is good


@pytest.mark.parametrize(
    ("line", "good"),
    [
        ('{"id":1,"ok":[42]}', True),
        ('{"id":1,"ok":null}', True),
        ('{"id":1,"error":""}', True),
        ('{"id":1,"panic":"x","extra":1}', True),
        ('{"id":1}', False),
        ('{"ok":1}', False),
        ('{"id":"1","ok":1}', False),
        ('{"id":1,"ok":1,"error":"x"}', False),
        ('{"id":1,"error":5}', False),
        ("[]", False),
    ],
)
def test_outcomes(line: str, good: bool) -> None:
    assert fits("outcome", json.loads(line)) is good


@pytest.mark.parametrize(
    ("name", "message", "good"),
    [
        ("request", {"sequence": 1, "type": "call", "namespace": "n", "name": "s", "args": []}, True),
        ("request", {"sequence": 2**64, "type": "call", "namespace": "n"}, False),
        ("request", {"type": "call", "namespace": "n"}, False),
        ("reply", {"sequence": 901}, True),
        ("reply", {"sequence": 58, "reply": ["partial"], "error": "boom"}, True),
        ("reply", {"sequence": 58, "error": 5}, False),
        ("reply", {"sequence": -1}, False),
    ],
)
def test_messages(name: str, message: dict[str, Any], good: bool) -> None:
    assert fits(name, message) is good


def test_what_the_suite_and_the_reference_write_fits() -> None:
    testee = load(REFERENCE)
    session = PluginSession(testee, endpoint=endpoints.fifo)
    try:
        ticket = session.call(1, params=("int64",), results=({"list": {"optional": "int64"}},))
        session.reply(session.request(ticket), reply=[[None, 1]])
        session.outcome(ticket)
        session.assert_alive()
        written = [(crossing.direction, crossing.data) for crossing in session.wire.log]
    finally:
        session.close()
    names = {">": "reply", "<": "request"}
    assert {direction for direction, _ in written} == {">", "<"}
    for direction, data in written:
        assert fits(names[direction], json.loads(data)), data


@pytest.mark.parametrize(
    ("fields", "good"),
    [
        (
            {
                "op": "call",
                "namespace": "n",
                "name": "s",
                "args": [],
                "params": [{"map": {"list": "point"}}],
                "results": [],
            },
            True,
        ),
        ({"op": "call", "namespace": "n", "name": "s", "args": [], "params": ["int128"], "results": []}, False),
        (
            {
                "op": "call",
                "namespace": "n",
                "name": "s",
                "args": [],
                "params": [{"map": "any", "list": "any"}],
                "results": [],
            },
            False,
        ),
        ({"op": "hosted", "async": True}, True),
        ({"op": "exit", "code": 7}, True),
        ({"op": "exit", "code": 256}, False),
        ({"op": "bogus"}, False),
    ],
)
def test_instructions(fields: dict[str, Any], good: bool) -> None:
    assert fits("instruction", {"id": 1, **fields}) is good


def test_reports_fit(tmp_path: Path) -> None:
    path = write(
        tmp_path / "report.json", [row("plugin/requests/call"), failed("plugin/errors/empty-text")], exit_code=1
    )
    assert fits("report", json.loads(Path(path).read_text()))
    assert not fits("report", {"report": 1})


def test_the_examples_of_the_page_fit() -> None:
    page = (ROOT / "docs" / "testee.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if line.startswith('{"id":')]
    assert len(lines) >= 6
    for line in lines:
        assert fits("instruction" if '"op"' in line else "outcome", json.loads(line)) is (
            "made-up" not in line or '"op"' not in line
        )
