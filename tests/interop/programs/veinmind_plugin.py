# mypy: ignore-errors
# The package veinmind has no types, and is in an environment of its own.
"""The plugin of README.md on the PyPI package veinmind."""

import json
import sys

from veinmind import log, service

INTEROP = "interop"
PATH = "/tmp/ä"


def call(name, *args):
    """Call a service; a tuple of results."""
    return service.rawcall(INTEROP, name, *args)


def record(key, value):
    """Tell the host."""
    call("record", "veinmind", key, value)


def text_of(name, *args):
    """The text with which a call fails."""
    try:
        call(name, *args)
    except RuntimeError as error:
        return str(error)
    raise AssertionError("the call succeeded")


@service.service(INTEROP, "add")
def add(a, b):
    """The package's stub; its local function is not to be called under a host."""
    raise AssertionError("the local function was called")


def run(urls, status):
    """Do the plugin's work."""
    service.init_service_client(*urls)
    log.info("scan started", path=PATH)
    record("hosted", service.is_hosted())
    record("namespaces", [service.has_namespace(INTEROP), service.has_namespace("interop/none")])
    record("manifest", service.get_manifest(INTEROP))
    record("services", sorted(service.list_services(INTEROP)))
    record("sum", add(40, 2)[0])
    record("described", list(call("describe", "Ada ä €", [1, 2, 3], {"a": 0.5, "b": 1})))
    record("concurrent", [add(i, i)[0] for i in range(16)])  # the package has one call at a time
    record("large", len(call("echo", "x" * 300_000)[0]))
    record("error", text_of("fail", 'no such file: /tmp/ä "€"'))
    record("panic", text_of("panic", "aargh"))
    record("undefined", text_of("missing"))
    log.debug("details")
    log.error("scan failed")
    return status


def main(words):
    """Exit status."""
    if words == ["info"]:
        commands = [{"path": ["run"], "type": INTEROP}]
        # One write: the Go package closes the pipe behind the last brace, and print() may make two.
        sys.stdout.write(json.dumps({"manifestVersion": 1, "name": "veinmind", "commands": commands}) + "\n")
        return 0
    command, *rest = words
    assert command == "run", words
    urls = [rest[i + 1] for i, word in enumerate(rest) if word == "--host"]
    return run(urls, int(rest[-1]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
