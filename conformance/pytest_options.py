"""From the options of pytest to the plan of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.configuration import ConfigurationFile, asked, find
from conformance.fuzz.engine import CAMPAIGN
from conformance.plan import make_plan
from conformance.requirements import Side
from conformance.settings import Plan, Settings, UsageError, options_of

_PREFIX = "conformance_"
_PARAMETERS = {"scheme": "schemes", "bind": "binds"}


def plan_of(config: pytest.Config) -> Plan:
    """The plan that the options ask for; the testees are loaded and checked.

    Raises:
        TesteeError, UsageError, KnownFailuresError, RegressionError, DatabaseError: as `make_plan`.
    """
    handed_down = getattr(config, "workerinput", {}).get("conformance")
    if handed_down is not None:
        return Plan.from_json(handed_down)
    file = config.getoption("conformance_plan")
    if file:
        return Plan.from_json(json.loads(Path(file).read_text(encoding="utf-8")))
    found = find(config.invocation_params.dir)
    testees = asked([], config.getoption("conformance_testee"), found)
    given = [_PARAMETERS.get(name, name) for name in _given(config)]
    options = [options_of(testee, given) for testee in testees]
    return make_plan(settings_of(config, found), [testee.command for testee in testees], options)


def _given(config: pytest.Config) -> list[str]:
    """The options of the suite that stand on the command line, without the prefix."""
    words = [str(word).partition("=")[0] for word in config.invocation_params.args]
    return [word.removeprefix("--conformance-") for word in words if word.startswith("--conformance-")]


def settings_of(config: pytest.Config, found: ConfigurationFile | None = None) -> Settings:
    """The settings that the options ask for; those of the command line come before the configuration.

    Raises:
        UsageError: a value is out of its range.
    """
    prefix = "conformance_"
    values = {
        name.removeprefix(prefix): value for name, value in vars(config.option).items() if name.startswith(prefix)
    }
    for name, value in found.configuration.defaults.given().items() if found else ():
        if name not in _given(config):
            values[name.replace("-", "_")] = value
    for name, least in (("timeout", 0.1), ("scale", 0.001), ("examples", 1), ("shards", 1)):
        if values[name] is not None and values[name] < least:
            raise UsageError(f"--conformance-{name} {values[name]:g}: expected {least:g} or more")
    workers = len(getattr(config.option, "tx", None) or []) or 1
    return Settings(
        side=values["side"] and Side(values["side"]).value,
        schemes=tuple(values["scheme"]),
        binds=tuple(values["bind"]),
        cases=tuple(values["case"]),
        skips=tuple(values["skip"]),
        level=values["level"],
        strict=values["strict"],
        timeout=values["timeout"],
        scale=values["scale"],
        profile=values["profile"],
        examples=values["examples"],
        seed=values["seed"],
        max_time=values["max_time"],
        replay=values["replay"],
        database=values["database"],
        regressions=tuple(values["regressions"]),
        save_regressions=values["save_regressions"],
        resume=values["resume"],
        shards=values["shards"] or (workers if values["profile"] == CAMPAIGN else 1),
        workers=workers,
        generated_only=values["generated_only"],
        known_failures=tuple(values["known_failures"]),
    )
