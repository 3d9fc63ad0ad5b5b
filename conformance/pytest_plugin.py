"""The suite as a pytest plugin: options, what is run on what, outcomes, reports and the exit status.

It is loaded in every pytest run of an environment where the suite is installed, so this module imports next to nothing
and does nothing unless cases of the suite are collected.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conformance.runner import Runner

    Parser = pytest.Parser

_RUNNER = pytest.StashKey["Runner"]()
_CASES = "conformance.cases."


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of a run; `conformance.cli` has the same under shorter names."""
    group = parser.getgroup("conformance", "conformance of host-plugin service implementations")
    add = group.addoption
    add(
        "--testee",
        action="append",
        default=[],
        metavar="CMD",
        help="command of a testee (default: the reference)",
    )
    add("--conformance-plan", metavar="FILE", help="a prepared plan, as the command line writes it")
    add("--side", choices=["plugin", "host", "misuse", "panic"], help="run the cases of one side")
    add(
        "--scheme",
        action="append",
        default=[],
        metavar="S",
        help="connect plugins by this transport only; all: every transport",
    )
    add(
        "--bind",
        action="append",
        default=[],
        metavar="B",
        help="connect hosts by this bind only; all: every bind",
    )
    add("--case", action="append", default=[], metavar="GLOB", help="run these cases only")
    add("--skip", action="append", default=[], metavar="GLOB", help="leave these cases out")
    add(
        "--level",
        default="MAY",
        choices=["MUST", "SHOULD", "MAY"],
        help="run cases of this level and stricter ones",
    )
    add("--known-failures", action="append", default=[], metavar="F", help="a file of failures that are known")
    add("--strict-should", action="store_true", help="a failed SHOULD fails the run as well")
    add(
        "--conformance-timeout",
        type=float,
        default=10.0,
        metavar="S",
        help="seconds that each wait may take",
    )
    add("--conformance-scale", type=float, default=1.0, metavar="X", help="multiply the sizes of large cases")
    add("--conformance-json", metavar="F", help="write the JSON report")
    add("--conformance-events", type=int, metavar="FD", help="write results as JSON lines while they come")
    add("--profile", default="default", choices=["quick", "default", "campaign"], help="how much is generated")
    add("--examples", type=int, metavar="N", help="generated examples a case")
    add("--seed", type=int, metavar="N", help="seed of what is generated")
    add("--max-time", type=float, metavar="H", help="hours of a campaign, in all")
    add("--replay", metavar="EXAMPLE", help="run exactly this generated example, as a failure names it")
    add("--database", metavar="D", help="folder or redis:// URL of examples that have failed")
    add("--regressions", action="append", default=[], metavar="DIR", help="run these saved examples first")
    add("--save-regressions", metavar="DIR", help="run these saved examples first, and save new ones there")
    add("--resume", metavar="DIR", help="keep the progress of a campaign there, and go on with it")
    add("--shards", type=int, metavar="N", help="run each generated case in so many shares (campaign: one a process)")
    add("--generated-only", action="store_true", help="run the generated cases only")


def _runner(config: pytest.Config) -> Runner:
    """The run's state, made when the first case asks for it."""
    found = config.stash.get(_RUNNER, None)
    if found is None:
        from conformance.runner import Runner

        found = config.stash[_RUNNER] = Runner.of(config)
    return found


def _is_case(function: Any) -> bool:
    return bool(getattr(function, "__module__", "").startswith(_CASES)) and hasattr(function, "__conformance_case__")


def pytest_configure(config: pytest.Config) -> None:
    """Register what a parallel run needs; `pytest_configure_node` is a hook of xdist and exists only with it."""
    if config.pluginmanager.hasplugin("dsession") or config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(_Controller(), "conformance-controller")
    wants = [*config.args, *(str(path) for path in config.option.testee)]
    if config.option.conformance_plan or any(arg.split("::")[0].startswith("conformance") for arg in wants):
        if not config.option.conformance_plan and not hasattr(config, "workerinput"):  # else done where it was started
            from conformance.temporary_files import keep_temporary_files_together

            files = ExitStack()
            files.enter_context(keep_temporary_files_together())
            config.add_cleanup(files.close)
        _runner(config)


