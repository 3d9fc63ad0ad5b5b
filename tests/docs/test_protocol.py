"""The specification says what the requirements say, and its examples are legal."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest

from conformance.oracle import strict
from conformance.requirements import Side, all_requirements
from tests.docs.markdown import ROOT, Block, Unit, blocks, units

PAGE = ROOT / "docs" / "protocol.md"
CITATION = re.compile(r"\[([A-Z]{3}-[0-9]{2})\]")
LOOKS_LIKE_ID = re.compile(r"\b[A-Z]{3}-[0-9]+\b")
LEVEL = re.compile(r"\b(MUST|SHALL|REQUIRED|SHOULD|RECOMMENDED|MAY|OPTIONAL)\b")
REQUEST_TYPES = {"call", "hasNamespace", "getManifest", "listServices"}

UNITS = list(units(PAGE))
BLOCKS = blocks(PAGE)


def named(unit: Unit) -> str:
    return f"line {unit.line}"


def wire_lines() -> list[tuple[Block, str]]:
    """The lines of all conversations, comments left out."""
    return [
        (block, line)
        for block in BLOCKS
        if block.language == "wire"
        for line in block.text.splitlines()
        if not line.startswith("#")
    ]


def test_every_requirement_is_stated_once() -> None:
    cited = Counter(id_ for unit in UNITS for id_ in CITATION.findall(unit.text))
    assert {id_: cited[id_] for id_ in all_requirements() if cited[id_] != 1} == {}


def test_no_unknown_requirement_is_cited() -> None:
    text = PAGE.read_text(encoding="utf-8")
    unknown = set(LOOKS_LIKE_ID.findall(text)) - all_requirements().keys()
    assert {id_ for id_ in unknown if not id_.startswith(("RFC-", "UTF-"))} == set()


@pytest.mark.parametrize("unit", [u for u in UNITS if CITATION.search(u.text) or LEVEL.search(u.text)], ids=named)
def test_level_stands_beside_the_citation(unit: Unit) -> None:
    """Whatever is said with MUST, SHOULD or MAY cites requirements, and they are of just that level."""
    ids, levels = CITATION.findall(unit.text), set(LEVEL.findall(unit.text))
    assert ids, f"no requirement is cited: {unit.text}"
    assert {all_requirements()[id_].level.value for id_ in ids} == levels, unit.text


def test_every_kind_of_misuse_stands_beside_its_requirement() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for requirement in all_requirements().values():
        if requirement.sides == {Side.MISUSE}:
            kind = re.search(r"\(([a-z-]+)\)", requirement.text)
            assert kind, f"{requirement.id} does not name its kind"
            assert re.search(rf"^\| `{kind[1]}` \|.*\[{requirement.id}\]", page, re.MULTILINE), requirement.id


def test_there_are_examples() -> None:
    counts = Counter(block.language for block in BLOCKS)
    assert counts["json"] >= 4, counts
    assert counts["wire"] >= 6, counts


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "json"], ids=lambda b: f"line {b.line}")
def test_json_examples_are_strict_json(block: Block) -> None:
    """A block is one value, or one value a line."""
    try:
        strict.loads(block.text.encode())
    except strict.NotStrict:
        for line in block.text.splitlines():
            strict.loads(line.encode())


@pytest.mark.parametrize(
    ("block", "line"), wire_lines(), ids=lambda v: f"line {v.line}" if isinstance(v, Block) else ""
)
def test_wire_lines_are_messages(block: Block, line: str) -> None:
    side, _, data = line.partition(" ")
    message = strict.loads(data.encode())
    assert isinstance(message, dict)
    assert type(message["sequence"]) is int
    if side == ">":
        assert message.keys() <= {"sequence", "type", "namespace", "name", "args"}
        assert isinstance(message["namespace"], str)
        if message["type"] == "call":
            assert isinstance(message["name"], str)
            assert isinstance(message["args"], list)
        elif message["namespace"] == "example" and message["type"] not in REQUEST_TYPES:
            assert message["type"] == "bogus"
    else:
        assert side == "<"
        assert message.keys() <= {"sequence", "reply", "ok", "services", "error"}
        assert isinstance(message.get("error", ""), str)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "wire"], ids=lambda b: f"line {b.line}")
def test_conversations_answer_each_request_once(block: Block) -> None:
    outstanding: set[int] = set()
    for line in block.text.splitlines():
        if line.startswith("#"):
            continue
        sequence = json.loads(line[2:])["sequence"]
        if line.startswith(">"):
            assert sequence not in outstanding
            outstanding.add(sequence)
        else:
            outstanding.remove(sequence)
    assert outstanding == set()


def test_bytes_are_those_of_the_message_above() -> None:
    """The byte dump is the last reply before it, line feed included."""
    index = next(i for i, block in enumerate(BLOCKS) if block.language == "bytes")
    reply = BLOCKS[index - 1].text.splitlines()[-1]
    data = bytes.fromhex(BLOCKS[index].text)
    assert data == reply.removeprefix("< ").encode() + b"\n"
    said = re.search(r"the ([0-9]+) bytes of the object and `0a`", PAGE.read_text(encoding="utf-8"))
    assert said
    assert int(said[1]) == len(data) - 1


def test_the_framing_example_is_one_request_three_times() -> None:
    block = next(b for b in BLOCKS if b.language == "json" and "unheard-of" in b.text)
    seen: list[dict[str, Any]] = [json.loads(line) for line in block.text.splitlines()]
    known = [{key: m[key] for key in ("sequence", "type", "namespace")} for m in seen]
    assert known == [known[0]] * 3


def test_links_within_the_page_lead_somewhere() -> None:
    text = PAGE.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert (PAGE.parent / target).exists(), target
