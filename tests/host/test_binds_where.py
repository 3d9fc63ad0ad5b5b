"""Which bind works where: the table of docs/openers.md, tried with plugins on this library."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plugsvc.errors import PluginFailed
from plugsvc.host.binds import BINDS, bind_of
from plugsvc.host.registry import Registry

from .conftest import ROOT, TIMEOUT, run

Write = Callable[..., str]

NOBODY = 65534
PAGE = (ROOT / "docs" / "openers.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([a-z-]+)` \| `[a-z-]+` \| ([12]) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| [^|]*\|$", re.MULTILINE)
TABLE = {
    name: dict(
        zip(("urls", "another user", "a PID namespace", "descriptors closed"), map(str.strip, cells), strict=True)
    )
    for name, *cells in ROW.findall(PAGE)
}

NAMESPACE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
CLOSING = (
    "bash",
    "-c",
    'for n in /proc/$$/fd/*; do n=${n##*/}; [ $n -gt 2 ] && eval "exec $n>&-"; done; exec "$@"',
    "-",
)

CALL = f"""
import json, os, sys
sys.path.insert(0, {str(ROOT)!r})
if sys.argv[1:] == ["info"]:
    print(json.dumps({{"manifestVersion": 1, "name": "small", "commands": [{{"path": ["run"], "type": "one"}}]}}))
    sys.exit()
if sys.argv[1] == "launched":
    del sys.argv[1]
elif LAUNCHER:
    os.execvp(LAUNCHER[0], [*LAUNCHER, sys.executable, "-I", __file__, "launched", *sys.argv[1:]])
import encodings.idna, urllib.parse
import plugsvc, plugsvc.client.connection
import plugsvc.openers.fd, plugsvc.openers.shm, plugsvc.openers.stdio, plugsvc.openers.tcp, plugsvc.openers.unix
if UID:  # everything has been imported: the interpreter's own files may be out of reach now
    os.setgroups([]); os.setgid(UID); os.setuid(UID)
plugsvc.init_service_client(timeout=2)
assert plugsvc.get_service("test", "note", lambda value: None)("é") == "é"
"""


@pytest.fixture
def try_it(script: Write, registry: Registry, calls: list[Any]) -> Callable[..., None]:
    """Starts a plugin in some way, and checks that it can connect by a bind where the table says so."""

    def attempt(bind: str, where: str, *, launcher: tuple[str, ...] = (), uid: int = 0) -> None:
        path = script(f"LAUNCHER, UID = {launcher!r}, {uid}\n" + CALL)
        if TABLE[bind][where].startswith("yes"):
            run(path, bind=registry.bind(bind_of(bind, trusted=True)))
            assert calls == ["é"]
        else:
            with pytest.raises(PluginFailed, match=r"errors\.(OpenError|ConnectionLost): "):
                run(path, bind=registry.bind(bind_of(bind, trusted=True)))
            assert calls == []

    return attempt


def test_the_table_has_every_bind() -> None:
    assert list(TABLE) == [
        "devfd",
        "procfs",
        "fifo",
        "pty",
        "fd",
        "fd-pair",
        "unix",
        "unix-abstract",
        "tcp",
        "stdio",
        "shm",
    ]
    assert set(TABLE) == set(BINDS)


@pytest.mark.skipif(os.geteuid() != 0, reason="not run: only root can start a process of another user")
@pytest.mark.parametrize("bind", BINDS)
def test_a_plugin_of_another_user(bind: str, try_it: Callable[..., None]) -> None:
    """That of a host that has given nothing away: `uid=` has tests of its own."""
    try_it(bind, "another user", uid=NOBODY)


@pytest.mark.parametrize("bind", BINDS)
def test_a_plugin_in_another_pid_namespace(bind: str, try_it: Callable[..., None]) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("not run: there is no command `unshare`")
    done = subprocess.run([*NAMESPACE, "true"], capture_output=True, text=True, timeout=TIMEOUT, check=False)
    if done.returncode:
        pytest.skip(f"not run: this machine allows no PID namespace ({done.stderr.strip()})")
    try_it(bind, "a PID namespace", launcher=NAMESPACE)


@pytest.mark.skipif(shutil.which("bash") is None, reason="not run: there is no bash, which is to close descriptors")
@pytest.mark.parametrize("bind", BINDS)
def test_a_launcher_that_closes_descriptors(bind: str, try_it: Callable[..., None]) -> None:
    try_it(bind, "descriptors closed", launcher=CLOSING)


@pytest.mark.parametrize("bind", BINDS)
def test_how_many_urls(bind: str, script: Write, registry: Registry, tmp_path: Path) -> None:
    path = script(
        f"""
        import json, sys
        if sys.argv[1:] == ["info"]:
            commands = [{{"path": ["run"], "type": "one"}}]
            print(json.dumps({{"manifestVersion": 1, "name": "small", "commands": commands}}))
        else:
            open({str(tmp_path / "count")!r}, "w").write(str(sys.argv.count("--host")))
        """
    )
    run(path, bind=registry.bind(bind_of(bind, trusted=True)))
    assert (tmp_path / "count").read_text(encoding="utf-8") == TABLE[bind]["urls"]
