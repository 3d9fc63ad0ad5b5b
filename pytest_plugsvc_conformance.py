"""The pytest plugin that an installation registers: the options of the conformance suite, and nothing else.

pytest loads it in every run of an environment where the package is installed. So it stands outside of both packages,
imports nothing but pytest, and its options begin with ``--conformance-``. The suite itself is loaded in a run that
names it: ``pytest --pyargs conformance``, or the path of its folder.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

SUITE = Path(__file__).parent / "conformance"
"""The package of the suite. Another module of that name may come first on the path, in the working folder for one."""

PREFIX = "--conformance-"

_MANY: dict[str, Any] = {"action": "append", "default": []}
_FLAG: dict[str, Any] = {"action": "store_true"}
OPTIONS: dict[str, dict[str, Any]] = {
    "testee": {**_MANY, "metavar": "CMD", "help": "command of a testee (default: the reference)"},
    "side": {"choices": ["plugin", "host", "misuse", "panic"], "help": "run the cases of one side"},
    "scheme": {**_MANY, "metavar": "S", "help": "connect plugins by this transport only; all: every transport"},
    "bind": {**_MANY, "metavar": "B", "help": "connect hosts by this bind only; all: every bind"},
    "case": {**_MANY, "metavar": "GLOB", "help": "run these cases only"},
    "skip": {**_MANY, "metavar": "GLOB", "help": "leave these cases out"},
    "level": {
        "default": "MAY",
        "choices": ["MUST", "SHOULD", "MAY"],
        "help": "run cases of this level and stricter ones",
    },
    "known-failures": {**_MANY, "metavar": "F", "help": "a file of failures that are known"},
    "strict": {**_FLAG, "help": "a failed SHOULD fails the run as well"},
    "timeout": {"type": float, "default": 10.0, "metavar": "S", "help": "seconds that each wait may take"},
    "scale": {"type": float, "default": 1.0, "metavar": "X", "help": "multiply the sizes of large cases"},
    "json": {"metavar": "F", "help": "write the JSON report"},
    "profile": {
        "default": "default",
        "choices": ["quick", "default", "campaign"],
        "help": "how much is generated",
    },
    "examples": {"type": int, "metavar": "N", "help": "generated examples a case"},
    "seed": {"type": int, "metavar": "N", "help": "seed of what is generated"},
    "max-time": {"type": float, "metavar": "H", "help": "hours of a campaign, in all"},
    "replay": {"metavar": "EXAMPLE", "help": "run exactly this generated example, as a failure names it"},
    "database": {"metavar": "D", "help": "folder or redis:// URL of examples that have failed"},
    "regressions": {**_MANY, "metavar": "DIR", "help": "run these saved examples first"},
    "save-regressions": {"metavar": "DIR", "help": "run these saved examples first, and save new ones there"},
    "resume": {"metavar": "DIR", "help": "keep the progress of a campaign there, and go on with it"},
    "shards": {"type": int, "metavar": "N", "help": "run each generated case in so many shards"},
    "generated-only": {**_FLAG, "help": "run the generated cases only"},
    "plan": {"metavar": "FILE", "help": "a prepared plan, as plugsvc-conformance writes it"},
    "events": {"type": int, "metavar": "FD", "help": "write results to this descriptor as JSON lines"},
}
"""The options by their names without the prefix; ``plugsvc-conformance run`` has most of them under these names."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options."""
    group = parser.getgroup("conformance", "conformance suite of plugsvc (with --pyargs conformance)")
    for name, how in OPTIONS.items():
        group.addoption(PREFIX + name, **how)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Load the suite if this run names it."""
    if not _named(config):
        _refuse_options_alone(config)
        return
    load_suite()
    config.pluginmanager.register(importlib.import_module("conformance.pytest_cases"), "plugsvc-conformance-run")


def load_suite() -> None:
    """Import the package of the suite, whatever else is called ``conformance`` on the path.

    Raises:
        pytest.UsageError: another module of that name is loaded already.
    """
    found = sys.modules.get("conformance")
    if found is None:
        spec = importlib.util.spec_from_file_location(
            "conformance", SUITE / "__init__.py", submodule_search_locations=[str(SUITE)]
        )
        assert spec is not None
        assert spec.loader is not None
        sys.modules["conformance"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    elif not _is_suite(getattr(found, "__file__", None)):
        place = getattr(found, "__file__", None) or next(iter(getattr(found, "__path__", [])), "somewhere else")
        raise pytest.UsageError(f"conformance: another module of this name is loaded already, from {place}")


def _named(config: pytest.Config) -> bool:
    if hasattr(config, "workerinput"):
        return "conformance" in config.workerinput
    if config.getoption("conformance_plan"):
        return True
    return any(_names_suite(config, str(word).partition("::")[0]) for word in config.args)


def _names_suite(config: pytest.Config, word: str) -> bool:
    if config.getoption("pyargs", False) and word.partition(".")[0] == "conformance":
        # Who gives options of the suite means the suite, also beside a testee that is called conformance.py.
        return bool(_own_options(config)) or _is_suite(_origin("conformance"))
    path = config.invocation_params.dir / word
    return path == SUITE or SUITE in path.parents


def _origin(name: str) -> str | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    return spec.origin if spec is not None else None


def _is_suite(file: str | None) -> bool:
    return file is not None and Path(file) == SUITE / "__init__.py"


def _own_options(config: pytest.Config) -> list[str]:
    return [str(word) for word in config.invocation_params.args if str(word).startswith(PREFIX)]


def _refuse_options_alone(config: pytest.Config) -> None:
    """An option of the suite on the command line, and no case of it: a pass of this run would say nothing."""
    if not hasattr(config, "workerinput"):
        for word in _own_options(config):
            name = word.partition("=")[0]
            raise pytest.UsageError(f"{name}: no case of the suite is asked for; add --pyargs conformance")
