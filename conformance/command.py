"""The entry point of ``plugsvc-conformance``; what it needs is loaded where an error is reported as one line."""

from __future__ import annotations

import importlib
from typing import NoReturn

import click

from conformance.guard import run_guarded


def main() -> NoReturn:
    """Run the command that the arguments of this process name."""
    run_guarded(_load)


def _load() -> click.Command:
    command = importlib.import_module("conformance.cli").main
    assert isinstance(command, click.Command)
    return command


if __name__ == "__main__":
    main()
