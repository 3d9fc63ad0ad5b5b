"""The host of README.md on plugsvc; it takes several plugins, and runs them side by side."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import plugsvc
import plugsvc.log

INTEROP = "interop"
LEVELS = {logging.ERROR: 2, logging.WARNING: 3, logging.INFO: 4, logging.DEBUG: 5}

records: dict[str, dict[str, Any]] = {}
log: list[dict[str, Any]] = []
registry = plugsvc.Registry()
registry.define(INTEROP, {"name": "interop", "version": 3})


@registry.service(INTEROP)
def add(a: int, b: int) -> int:
    """The sum."""
    return a + b


@registry.service(INTEROP)
def describe(name: str, sizes: list[int], weights: dict[str, float]) -> tuple[str, float]:
    """Two sums."""
    return f"{name}: {sum(sizes)}", sum(weights.values())


@registry.service(INTEROP)
def echo(text: str) -> str:
    """The same."""
    return text


@registry.service(INTEROP)
def fail(text: str) -> None:
    """An ordinary failure."""
    raise plugsvc.ServiceError(text)


@registry.service(INTEROP)
def panic(text: str) -> None:
    """A failure that nobody expects."""
    raise RuntimeError(text)


@registry.service(INTEROP)
def record(plugin: str, key: str, value: Any) -> None:
    """Keep a value for the report."""
    records.setdefault(plugin, {})[key] = value


class Kept(logging.Handler):
    """Keeps log records for the report."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one; the message ends with the fields."""
        fields: dict[str, Any] = record.fields  # type: ignore[attr-defined]
        shown = "".join(f" {key}={value}" for key, value in fields.items())
        msg = record.getMessage().removesuffix(shown)
        log.append({"level": LEVELS[record.levelno], "msg": msg, "fields": fields})


def main(*words: str) -> None:
    """Run the plugins and print the report."""
    *paths, status = words
    logger = logging.getLogger("plugins")
    logger.setLevel(logging.INFO)
    logger.addHandler(Kept())
    plugsvc.log.add_log_service(registry, logger)
    targets = plugsvc.iterate_typed([plugsvc.new_plugin(path) for path in paths], INTEROP)
    failures: list[str] = []

    def failed(plugin: plugsvc.Plugin, command: plugsvc.Command, error: Exception) -> None:
        failures.append(str(error))

    plugsvc.execute(targets, [status], bind=registry.bind(), handler=failed, parallelism=len(paths), timeout=60)
    print(json.dumps({"records": records, "log": log, "report": "\n".join(failures) or None}))


if __name__ == "__main__":
    main(*sys.argv[1:])
