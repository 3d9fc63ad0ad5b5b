"""How a host finds out about a plugin, starts it, and what it gives it to live with."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance.case import case
from conformance.drive.host import HostSession
from conformance.drive.stub_plugin import MANIFEST
from conformance.outcomes import Failure

PATH = MANIFEST["commands"][0]["path"]  # type: ignore[index]
WATCHED = {"exit": 0}
"""The usual behaviour of `info`, said in so many words: then it reports itself."""

ODD_ARGS = ["--flag", "", "a b", "'\"$HOME`", "-x=1", "ünïcode", "line\nfeed", "*", "--"]


def _refused(host: HostSession, why: str) -> None:
    """Expect a failure with a reason, and no execution."""
    host.ended(why=why, success=False)
    if host.executed or not host.stays(lambda: not host.executed, 0.05):
        raise Failure(f"{why}, and the host executed the plugin", expected="no execution", seen="one")


@case("EXE-01", each={"none": [], "two": ["first", "second"], "odd": ODD_ARGS})
def test_command_line(start_host: Callable[..., HostSession], each: list[str]) -> None:
    """The words of the command's path come first, then ``--host`` with its URLs, then the given arguments."""
    host = start_host(args=each)
    host.connect()
    words = host.hello()["argv"]
    if words[: len(PATH)] != PATH:
        raise Failure(
            "the command line does not begin with the path of the command", expected=repr(PATH), seen=repr(words)
        )
    if words[len(words) - len(each) :] != each:
        raise Failure("the command line does not end with the given arguments", expected=repr(each), seen=repr(words))
    between = words[len(PATH) : len(words) - len(each)]
    if between.count("--host") not in (1, 2) or between.count("--host") != words.count("--host"):
        raise Failure("the command line's middle", expected="--host once or twice", seen=repr(words))
    host.assert_alive()
    if len(host.control.reports("run")) != 1:
        raise Failure(
            "the plugin was executed more than once", expected="one execution", seen=repr(host.control.hellos)
        )


@case("URL-07")
def test_urls(host: HostSession) -> None:
    """``--host`` is given once or twice, each time with a URL, and both directions work."""
    urls = host.urls()
    if len(urls) not in (1, 2):
        raise Failure("the number of URLs", expected="one or two", seen=repr(urls))
    for url in urls:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]*", url) or re.search(r"%(?![0-9A-Fa-f]{2})", url):
            raise Failure("no URL", expected="a scheme, and nothing that a URL has to escape", seen=repr(url))
    host.assert_alive()


@case("URL-07", each={"reader first": {"first": False}, "writer first": {"first": True}})
def test_opened_later(start_host: Callable[..., HostSession], each: dict[str, bool]) -> None:
    """A plugin that opens its URLs only after a while, in either order, finds a connection that works."""
    host = start_host(opens=False)
    host.hello()
    host.stays(lambda: True, 0.2)
    host.open(writer_first=each["first"])
    host.assert_alive()


def _manifest(**changes: Any) -> str:
    return json.dumps({**MANIFEST, **changes}) + "\n"


VERSIONS = {
    "2": {"chunks": [_manifest(manifestVersion=2)]},
    "0": {"chunks": [_manifest(manifestVersion=0)]},
    "-1": {"chunks": [_manifest(manifestVersion=-1)]},
    "257": {"chunks": [_manifest(manifestVersion=257)]},
    "65537": {"chunks": [_manifest(manifestVersion=65537)]},
    "4294967297": {"chunks": [_manifest(manifestVersion=4294967297)]},
    "18446744073709551617": {"chunks": [_manifest(manifestVersion=18446744073709551617)]},
    "a string": {"chunks": [_manifest(manifestVersion="1")]},
    "a fraction": {"chunks": [_manifest(manifestVersion=1.5)]},
    "null": {"chunks": [_manifest(manifestVersion=None)]},
    "true": {"chunks": [_manifest(manifestVersion=True)]},
    "absent": {"chunks": [json.dumps({k: v for k, v in MANIFEST.items() if k != "manifestVersion"}) + "\n"]},
}


@case("EXE-02", each=VERSIONS)
def test_manifest_version(start_host: Callable[..., HostSession], each: dict[str, Any]) -> None:
    """A manifest of another version is refused with a reason; the plugin is not executed."""
    host = start_host(info=each)
    _refused(host, "the manifest is of another version")


INFO = {
    "exits 3": {"chunks": ["no\n"], "exit": 3},
    "exits 3 behind a manifest": {"exit": 3},
    "is killed": {"chunks": ["{"], "signal": "SIGKILL"},
    "is killed behind a manifest": {"signal": "SIGKILL"},
    "prints nothing": {"chunks": [""]},
    "prints text": {"chunks": ["usage: plugin [options]\n"]},
    "prints half a manifest": {"chunks": [_manifest()[:60]]},
    "prints an array": {"chunks": ["[" + _manifest().strip() + "]\n"]},
    "prints null": {"chunks": ["null\n"]},
    "prints an empty object": {"chunks": ["{}\n"]},
    "prints a number": {"chunks": ["1\n"]},
    "prints commands that are no list": {"chunks": [_manifest(commands={"path": ["x"]})]},
    "prints a path that is no list": {"chunks": [_manifest(commands=[{"path": "x", "type": "conformance-plugin"}])]},
}


@case("EXE-03", each=INFO)
def test_info_fails(start_host: Callable[..., HostSession], each: dict[str, Any]) -> None:
    """An ``info`` that fails, or prints no manifest, is a failure with a reason; the plugin is not executed."""
    _refused(start_host(info=each), "`info` failed or printed no manifest")


