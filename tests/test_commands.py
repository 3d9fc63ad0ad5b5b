"""The command `plugsvc`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from plugsvc.host.binds import BINDS

ROOT = Path(__file__).parents[1]
Run = Callable[..., subprocess.CompletedProcess[str]]

PLUGIN = f"""\
#!{sys.executable}
import sys, json
sys.path.insert(0, {str(ROOT)!r})
if sys.argv[1:] == ["info"]:
    print(json.dumps({{"manifestVersion": 1, "name": "small", "version": "1.2", "commands": [
        {{"path": ["run"], "type": "one"}}, {{"path": ["run", "fast"], "type": "two"}}]}}))
    sys.exit()
hosts = [i for i, word in enumerate(sys.argv) if word == "--host"]
args = [word for i, word in enumerate(sys.argv[1:], 1) if i not in hosts and i - 1 not in hosts]
if "stdio:" in sys.argv:
    from plugsvc.client import api
    api.init_service_client()
print(args, flush=True)
if "call" in args:
    from plugsvc.client import api
    print(api.get_service("test", "add")(1, 2))
if "fail" in args:
    sys.exit(3)
"""


@pytest.fixture
def plugin(tmp_path: Path) -> str:
    path = tmp_path / "plugins" / "small"
    path.parent.mkdir()
    path.write_text(PLUGIN)
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def plugsvc(*args: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-c", "from plugsvc.commands import main; main()", *args],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )
        assert done.returncode == status, done
        if status:
            assert done.stderr.startswith("plugsvc: ")
        return done

    return plugsvc


def test_info(run: Run, plugin: str) -> None:
    manifest = json.loads(run("info", plugin).stdout)
    assert (manifest["name"], manifest["version"], len(manifest["commands"])) == ("small", "1.2", 2)


def test_discover(run: Run, plugin: str) -> None:
    broken = Path(plugin).with_name("broken")
    broken.write_text("#!/bin/sh\nexit 4\n")
    broken.chmod(0o755)
    done = run("discover", str(broken.parent))
    assert done.stdout == f"small\t1.2\t{plugin}\trun, run fast\n"
    assert done.stderr == f"plugsvc: {broken}: `info` ended with status 4\n"
    assert run("discover", "--quiet", str(broken.parent)).stderr == ""
    assert run("discover", str(broken.parent), "--glob", "sm*").stderr == ""


def test_exec(run: Run, plugin: str) -> None:
    assert (
        run("exec", plugin, "-x", "--y", "z").stdout == "['run', '-x', '--y', 'z']\n['run', 'fast', '-x', '--y', 'z']\n"
    )
    assert run("exec", "--type", "one", plugin).stdout == "['run']\n"
    assert run("exec", "--command", "run fast", plugin).stdout == "['run', 'fast']\n"


@pytest.mark.parametrize(
    ("bind", "name"), [(None, "registry"), (None, "make"), *((bind, "registry") for bind in BINDS)]
)
def test_exec_with_a_registry(bind: str | None, name: str, run: Run, plugin: str, tmp_path: Path) -> None:
    module = """
        from plugsvc.host import Registry
        registry = Registry()
        registry.define("test")
        @registry.service("test")
        def add(a: int, b: int) -> int:
            return a + b
        def make() -> Registry:
            return registry
    """
    (tmp_path / "mine.py").write_text(textwrap.dedent(module))
    how = [] if bind is None else ["--bind", bind]
    done = run("exec", *how, "--module", f"mine:{name}", "--type", "one", plugin, "call")
    # Where standard output is the connection, what is printed goes to standard error.
    assert (done.stderr if bind == "stdio" else done.stdout) == "['run', 'call']\n3\n"


@pytest.mark.parametrize(
    ("args", "status", "text"),
    [
        (["info", "missing"], 1, "missing: No such file or directory"),
        (["discover", "missing"], 1, "missing: no such directory"),
        (["discover", "."], 1, "no plugin found in ."),
        (["exec", "missing"], 1, "missing: No such file or directory"),
        (["exec", "--type", "zz", "{plugin}"], 1, "has no such command"),
        (["exec", "--type", "one", "{plugin}", "fail"], 1, "plugin small run ended with status 3"),
        ([], 2, "Missing command"),
        (["zz"], 2, "No such command 'zz'"),
        (["info"], 2, "Missing argument 'PLUGIN'"),
        (["info", "--zz", "x"], 2, "No such option"),
        (["info", "--timeout", "0", "x"], 2, "Invalid value for '--timeout'"),
        (["exec", "--bind", "zz", "x"], 2, "unknown bind 'zz'; there are devfd, procfs, "),
        (["exec", "--module", "zz", "{plugin}"], 2, "--module 'zz' is not of the form MODULE:NAME"),
        (["exec", "--module", "nowhere:x", "{plugin}"], 2, "No module named 'nowhere'"),
        (["exec", "--module", "os:nothing", "{plugin}"], 2, "has no attribute 'nothing'"),
        (["exec", "--module", "os:name", "{plugin}"], 2, "--module os:name is 'posix', not a Registry"),
    ],
)
def test_one_clear_line(args: list[str], status: int, text: str, run: Run, plugin: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    words = [word.format(plugin=plugin) for word in args]
    if words == ["discover", "."]:
        words = ["discover", "empty"]
        text = "no plugin found in empty"
    done = run(*words, status=status)
    assert text in done.stderr
    assert done.stderr.count("\n") == 1


def test_every_failure_is_told(run: Run, plugin: str) -> None:
    done = run("exec", plugin, "fail", status=1)
    assert done.stderr.splitlines() == [
        "plugsvc: plugin small run ended with status 3",
        "plugsvc: plugin small run fast ended with status 3",
    ]


def test_help(run: Run) -> None:
    assert "Execute the commands of PLUGIN" in run("exec", "--help").stdout


def test_without_click() -> None:
    code = "import sys; sys.modules['click'] = None; from plugsvc.commands import main; main(['info', 'x'])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stderr) == (
        2,
        "plugsvc: the package click is missing; install plugsvc[commands]\n",
    )


def test_a_reader_that_has_seen_enough(plugin: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-c", "from plugsvc.commands import main; main()", "info", plugin],
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=60,
            cwd=ROOT,
            check=False,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_ctrl_c(tmp_path: Path) -> None:
    path = tmp_path / "plugin"
    os.mkfifo(tmp_path / "fifo")
    path.write_text(f"#!/bin/sh\necho started > {tmp_path}/fifo\nexec sleep 60\n")
    path.chmod(0o755)
    command = [sys.executable, "-c", "from plugsvc.commands import main; main()", "info", str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        with (tmp_path / "fifo").open() as file:
            assert file.read() == "started\n"
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (130, "plugsvc: interrupted\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("words", [["info", "{plugin}"], ["discover", "{folder}"], ["exec", "{plugin}"]])
def test_a_signal_stops_the_plugin_too(words: list[str], number: signal.Signals, tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    os.mkfifo(tmp_path / "fifo")
    manifest = json.dumps({"manifestVersion": 1, "commands": [{"path": ["run"]}]})
    answer = f"""[ $1 = info ] && echo '{manifest}' && exit\n""" if words[0] == "exec" else ""
    plugin = folder / "plugin"
    plugin.write_text(f"#!/bin/sh\n{answer}exec 3> {tmp_path}/fifo\necho started >&3\nexec sleep 60\n")
    plugin.chmod(0o755)
    argv = [word.format(plugin=plugin, folder=folder) for word in words]
    command = [sys.executable, "-c", "from plugsvc.commands import main; main()", *argv]
    with subprocess.Popen(command, stderr=subprocess.PIPE, cwd=ROOT) as process, (tmp_path / "fifo").open() as file:
        assert file.readline() == "started\n"
        process.send_signal(number)
        assert file.read() == ""  # the plugin is gone
        process.communicate(timeout=60)
    assert process.returncode == -number


def test_an_ignored_hangup_stays_ignored(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    plugin = tmp_path / "plugin"
    manifest = json.dumps({"manifestVersion": 1})
    plugin.write_text(f"#!/bin/sh\necho started > {tmp_path}/fifo\nread x < {tmp_path}/fifo\necho '{manifest}'\n")
    plugin.chmod(0o755)
    code = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); from plugsvc.commands import main; main()"
    command = [sys.executable, "-c", code, "info", str(plugin)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert (tmp_path / "fifo").read_text() == "started\n"
        process.send_signal(signal.SIGHUP)
        (tmp_path / "fifo").write_text("go on\n")
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, json.loads(out)["manifestVersion"]) == (0, 1)


def test_what_plugins_are_called_is_escaped(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    manifest = {"manifestVersion": 1, "name": "a\nb\tc", "version": "\x1b[31m", "commands": [{"path": ["\u202e"]}]}
    for name, text in (("ev\nil", f"cat <<'END'\n{json.dumps(manifest)}\nEND\n"), ("re\nfused", "exit 1\n")):
        (folder / name).write_text(f"#!/bin/sh\n{text}")
        (folder / name).chmod(0o755)
    done = run("discover", str(folder))
    assert done.stdout == f"a\\nb\\tc\t\\x1b[31m\t{folder}/ev\\nil\t\\u202e\n"
    assert done.stderr == f"plugsvc: {folder}/re fused: `info` ended with status 1\n"
