"""Who is hosted: the command line, with argparse, with click, and with neither."""

from __future__ import annotations

import argparse
import builtins
import sys
from typing import Any

import click
import pytest
from click.testing import CliRunner

from plugsvc.client import add_host_flags, host_option, hosted
from plugsvc.client.hosting import host_urls, record_urls
from plugsvc.errors import MisuseError

THREE = "--host is given 3 times: give one duplex URL, or two, to read and to write"


@pytest.mark.parametrize(
    ("arguments", "urls"),
    [
        ([], []),
        (["run"], []),
        (["run", "--host", "a:", "x"], ["a:"]),
        (["--host=a:", "--host", "b:"], ["a:", "b:"]),
        (["--host=a:=b"], ["a:=b"]),
        (["--host"], []),
        (["--", "--host", "a:"], []),
        (["--host", "--", "x"], ["--"]),
        (["--hostess", "a:", "-host", "b:"], []),
        (["--host="], [""]),
    ],
)
def test_command_line_without_a_parser(monkeypatch: pytest.MonkeyPatch, arguments: list[str], urls: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["plugin", *arguments])
    assert host_urls() == urls
    assert hosted() is bool(urls)


def test_recorded_urls_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["plugin", "--host", "a:"])
    record_urls(["b:"])
    assert host_urls() == ["b:"]
    record_urls([])
    assert host_urls() == ["b:"]


def test_argparse() -> None:
    parser = argparse.ArgumentParser()
    add_host_flags(parser)
    assert parser.parse_args([]).host == []
    assert not hosted()
    assert parser.parse_args(["--host", "a:", "--host=b:"]).host == ["a:", "b:"]
    assert hosted()
    assert host_urls() == ["a:", "b:"]
    assert parser.parse_args(["--host=c:"]).host == ["c:"]
    assert host_urls() == ["c:"]


def test_argparse_subcommand() -> None:
    parser = argparse.ArgumentParser()
    run = parser.add_subparsers().add_parser("run")
    add_host_flags(run)
    parser.parse_args(["run", "--host", "a:"])
    assert host_urls() == ["a:"]


def test_argparse_refuses_three(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser(prog="plugin")
    add_host_flags(parser)
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(["--host", "a:", "--host", "b:", "--host", "c:"])
    assert caught.value.code == 2
    assert capsys.readouterr().err.endswith(f"plugin: error: {THREE}\n")


def test_argparse_help() -> None:
    parser = argparse.ArgumentParser()
    add_host_flags(parser)
    assert "--host URL" in parser.format_help()


@click.command()
@click.argument("name")
@host_option
def command(name: str) -> None:
    click.echo(f"{name} {hosted()} {host_urls()}")


def test_click() -> None:
    assert CliRunner().invoke(command, ["x"]).output == "x False []\n"
    result = CliRunner().invoke(command, ["--host", "a:", "x", "--host=b:"])
    assert result.output == "x True ['a:', 'b:']\n"


def test_click_refuses_three() -> None:
    result = CliRunner().invoke(command, ["x", "--host=a:", "--host=b:", "--host=c:"])
    assert result.exit_code == 2
    assert THREE in " ".join(result.output.split())


def test_click_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_click(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "click":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_click)
    with pytest.raises(MisuseError, match=r"^host_option needs the package click, which is not installed$"):
        host_option(lambda: None)
