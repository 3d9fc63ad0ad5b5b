"""Flags for particular plugins."""

from __future__ import annotations

import pytest

from plugsvc.errors import RegistrationError
from plugsvc.host.plugin import Command, Manifest, Plugin
from plugsvc.host.specflags import SpecFlag, parse_spec_flag, spec_args

PLUGIN = Plugin("/p", Manifest(1, "scan.er"))
COMMAND = Command(("host", "ports"))


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("name.flag", SpecFlag("name", None, "flag", None)),
        ("name.flag=value", SpecFlag("name", None, "flag", "value")),
        ("name.flag=", SpecFlag("name", None, "flag", "")),
        ("name.flag=a.b=c:d", SpecFlag("name", None, "flag", "a.b=c:d")),
        ("name:run.flag=1", SpecFlag("name", ("run",), "flag", "1")),
        ("name:run/twice.f", SpecFlag("name", ("run", "twice"), "f", None)),
        ("a.b.flag", SpecFlag("a.b", None, "flag", None)),
    ],
)
def test_parsing(text: str, parsed: SpecFlag) -> None:
    assert parse_spec_flag(text) == parsed


@pytest.mark.parametrize("text", ["", "name", "name=flag", ".flag", "name.", "name:.flag", ":run.flag", "name.=x"])
def test_what_is_no_flag(text: str) -> None:
    with pytest.raises(RegistrationError, match=r"is not a flag of the form name\[:commandPath\]\.flag\[=value\]"):
        parse_spec_flag(text)


@pytest.mark.parametrize(
    ("flag", "args"),
    [
        ("scan.er.depth=3", ["--depth", "3"]),
        ("scan.er.v", ["-v"]),
        ("scan.er.n=-1", ["-n", "-1"]),
        ("scan.er:host/ports.fast", ["--fast"]),
        ("scan.er:host.fast", []),
        ("other.fast", []),
    ],
)
def test_matching(flag: str, args: list[str]) -> None:
    assert spec_args([parse_spec_flag(flag)], PLUGIN, COMMAND) == args