@case("EXE-03")
def test_no_such_command(start_host: Callable[..., HostSession]) -> None:
    """A plugin without a command of the type that the host is after is a failure with a reason, and not executed."""
    commands = [{"path": ["scan"], "type": "another-type", "data": None}]
    _refused(start_host(info={"manifest": {"commands": commands}}), "the plugin has no such command")


def _files(folder: Path) -> dict[str, Path]:
    """Plugins that cannot be executed."""
    found = {"not there": folder / "missing", "in a folder that is not there": folder / "none" / "plugin"}
    found["a folder"] = folder / "folder"
    found["a folder"].mkdir()
    found["not executable"] = folder / "plain"
    found["not executable"].write_text("#!/bin/sh\nexit 0\n")
    found["not executable"].chmod(0o644)
    found["no program"] = folder / "garbage"
    found["no program"].write_bytes(bytes(range(256)) * 8)
    found["no program"].chmod(0o755)
    found["a script without its interpreter"] = folder / "script"
    found["a script without its interpreter"].write_text("#!/no/such/interpreter\n")
    found["a script without its interpreter"].chmod(0o755)
    found["a broken link"] = folder / "link"
    found["a broken link"].symlink_to(folder / "missing")
    return found


FILES = {
    name: (name,)
    for name in (
        "not there", "in a folder that is not there", "a folder", "not executable", "no program",
        "a script without its interpreter", "a broken link",
    )
}  # fmt: skip


@case("EXE-03", each=FILES)
def test_cannot_be_executed(start_host: Callable[..., HostSession], folder: Path, each: tuple[str]) -> None:
    """A plugin that is not there, or cannot be executed, is a failure with a reason."""
    (name,) = each
    start_host(plugin=str(_files(folder)[name])).ended(why=f"the plugin is {name}", success=False)


UNKNOWN = {
    "manifest": {
        "unknown": {"a": [1, {"b": None}]},
        "description": 'ä€\U0001f600 "quoted" \\ and {braces}',
        "tags": ["one", "two"],
        "commands": [
            {"path": ["other"], "type": "another-type", "data": {"x": [1.5e300]}, "more": True},
            {**MANIFEST["commands"][0], "unknown": ["x"]},  # type: ignore[index]
            {"path": [], "type": "third-type"},
        ],
    }
}
SHAPES = {
    "pieces and a line feed of its own": {"pieces": True},
    "no line feed": {"chunks": [_manifest().strip()]},
    "white space around it": {"chunks": ["\n\t ", _manifest(), " \r\n", "\n"]},
    "many lines": {"chunks": [json.dumps(MANIFEST, indent=4) + "\n"]},
    "unknown members": UNKNOWN,
    "more than a pipe holds": {"manifest": {"description": "long " * 40_000}},
}


@case("EXE-04", each=SHAPES)
def test_shape_of_the_manifest(start_host: Callable[..., HostSession], each: dict[str, Any]) -> None:
    """A manifest in several writes, with white space, in lines, with unknown members, or longer than a pipe holds."""
    host = start_host(info=each)
    host.connect()
    host.assert_alive()


@case("EXE-04")
def test_manifest_in_pieces_again(start_host: Callable[..., HostSession]) -> None:
    """A manifest in pieces works every time: a reader that stops at the last brace fails now and then."""
    for attempt in range(5):
        host = start_host(info={"pieces": True})
        with host.trying(f"attempt {attempt + 1}"):
            host.connect()
        host.close()


@case("EXE-05", each={"discovery": ("info",), "execution": ("run",)})
def test_standard_streams(start_host: Callable[..., HostSession], each: tuple[str]) -> None:
    """Standard input, output and error of the plugin are open."""
    (phase,) = each
    host = start_host(info=WATCHED)
    host.connect()
    reports = host.control.reports(phase)
    if not reports:
        raise Failure(f"the host has not started the plugin for its {each[0]}", expected="a start", seen="none")
    for report in reports:
        for name, found in zip(("input", "output", "error"), report["streams"], strict=True):
            if found is None:
                raise Failure(f"the plugin was started with standard {name} closed", expected="open", seen="closed")


@case("EXE-05", needs=("streams",))
def test_standard_streams_are_not_the_connection(host: HostSession) -> None:
    """None of the plugin's standard streams is one end of the connection."""
    for name, found in zip(("input", "output", "error"), host.hello()["streams"], strict=True):
        if found in host.ends:
            raise Failure(f"standard {name} of the plugin is the connection", expected="another file", seen="the same")


@case("EXE-06", each={"output": (1,), "error": (2,)})
def test_printing(host: HostSession, each: tuple[int]) -> None:
    """A plugin that prints a megabyte is not held up by it, and neither are its calls."""
    (to,) = each
    host.assert_alive()
    running = host.call("sleep", 300)
    host.tell(to=to, print='what a plugin prints, {"sequence":1} for one\n', times=(1 << 20) // 40)
    for i in range(50):
        host.results(host.call("echo", i), i)
    host.answer()
    host.results(running, 300)
    host.assert_alive()
    host.no_more()


@case("EXE-06")
def test_printing_requests(host: HostSession) -> None:
    """A request that a plugin prints on its standard streams is no request."""
    request = '{"sequence":4711,"type":"call","namespace":"conformance","name":"echo","args":[1]}\n'
    for to in (1, 2):
        host.tell(to=to, print=request)
        host.answer()
    host.assert_alive()
    host.no_more()


@case("EXE-06")
def test_printing_errors_in_discovery(start_host: Callable[..., HostSession]) -> None:
    """An ``info`` that writes a megabyte to standard error is not held up by it."""
    host = start_host(info={"stderr": "warning: deprecated\n", "times": (1 << 20) // 20})
    host.connect()
    host.assert_alive()
