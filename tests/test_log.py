"""The log service: what plugins log arrives at the host, whoever speaks which dialect."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from plugsvc import log, testing
from plugsvc.client import api
from plugsvc.errors import RegistrationError, RemoteError
from plugsvc.host import Registry, execute, new_plugin
from plugsvc.log import NAMESPACE, TRACE, HostHandler, add_log_service, log_to_host, to_logging_level, to_service_level

ROOT = Path(__file__).parents[1]


class Keeper(logging.Handler):
    """Keeps the records that arrive at the host."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.arrived = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self.arrived:
            self.records.append(record)
            self.arrived.notify_all()

    def wait_for(self, count: int) -> list[logging.LogRecord]:
        """Wait until so many records are there."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.records) >= count, 20), self.records
            return self.records

    def seen(self) -> list[tuple[int, str]]:
        return [(record.levelno, record.getMessage()) for record in self.records]


def fresh_logger(name: str, level: int = 1) -> logging.Logger:
    logger = logging.Logger(name, level)
    logger.propagate = False
    return logger


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


@pytest.fixture
def registry(keeper: Keeper) -> Registry:
    logger = fresh_logger("host")
    logger.addHandler(keeper)
    made = Registry()
    add_log_service(made, logger)
    return made


@pytest.fixture
def hosted(registry: Registry) -> Iterator[None]:
    with testing.hosted_by(registry) as server:
        yield
    assert server.error is None


def send(*records: Any) -> None:
    api.get_service(NAMESPACE, "log")(list(records))


# The host's side.


def test_the_namespace() -> None:
    registry = Registry()
    add_log_service(registry)
    found = registry.find("github.com/chaitin/libveinmind/logging")
    assert found is not None
    assert found.manifest == b"{}"
    assert list(found.services) == ["getConfig", "log"]
    with pytest.raises(RegistrationError):
        add_log_service(registry)


@pytest.mark.parametrize(
    ("own", "given", "expected"),
    [
        (logging.INFO, None, 4),
        (logging.DEBUG, None, 5),
        (logging.ERROR, None, 2),
        (1, None, 6),
        (logging.INFO, logging.WARNING, 3),
    ],
)
def test_the_configuration(own: int, given: int | None, expected: int) -> None:
    registry = Registry()
    add_log_service(registry, fresh_logger("host", own), level=given, delay=0.5)
    with testing.hosted_by(registry):
        assert api.get_service(NAMESPACE, "getConfig")() == {"level": expected, "delay": 500_000_000}


@pytest.mark.usefixtures("hosted")
@pytest.mark.parametrize("spelling", [str.lower, str.title, str.upper])
def test_both_spellings(spelling: Any, keeper: Keeper) -> None:
    record = {"time": "2024-05-06T07:08:09.25Z", "level": 3, "fields": {"a": 1, "b": "x y"}, "msg": "hello 100 %s"}
    send({spelling(key): value for key, value in record.items()})
    (seen,) = keeper.records
    assert (seen.levelno, seen.getMessage()) == (logging.WARNING, "hello 100 %s a=1 b=x y")
    assert seen.__dict__["fields"] == {"a": 1, "b": "x y"}
    assert seen.created == datetime.fromisoformat("2024-05-06T07:08:09.25+00:00").timestamp()
    assert seen.msecs == 250
    assert seen.name == "host"


@pytest.mark.usefixtures("hosted")
@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({}, (logging.INFO, "")),
        ({"msg": None, "fields": None, "level": None, "time": None}, (logging.INFO, "")),
        ({"msg": 5, "fields": [1], "level": {}, "time": "yesterday"}, (logging.INFO, "5")),
        ({"msg": "x", "level": 0}, (logging.ERROR, "x")),
        ({"msg": "x", "level": 1}, (logging.ERROR, "x")),
        ({"msg": "x", "level": -7}, (logging.ERROR, "x")),
        ({"msg": "x", "level": 99}, (TRACE, "x")),
        ({"msg": "x", "level": "warn"}, (logging.WARNING, "x")),
        ({"msg": "x", "level": "PANIC"}, (logging.ERROR, "x")),
        ({"msg": "x", "level": "debug"}, (logging.DEBUG, "x")),
        ({"msg": "x", "level": "loud"}, (logging.INFO, "x")),
        ({"msg": "x", "fields": {"n": None, "l": [1, {"a": True}]}}, (logging.INFO, 'x n=null l=[1,{"a":true}]')),
    ],
)
def test_records_of_all_sorts(record: dict[str, Any], expected: tuple[int, str], keeper: Keeper) -> None:
    send(record, {"msg": "next"})
    assert keeper.seen() == [expected, (logging.INFO, "next")]


@pytest.mark.usefixtures("hosted")
def test_what_is_no_list_of_records_is_an_error() -> None:
    several: list[Any] = ["x", [1], [[{}]], {"msg": "x"}]
    for bad in several:
        with pytest.raises(RemoteError):
            api.get_service(NAMESPACE, "log")(bad)


def test_the_logger_decides() -> None:
    keeper, logger = Keeper(), fresh_logger("host", logging.WARNING)
    logger.addHandler(keeper)
    registry = Registry()
    add_log_service(registry, logger)
    with testing.hosted_by(registry):
        send({"msg": "low", "level": 4}, {"msg": "high", "level": 2})
    assert keeper.seen() == [(logging.ERROR, "high")]


def test_the_default_logger(caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry()
    add_log_service(registry)
    with testing.hosted_by(registry), caplog.at_level(logging.INFO, "plugsvc.plugin"):
        send({"msg": "hello", "level": 4})
    assert caplog.record_tuples == [("plugsvc.plugin", logging.INFO, "hello")]


@pytest.mark.parametrize(
    ("level", "number"),
    [(50, 1), (60, 1), (40, 2), (45, 2), (30, 3), (20, 4), (25, 4), (10, 5), (5, 6), (0, 6)],
)
def test_levels(level: int, number: int) -> None:
    assert to_service_level(level) == number
    assert to_logging_level(number) == {1: 40, 2: 40, 3: 30, 4: 20, 5: 10, 6: 5}[number]


# The plugin's side.


@pytest.fixture
def plugin_logger() -> Iterator[logging.Logger]:
    logger = fresh_logger("plugin")
    yield logger
    for handler in list(logger.handlers):
        handler.close()


@pytest.mark.usefixtures("hosted")
def test_records_arrive_by_themselves(keeper: Keeper, plugin_logger: logging.Logger) -> None:
    handler = log_to_host(plugin_logger)
    assert isinstance(handler, HostHandler)
    plugin_logger.info("number %d", 1)
    plugin_logger.warning("number %d", 2)
    keeper.wait_for(2)
    plugin_logger.error("number %d", 3)
    keeper.wait_for(3)
    assert keeper.seen() == [(20, "number 1"), (30, "number 2"), (40, "number 3")]


@pytest.mark.usefixtures("hosted")
def test_flush_sends_at_once_and_in_order(keeper: Keeper, plugin_logger: logging.Logger) -> None:
    handler = log_to_host(plugin_logger)
    for number in range(500):
        plugin_logger.info("%d", number)
    handler.flush()
    assert [message for _, message in keeper.seen()] == [str(number) for number in range(500)]


@pytest.mark.usefixtures("hosted")
def test_fields_and_exceptions(keeper: Keeper, plugin_logger: logging.Logger) -> None:
    handler = log_to_host(plugin_logger)
    odd = object()
    plugin_logger.info("x", extra={"path": "/a", "count": 3, "odd": odd, "nested": {"a": [1]}})
    try:
        raise LookupError("why")
    except LookupError:
        plugin_logger.exception("failed")
    handler.flush()
    first, second = keeper.records
    assert first.__dict__["fields"] == {"path": "/a", "count": 3, "odd": repr(odd), "nested": {"a": [1]}}
    assert second.__dict__["fields"]["error"].endswith("LookupError: why")
    assert abs(first.created - second.created) < 10


def test_what_goes_over_the_wire(plugin_logger: logging.Logger) -> None:
    with testing.FakeHost() as host:
        host.answer(NAMESPACE, "getConfig", {"level": 5, "delay": 1_000_000})
        host.answer(NAMESPACE, "log")
        handler = log_to_host(plugin_logger)
        plugin_logger.debug("low")
        plugin_logger.log(TRACE, "lower")
        plugin_logger.critical("high")
        handler.flush()
        handler.flush()
        ((records,),) = host.calls_of(NAMESPACE, "log")
        assert handler.level == logging.DEBUG
    assert [(each["level"], each["msg"], each["fields"]) for each in records] == [(5, "low", {}), (1, "high", {})]
    assert datetime.fromisoformat(records[0]["time"]).tzinfo is not None


@pytest.mark.parametrize("config", [{"Level": 3, "Delay": 0}, {"level": "x", "delay": None}, {}, {"level": 99}])
def test_configurations_of_other_hosts(config: dict[str, Any], plugin_logger: logging.Logger) -> None:
    with testing.FakeHost() as host:
        host.answer(NAMESPACE, "getConfig", config)
        host.answer(NAMESPACE, "log")
        handler = log_to_host(plugin_logger)
        plugin_logger.error("x")
        handler.flush()
        assert len(host.calls_of(NAMESPACE, "log")) == 1
        assert handler.level == (logging.WARNING if "Level" in config else logging.NOTSET)


@pytest.mark.usefixtures("hosted")
def test_a_level_of_ones_own(keeper: Keeper) -> None:
    logger = fresh_logger("plugin", logging.ERROR)
    handler = log_to_host(logger, logging.DEBUG)
    logger.debug("x")
    logger.log(TRACE, "y")
    handler.close()
    assert keeper.seen() == [(logging.DEBUG, "x")]


@pytest.mark.usefixtures("hosted")
def test_a_formatter_of_ones_own(keeper: Keeper, plugin_logger: logging.Logger) -> None:
    handler = log_to_host(plugin_logger)
    handler.setFormatter(logging.Formatter("<%(message)s>"))
    plugin_logger.info("x")
    handler.flush()
    assert keeper.seen() == [(logging.INFO, "<x>")]


def test_a_host_that_is_gone_harms_nobody(registry: Registry, plugin_logger: logging.Logger) -> None:
    with testing.hosted_by(registry):
        handler = log_to_host(plugin_logger)
        assert isinstance(handler, HostHandler)
        plugin_logger.info("arrives")
        handler.flush()
        api.close()
        plugin_logger.info("lost")
        plugin_logger.info("lost, too")
        handler.flush()
        assert handler.dropped == 2
    handler.close()
    plugin_logger.info("after the end")
    assert handler.dropped == 3


def test_a_host_without_log_service_harms_nobody(plugin_logger: logging.Logger) -> None:
    with testing.hosted_by(Registry()):
        handler = log_to_host(plugin_logger)
        assert isinstance(handler, HostHandler)
        plugin_logger.info("x")
        handler.flush()
        assert handler.dropped == 1


def test_a_host_that_does_not_keep_up(plugin_logger: logging.Logger) -> None:
    release = threading.Event()
    with testing.FakeHost() as host:
        host.handle(NAMESPACE, "getConfig", lambda: {"level": 6, "delay": 0})
        host.handle(NAMESPACE, "log", lambda records: release.wait(20))
        handler = HostHandler(max_buffered=3)
        plugin_logger.addHandler(handler)
        flushing = threading.Thread(target=handler.flush)
        plugin_logger.info("first")
        flushing.start()
        for _ in range(20):
            plugin_logger.info("more")
        assert handler.dropped >= 20 - 3 - 3
        release.set()
        flushing.join(20)
        handler.close()


def test_a_broken_record_harms_nobody(
    registry: Registry, plugin_logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    with testing.hosted_by(registry):
        log_to_host(plugin_logger)
        plugin_logger.info("%d", "not a number")
    assert "--- Logging error ---" in capsys.readouterr().err


def test_unhosted_it_goes_to_standard_error(plugin_logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    log_to_host(plugin_logger, logging.INFO)
    plugin_logger.info("here")
    plugin_logger.debug("not here")
    assert capsys.readouterr().err == "here\n"


def test_the_last_records_of_a_plugin_arrive(registry: Registry, keeper: Keeper, tmp_path: Path) -> None:
    path = tmp_path / "plugin"
    manifest = json.dumps({"manifestVersion": 1, "name": "p", "commands": [{"path": ["run"]}]})
    body = f"""\
        #!{sys.executable}
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        if sys.argv[1] == "info":
            print({manifest!r})
            sys.exit()
        import logging
        from plugsvc import log
        log.log_to_host(level=logging.DEBUG)
        logging.getLogger("x").debug("the last words")
        """
    path.write_text(textwrap.dedent(body))
    path.chmod(0o755)
    execute(new_plugin(path), (), bind=registry.bind())
    assert keeper.seen() == [(logging.DEBUG, "the last words")]


def test_the_plugin_side_starts_light() -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import plugsvc.log; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    loaded = set(run.stdout.split())
    assert "plugsvc.log" in loaded
    assert not {"plugsvc.host", "plugsvc.host.registry", "subprocess", "asyncio"} & loaded
    assert os.path.exists(log.__file__)