class _Controller:
    """The side of a parallel run that starts the workers."""

    def pytest_configure_node(self, node: Any) -> None:
        """Hand the plan to a worker: testees are asked for their capabilities once."""
        if node.config.stash.get(_RUNNER, None) is not None:
            node.workerinput["conformance"] = _runner(node.config).plan.to_json()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Cross every case with its variants and with what it is run on."""
    if not _is_case(metafunc.function):
        return
    made = getattr(metafunc.function, "__conformance_case__")  # noqa: B009  # set by `case`
    if made.each:
        metafunc.parametrize("each", list(made.each.values()), ids=list(made.each))
    shares = _runner(metafunc.config).settings.shards_of(made)
    if shares > 1:
        metafunc.parametrize("share", range(shares), ids=[f"share{n}" for n in range(1, shares + 1)], indirect=True)
    subjects = _runner(metafunc.config).subjects(made)
    metafunc.parametrize("subject", subjects or [None], ids=[s.id for s in subjects] or ["none"], indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what was not asked for."""
    cases = [item for item in items if isinstance(item, pytest.Function) and _is_case(item.function)]
    if not cases:
        return
    runner = _runner(config)
    dropped = [item for item in cases if not runner.wants(item)]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        gone = set(map(id, dropped))
        items[:] = [item for item in items if id(item) not in gone]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """Turn what happened into an outcome of the suite."""
    outcome = yield
    if isinstance(item, pytest.Function) and _is_case(item.function):
        _runner(item.config).judge(item, call, outcome.get_result())
        if call.when == "teardown":
            _runner(item.config).forget(item)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect the rows; in a parallel run they come from the workers."""
    row = getattr(report, "conformance", None)
    config = _current.config
    if row is not None and config is not None and not hasattr(config, "workerinput"):
        _runner(config).collect(row)


class _Current:
    """The configuration of the session that is running; `pytest_runtest_logreport` is not given it."""

    config: pytest.Config | None = None


_current = _Current()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember the configuration."""
    _current.config = session.config


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """The exit status by the suite's rules, and the reports."""
    runner = session.config.stash.get(_RUNNER, None)
    if runner is not None and not hasattr(session.config, "workerinput"):
        session.exitstatus = runner.finish(int(exitstatus), session)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The final table, below pytest's own."""
    runner = config.stash.get(_RUNNER, None)
    if runner is not None and runner.rows:
        terminalreporter.section("conformance")
        for line in runner.table():
            terminalreporter.write_line(line)


@pytest.fixture
def subject(request: pytest.FixtureRequest) -> Any:
    """What the case is run on."""
    return request.param


@pytest.fixture
def start_plugin(request: pytest.FixtureRequest, subject: Any) -> Iterator[Any]:
    """A function that starts the testee's plugin side; everything that it starts is ended after the case."""
    yield from _runner(request.config).sessions(request.node, subject, "plugin")


@pytest.fixture
def plugin(start_plugin: Any) -> Any:
    """The testee's plugin side, started over the usual transport."""
    return start_plugin()


@pytest.fixture
def start_host(request: pytest.FixtureRequest, subject: Any) -> Iterator[Any]:
    """A function that starts the testee's host side; everything that it starts is ended after the case."""
    yield from _runner(request.config).sessions(request.node, subject, "host")


@pytest.fixture
def host(start_host: Any) -> Any:
    """The testee's host side, started over the usual transport, the connection taken over."""
    made = start_host()
    made.connect()
    return made


@pytest.fixture
def share(request: pytest.FixtureRequest) -> int:
    """Which share of a generated case is run, from 0."""
    return int(getattr(request, "param", 0))


@pytest.fixture
def fuzz_plugin(request: pytest.FixtureRequest, subject: Any, share: int) -> Iterator[Any]:
    """Runs generated examples on the testee's plugin side."""
    yield from _runner(request.config).fuzz(request.node, subject, "plugin", share)


@pytest.fixture
def fuzz_host(request: pytest.FixtureRequest, subject: Any, share: int) -> Iterator[Any]:
    """Runs generated examples on the testee's host side."""
    yield from _runner(request.config).fuzz(request.node, subject, "host", share)


@pytest.fixture
def misuse(request: pytest.FixtureRequest, subject: Any) -> Iterator[Any]:
    """A function that has the testee commit one kind of misuse."""
    yield from _runner(request.config).sessions(request.node, subject, "misuse")
