"""What is interrupted: everything on the host that starts a process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from plugsvc import Command, Context, Manifest, Plugin, PluginFailed, Registry, discover_plugins, execute, iterate_all
from plugsvc.host.jobs import prepare_jobs
from plugsvc.host.process import Launch, run_process
from plugsvc.host.tasks import own_loop

__all__ = ["SCENARIOS", "make_scenario", "prepare"]

QUICK = """#!/bin/sh
[ "$1" = info ] && echo '{"manifestVersion":1}'
exit 0
"""
SLOW = "#!/bin/sh\nexec sleep 1000\n"
SLOW_SECONDS = 0.1

SCENARIOS = (
    "a process",
    "a process that is stopped",
    "an execution",
    "one that is stopped",
    "several side by side",
    "a discovery",
)


def prepare() -> None:
    """Start the threads that stay, once for the process."""
    own_loop()
    prepare_jobs()


def make_scenario(name: str, folder: Path) -> Callable[[], object]:
    """Return a function that does what one of `SCENARIOS` says, with plugins in `folder`."""
    registry = Registry()
    registry.define("test")
    quick, slow = _plugin(folder / "quick", QUICK), _plugin(folder / "slow", SLOW)

    def stopped() -> None:
        with contextlib.suppress(PluginFailed):
            execute(slow, (), bind=registry.bind(), context=Context(SLOW_SECONDS))

    made: tuple[Callable[[], object], ...] = (
        lambda: run_process(Launch((quick.path,)), Context()),
        lambda: run_process(Launch((slow.path,)), Context(SLOW_SECONDS)),
        lambda: execute(quick, (), bind=registry.bind()),
        stopped,
        lambda: execute([*iterate_all([quick] * 3)], (), bind=registry.bind(), parallelism=2),
        lambda: discover_plugins(folder, glob="quick", parallelism=2),
    )
    return dict(zip(SCENARIOS, made, strict=True))[name]


def _plugin(path: Path, text: str) -> Plugin:
    path.write_text(text)
    path.chmod(0o755)
    return Plugin(str(path), Manifest(1, path.name, commands=(Command(("run",)),)))
