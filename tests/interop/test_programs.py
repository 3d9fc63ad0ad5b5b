"""Every plugin under every host: small programs on five implementations, told of in programs/README.md."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest

from tests.interop.conftest import Launchers

HOSTS = ("plugsvc", "go", "scratch", "node")
PLUGINS = ("plugsvc", "go", "veinmind", "scratch", "node")
SECONDS = 100
FAILURE = 7
INFO, ERROR = 4, 2

PANIC = re.compile(r"^panic in service: .*aargh")
RECORDS: dict[str, Any] = {
    "hosted": True,
    "namespaces": [True, False],
    "manifest": {"name": "interop", "version": 3},
    "services": ["add", "describe", "echo", "fail", "panic", "record"],
    "sum": 42,
    "described": ["Ada ä €: 6", 1.5],
    "concurrent": [2 * i for i in range(16)],
    "large": 300_000,
    "error": 'no such file: /tmp/ä "€"',
    "undefined": 'undefined service "missing"',
}
LOG = [
    {"level": INFO, "msg": "scan started", "fields": {"path": "/tmp/ä"}},
    {"level": ERROR, "msg": "scan failed", "fields": {}},
]


def run_host(command: list[str], *words: str) -> dict[str, Any]:
    """What a host reports."""
    done = subprocess.run(
        [*command, *words], capture_output=True, text=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def check_records(records: dict[str, Any]) -> None:
    """Check what a plugin has seen of its host."""
    rest = dict(records)
    assert PANIC.match(rest.pop("panic"))
    assert rest == RECORDS


@pytest.mark.timeout(2 * SECONDS)
@pytest.mark.parametrize("status", [0, FAILURE])
@pytest.mark.parametrize("plugin", PLUGINS)
@pytest.mark.parametrize("host", HOSTS)
def test_a_plugin_under_a_host(launchers: Launchers, host: str, plugin: str, status: int) -> None:
    """The plugin sees the services as they are, the host its records and log records, and how it ended."""
    report = run_host(launchers.host(host), launchers.plugin(plugin), str(status))
    assert list(report["records"]) == [plugin]
    check_records(report["records"][plugin])
    assert report["log"] == LOG
    if host == "go":
        # The package reports a failure of its own pipes whatever the plugin did; the program looks for itself.
        assert report["status"] == status
    elif status == 0:
        assert report["report"] is None
    else:
        assert re.search(rf"\b{status}\b", report["report"])


@pytest.mark.timeout(2 * SECONDS)
def test_all_plugins_at_once_under_plugsvc(launchers: Launchers) -> None:
    """One host runs a plugin of every implementation, side by side."""
    report = run_host(launchers.host("plugsvc"), *map(launchers.plugin, PLUGINS), "0")
    assert report["report"] is None
    assert sorted(report["records"]) == sorted(PLUGINS)
    for records in report["records"].values():
        check_records(records)
    for record in LOG:
        assert report["log"].count(record) == len(PLUGINS)
    assert len(report["log"]) == len(LOG) * len(PLUGINS)
