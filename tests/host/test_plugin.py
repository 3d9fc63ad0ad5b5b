"""One plugin's manifest: read, or refused with the reason."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from plugsvc.errors import DiscoveryError, IncompatiblePlugin
from plugsvc.host import Command, Context, Manifest, new_plugin

Script = Callable[..., str]

MANIFEST = """{"manifestVersion":1,"name":"n","version":"1","author":"a","description":"d","tags":["t"],
"commands":[{"path":["scan","host"],"type":"t","data":{"x":[1]}}],"unknown":5}"""


def writing(text: str) -> str:
    return f"import sys; sys.stdout.write({text!r})"


def test_a_manifest(script: Script) -> None:
    found = new_plugin(script(writing(MANIFEST)))
    assert found.manifest == Manifest(1, "n", "1", "a", "d", ("t",), (Command(("scan", "host"), "t", {"x": [1]}),))
    assert found.name == "n"
    assert found.find("t") is found.commands[0]
    assert found.find("zz") is None


@pytest.mark.parametrize("lists", ["", ',"tags":null,"commands":null', ',"tags":[],"commands":[]'])
def test_a_manifest_with_little_in_it(lists: str, script: Script) -> None:
    found = new_plugin(script(writing(f'{{"manifestVersion":1{lists}}}'), "file-name"))
    assert found.commands == ()
    assert found.name == "file-name"


def test_a_relative_path(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    path = script(writing(MANIFEST))
    monkeypatch.chdir(os.path.dirname(path))
    assert new_plugin("plugin").path == path


def test_it_is_read_to_the_end(script: Script) -> None:
    """A plugin that writes in pieces, and more white space after the manifest, does not run into a closed pipe."""
    body = f"""
        import os
        for piece in ({MANIFEST[:10]!r}, {MANIFEST[10:]!r}, chr(10), " " * 100_000):
            os.write(1, piece.encode())
    """
    assert new_plugin(script(body)).name == "n"


def test_only_standard_output_counts(script: Script) -> None:
    assert new_plugin(script("import sys; print('noise', file=sys.stderr)\n" + writing(MANIFEST))).name == "n"


def test_private_executables_are_as_good(script: Script) -> None:
    assert new_plugin(script(writing(MANIFEST), mode=0o700)).name == "n"


REFUSALS = {
    "exit status": ("raise SystemExit('it broke')", "`info` ended with status 1: it broke"),
    "signal": ("import os; os.kill(os.getpid(), 9)", "`info` was killed by signal 9 (SIGKILL)"),
    "nothing": ("", "`info` wrote no manifest: Input data was truncated (it wrote nothing)"),
    "no JSON": ("print('hello')", "`info` wrote no manifest: JSON is malformed"),
    "not an object": ("print([1])", "`info` wrote no manifest: Expected `object`, got `array`"),
    "more than one": ("print('{} {}')", "`info` wrote no manifest: JSON is malformed"),
    "wrong types": (
        writing('{"manifestVersion":1,"commands":[{"path":"x"}]}'),
        "`info` wrote no manifest: Expected `array`, got `str` - at `$.commands[0].path`",
    ),
}

RAW_REFUSALS = {
    "invalid UTF-8": (
        b'{"manifestVersion":1,"name":"\xff"}',
        "`info` wrote no manifest: 'utf-8' codec can't decode byte 0xff in position 29: invalid start byte (it begins",
    ),
    "invalid UTF-8 in what is not known": (
        b'{"manifestVersion":1,"x":"\xff"}',
        "`info` wrote no manifest: 'utf-8' codec can't decode",
    ),
    "a lone surrogate": (
        b'{"manifestVersion":1,"commands":[{"path":["\\ud800"]}]}',
        "`info` wrote ",
    ),
    "a null character": (
        b'{"manifestVersion":1,"commands":[{"path":["a","\\u0000"]}]}',
        "`info` wrote a command that cannot be executed: '\\x00' has a null character",
    ),
    "depth": (
        b'{"manifestVersion":1,"x":' + b"[" * 100 + b"]" * 100 + b"}",
        "`info` wrote no manifest: nested more than 100 levels deep, at byte 124 (it begins with '{",
    ),
    "very much depth": (
        b'{"manifestVersion":1,"x":' + b"[" * 1_000_000,
        "`info` wrote no manifest: nested more than 100 levels deep, at byte 124 (it begins with '{",
    ),
    "very much depth of nothing": (b'[{"":' * 200_000, "`info` wrote no manifest: nested more than 100 levels deep"),
    "a huge integer": (
        b'{"manifestVersion":' + b"9" * 5000 + b"}",
        "`info` wrote no manifest: Integer value out of range - at `$.manifestVersion`",
    ),
    "a number beyond all": (
        b'{"manifestVersion":1e999}',
        "`info` wrote no manifest: Number out of range - at `$.manifestVersion`",
    ),
    "a version that is long": (
        b'{"manifestVersion":"' + b"x" * 5000 + b'"}',
        f"incompatible plugin: manifestVersion is '{'x' * 56}..., expected 1",
    ),
    "null bytes": (b"\0" * 1000, "`info` wrote no manifest: JSON is malformed: invalid character (byte 0)"),
}


@pytest.mark.parametrize(("output", "reason"), RAW_REFUSALS.values(), ids=RAW_REFUSALS)
def test_whatever_it_writes_is_a_discovery_error(output: bytes, reason: str, script: Script, tmp_path: Path) -> None:
    (tmp_path / "output").write_bytes(output)
    path = script(f"import sys; sys.stdout.buffer.write(open({str(tmp_path / 'output')!r}, 'rb').read())")
    with pytest.raises(DiscoveryError) as caught:
        new_plugin(path)
    assert str(caught.value).startswith(f"{path}: {reason}")
    assert "\n" not in str(caught.value)


def test_values_a_hundred_levels_deep(script: Script) -> None:
    deep = "[" * 97 + "]" * 97
    text = f'{{"manifestVersion":1,"commands":[{{"data":{deep}}}]}}'
    assert new_plugin(script(writing(text))).commands[0].data is not None


@pytest.mark.parametrize(("body", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_refusals(body: str, reason: str, script: Script) -> None:
    path = script(body)
    with pytest.raises(DiscoveryError, match=re.escape(f"{path}: {reason}")):
        new_plugin(path)


@pytest.mark.parametrize("version", ["2", "0", "null", '"1"', "1.5", "true"])
def test_other_versions_are_incompatible(version: str, script: Script) -> None:
    with pytest.raises(IncompatiblePlugin, match=r"incompatible plugin: manifestVersion is .*, expected 1"):
        new_plugin(script(writing(f'{{"manifestVersion":{version},"name":[]}}')))


def test_no_version_is_incompatible(script: Script) -> None:
    with pytest.raises(IncompatiblePlugin, match="manifestVersion is None, expected 1"):
        new_plugin(script(writing("{}")))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DiscoveryError, match="missing: No such file or directory"):
        new_plugin(tmp_path / "missing")


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(DiscoveryError, match=": not a file"):
        new_plugin(tmp_path)


def test_a_file_that_is_not_executable(script: Script) -> None:
    with pytest.raises(DiscoveryError, match=": not executable"):
        new_plugin(script(writing(MANIFEST), mode=0o644))


def test_a_file_that_cannot_be_started(tmp_path: Path) -> None:
    path = tmp_path / "plugin"
    path.write_bytes(b"\x7fELF but not really")
    path.chmod(0o755)
    with pytest.raises(DiscoveryError, match=": cannot be started: Exec format error"):
        new_plugin(path)


def test_one_that_hangs(script: Script) -> None:
    with pytest.raises(DiscoveryError, match=r"`info` was stopped: not finished within 0\.2 s"):
        new_plugin(script("import signal; signal.pause()"), timeout=0.2)


def test_one_that_writes_too_much(script: Script) -> None:
    with pytest.raises(DiscoveryError, match="`info` was stopped: more than 1000 bytes of output"):
        new_plugin(script("while True: print('x' * 1000)"), output_limit=1000)


def test_one_whose_child_keeps_the_output_open(script: Script) -> None:
    child = "import os, signal\nif os.fork() == 0:\n    signal.pause()\n"
    assert new_plugin(script(child + writing(MANIFEST))).name == "n"


def test_cancellation(script: Script) -> None:
    context = Context()
    timer = threading.Timer(0.1, context.cancel)
    timer.start()
    with pytest.raises(DiscoveryError, match="`info` was stopped: cancelled"):
        new_plugin(script("import signal; signal.pause()"), context=context)
    timer.join()


def test_a_small_stack(script: Script) -> None:
    """Values are nested no deeper than a thread with a stack of 128 KiB can decode."""
    deep = "[" * 97 + "]" * 97
    path = script(writing(f'{{"manifestVersion":1,"commands":[{{"data":{deep}}}]}}'))
    found: list[str] = []
    previous = threading.stack_size(128 * 1024)
    try:
        thread = threading.Thread(target=lambda: found.append(new_plugin(path).path))
        thread.start()
    finally:
        threading.stack_size(previous)
    thread.join()
    assert found == [path]
