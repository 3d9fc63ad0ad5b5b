# mypy: ignore-errors
# What it is built on, the testee from scratch, is no package and lies beside the other testees.
"""The plugin of README.md on the protocol from scratch, in Python."""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "fixtures/testees/scratch_python"))

from client import Plugin
from errors import CallError

INTEROP = "interop"
LOGGING = "github.com/chaitin/libveinmind/logging"
PATH = "/tmp/ä"


class Scan:
    """The plugin's work over one connection."""

    def __init__(self, urls):
        self.plugin = Plugin(urls)
        self.client = self.plugin.connect()

    def call(self, name, params, results, *args):
        """Call a service; a list of results."""
        return self.client.call(INTEROP, name, params, results, list(args))

    def add(self, a, b):
        """The sum."""
        return self.call("add", ["int64", "int64"], ["int64"], a, b)[0]

    def record(self, key, value):
        """Tell the host."""
        self.call("record", ["string", "string", "any"], [], "scratch", key, value)

    def text_of(self, name, *args):
        """The text with which a call fails."""
        try:
            self.call(name, ["string"] * len(args), [], *args)
        except CallError as error:
            return str(error)
        raise AssertionError("the call succeeded")

    def log(self, level, msg, fields=None):
        """Send a record to the log service, if the host wants it."""
        (config,) = self.client.call(LOGGING, "getConfig", [], ["any"], [])
        if level <= config["level"]:
            record = {"time": "2024-05-01T12:00:00.5Z", "level": level, "fields": fields, "msg": msg}
            self.client.call(LOGGING, "log", ["any"], [], [[record]])

    def run(self):
        """Call everything, and tell what came of it."""
        self.log(4, "scan started", {"path": PATH})
        self.record("hosted", self.plugin.hosted())
        self.record("namespaces", [self.client.has_namespace(INTEROP), self.client.has_namespace("interop/none")])
        self.record("manifest", self.client.get_manifest(INTEROP))
        self.record("services", sorted(self.client.list_services(INTEROP)))
        self.record("sum", self.add(40, 2))
        types = ["string", {"list": "int64"}, {"map": "float64"}], ["string", "float64"]
        self.record("described", self.call("describe", *types, "Ada ä €", [1, 2, 3], {"a": 0.5, "b": 1}))
        with ThreadPoolExecutor(16) as pool:
            self.record("concurrent", list(pool.map(self.add, range(16), range(16))))
        self.record("large", len(self.call("echo", ["string"], ["string"], "x" * 300_000)[0]))
        self.record("error", self.text_of("fail", 'no such file: /tmp/ä "€"'))
        self.record("panic", self.text_of("panic", "aargh"))
        self.record("undefined", self.text_of("missing"))
        self.log(5, "details")
        self.log(2, "scan failed")


def main(words):
    """Exit status."""
    if words == ["info"]:
        commands = [{"path": ["run"], "type": INTEROP}]
        # One write: the Go package closes the pipe behind the last brace, and print() may make two.
        sys.stdout.write(json.dumps({"manifestVersion": 1, "name": "scratch", "commands": commands}) + "\n")
        return 0
    command, *rest = words
    assert command == "run", words
    Scan([rest[i + 1] for i, word in enumerate(rest) if word == "--host"]).run()
    os._exit(int(rest[-1]))  # at once: the thread that reads replies is waiting


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
