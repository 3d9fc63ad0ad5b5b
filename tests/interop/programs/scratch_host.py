# mypy: ignore-errors
# What it is built on, the testee from scratch, is no package and lies beside the other testees.
"""The host of README.md on the protocol from scratch, in Python."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "fixtures/testees/scratch_python"))

import launch
from binds import bind_devfd
from errors import LaunchError, ServiceFailure
from registry import Registry
from signature import declare

INTEROP = "interop"
LOGGING = "github.com/chaitin/libveinmind/logging"
INFO = 4

records = {}
log = []


@declare(["int64", "int64"], ["int64"])
def add(a, b):
    """The sum."""
    return (a + b,)


@declare(["string", {"list": "int64"}, {"map": "float64"}], ["string", "float64"])
def describe(name, sizes, weights):
    """Two sums."""
    return (f"{name}: {sum(sizes)}", float(sum(weights.values())))


@declare(["string"], ["string"])
def echo(text):
    """The same."""
    return (text,)


@declare(["string"], [])
def fail(text):
    """An ordinary failure."""
    raise ServiceFailure(text)


@declare(["string"], [])
def panic(text):
    """A failure that nobody expects."""
    raise RuntimeError(text)


@declare(["string", "string", "any"], [])
def record(plugin, key, value):
    """Keep a value for the report."""
    records.setdefault(plugin, {})[key] = value
    return ()


@declare([], ["any"])
def get_config():
    """What the plugins are to log."""
    return ({"level": INFO, "delay": 20_000_000},)


@declare([{"list": {"map": "any"}}], [])
def take_log(batch):
    """Keep log records for the report; their keys come in two spellings."""
    for each in batch:
        lower = {key.lower(): value for key, value in each.items()}
        log.append({"level": lower["level"], "msg": lower["msg"], "fields": lower.get("fields") or {}})
    return ()


def main(plugin, status):
    """Run the plugin and print the report."""
    registry = Registry()
    registry.define(INTEROP, {"name": "interop", "version": 3})
    for service in (add, describe, echo, fail, panic, record):
        registry.add_service(INTEROP, service.__name__, service)
    registry.define(LOGGING, {})
    registry.add_service(LOGGING, "getConfig", get_config)
    registry.add_service(LOGGING, "log", take_log)
    report = None
    try:
        launch.run(plugin, launch.discover(plugin, INTEROP), [status], registry.bind(bind_devfd))
    except LaunchError as error:
        report = str(error)
    print(json.dumps({"records": records, "log": log, "report": report}))


if __name__ == "__main__":
    main(*sys.argv[1:])
