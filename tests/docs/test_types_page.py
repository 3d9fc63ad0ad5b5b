"""Each row of the tables of types is true: what a value is on the wire, and why a value is refused."""

from __future__ import annotations

import collections.abc
import datetime
import decimal
import re
import sys
import types
import typing
import uuid
import zoneinfo
from pathlib import Path
from typing import Any

import msgspec
import pytest

from plugsvc import errors, marshal
from plugsvc.marshal import Signature
from tests.docs.markdown import ROOT, blocks
from tests.docs.test_library_pages import rows

PAGE: Path = ROOT / "docs" / "types.md"
SENT, REFUSED = rows(PAGE, "annotation | value | JSON"), rows(PAGE, "annotation | value | error")


def _names() -> dict[str, Any]:
    module = types.ModuleType("examples_of_types")
    sys.modules[module.__name__] = module  # where data classes look for the names in their annotations
    names: dict[str, Any] = vars(module)
    for source in (collections.abc, typing, marshal, datetime, decimal, uuid, zoneinfo):
        names |= {name: getattr(source, name) for name in dir(source) if not name.startswith("_")}
    names |= {"Meta": msgspec.Meta}
    (block,) = blocks(PAGE)
    exec(block.text, names)  # noqa: S102 - the page is our own
    return names


NAMES = _names()


def evaluated(text: str) -> Any:
    return eval(text, NAMES)  # noqa: S307 - the page is our own


def code(cell: str) -> str:
    found = re.fullmatch(r"`(.*)`", cell)
    assert found, cell
    return found[1].replace("\\|", "|")


@pytest.mark.parametrize("row", SENT, ids=lambda row: code(row[0]))
def test_what_is_sent(row: list[str]) -> None:
    of, value = evaluated(code(row[0])), evaluated(code(row[1]))
    signature = Signature.from_types([of], [])
    data = signature.encode_args((value,))
    assert data.decode() == f"[{code(row[2])}]"
    (came,) = signature.decode_args(data)
    assert type(came) is type(value)
    assert bytes(came) == bytes(value) if isinstance(value, msgspec.Raw) else came == value


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: f"{code(row[0])} {code(row[1])}")
def test_what_is_refused(row: list[str]) -> None:
    of, value = evaluated(code(row[0])), evaluated(code(row[1]))
    with pytest.raises(errors.ArgumentError) as caught:
        Signature.from_types([of], []).encode_args((value,))
    assert caught.value.text == row[2]


@pytest.mark.parametrize(
    "of",
    ["timedelta", "object", "complex", "Raw | None", "str | bytes", "dict[int | str, int]"],
)
def test_what_cannot_be_bound(of: str) -> None:
    with pytest.raises(errors.SignatureError):
        Signature.from_types([evaluated(of)], [])
