#!/usr/bin/env python3
"""The testee: the program that the conformance suite starts. It needs no change; see README.md."""

from __future__ import annotations

import json
import os
import sys


def info() -> int:
    """Say what the testee can do, as the three sides declare it."""
    import host
    import misuse
    import plugin

    def command(kind: str, **data: list[str]) -> dict[str, object]:
        return {"path": [kind], "type": kind, "data": {"contract": 1, **data}}

    manifest = {
        "manifestVersion": 1,
        "name": "@NAME@",
        "version": "0.1.0",
        "author": "",
        "description": "A testee of the conformance suite.",
        "tags": [],
        "commands": [
            command("conformance-plugin", schemes=plugin.SCHEMES, types=plugin.TYPES, features=plugin.FEATURES),
            command("conformance-host", binds=host.BINDS, types=host.TYPES, features=host.FEATURES),
            command("conformance-panic", kinds=list(misuse.KINDS)),
        ],
    }
    print(json.dumps(manifest))
    return 0


def run_plugin(words: list[str]) -> int:
    """The plugin side: connect to each `--host URL`, and do what the suite says."""
    from contract.control import Control
    from plugin import Plugin

    urls = [words[i + 1] for i, word in enumerate(words[:-1]) if word == "--host"]
    reader, _, writer = os.environ.get("CONFORMANCE_CONTROL", "0,1").partition(",")
    Control(Plugin(urls), os.fdopen(int(writer), "wb")).run(os.fdopen(int(reader), "rb"))
    sys.stderr.flush()
    os._exit(0)  # at the end of the instructions, whatever is still going on


def run_host(words: list[str]) -> int:
    """The host side: run a plugin with the registry of the contract."""
    import host

    bind = words[1] if words[:1] == ["--bind"] else None
    plugin, *args = words[2:] if bind else words
    problem = host.run(bind, plugin, args)
    if problem is not None:
        print(" ".join(problem.split()), file=sys.stderr)
    sys.stderr.flush()
    os._exit(0 if problem is None else 1)  # services that still run are not waited for


def run_misuse(words: list[str]) -> int:
    """Commit one misuse. An implementation that refuses it raises, and Python ends with status 1."""
    import misuse

    if words[0] not in misuse.KINDS:
        print(f"unsupported: the misuse {words[0]!r}")
        return 0
    misuse.KINDS[words[0]]()
    print("survived")
    return 0


COMMANDS = {"conformance-plugin": run_plugin, "conformance-host": run_host, "conformance-panic": run_misuse}

if __name__ == "__main__":
    if sys.argv[1:] == ["info"]:
        sys.exit(info())
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(f"usage: testee.py info | {' | '.join(COMMANDS)} [ARGUMENT...]")
    sys.exit(COMMANDS[sys.argv[1]](sys.argv[2:]))
