"""The steps of the doctor for the host side: runs over each bind, the registry, and how it tells of failures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from conformance.doctor.conversation import in_one_line
from conformance.doctor.steps import Examination, Log, Mistake, Skip, Step
from conformance.drive.capabilities import Role
from conformance.drive.host import HostSession
from conformance.outcomes import CaseProblem, Failure, Unsupported
from conformance.requirements import Side

STATUS = 7
NO_PLUGIN = "/nonexistent/conformance-made-up"

SERVICES = ("add", "blob", "echo", "fail", "fail_after", "none", "panic", "sleep", "swap", "unserializable")
"""What every host has in the namespace `conformance`."""

MANIFESTS = {
    "conformance": {"contract": 1},
    "conformance/empty": None,
    "conformance/parent": {"layer": "parent"},
    "conformance/shadow": {"layer": "child"},
}

CALLS: dict[str, tuple[list[Any], list[Any]]] = {
    "echo": ([[1, None, "x"]], [[1, None, "x"]]),
    "add": ([40, 2], [42]),
    "swap": (["a", 1], [1, "a"]),
    "none": ([], []),
    "sleep": ([1], [1]),
    "blob": ([3], ["xxx"]),
}
"""Services with arguments and the results that they have."""

Body = Callable[[HostSession, Log], None]


def _role(examination: Examination) -> Role:
    role = examination.testee.role(Side.HOST)
    if role is None:
        raise Skip("the testee declares no host side")
    if not role.binds:
        raise Skip("the testee declares no bind")
    return role


@contextmanager
def _host(examination: Examination, log: Log, bind: str, plugin: str | None = None) -> Iterator[HostSession]:
    """A host that runs the suite's plugin; whatever goes wrong is a mistake."""
    session = HostSession(examination.testee, bind=bind, plugin=plugin, timeout=examination.timeout)
    log.send("$ " + " ".join(session.child.argv))
    try:
        yield session
    except Unsupported as reason:
        raise Skip(in_one_line(reason)) from None
    except CaseProblem as problem:
        raise Mistake(in_one_line(problem)) from None
    finally:
        for crossing in session.wire.render():
            (log.come if " < " in crossing else log.send)(f"on the connection: {crossing.strip()}")
        said = session.child.stderr.text().strip() if session.started else ""
        if said:
            log.come(f"on standard error: {said.splitlines()[-1]}")
        session.close()


def _on_first_bind(body: Body) -> Callable[[Examination, Log], None]:
    def run(examination: Examination, log: Log) -> None:
        with _host(examination, log, _role(examination).binds[0]) as session:
            body(session, log)

    return run


def _starts(session: HostSession, log: Log) -> None:
    session.hello()
    log.come(f"the plugin runs, with {' '.join(session.urls())}")


def _each_bind(examination: Examination, log: Log) -> None:
    for bind in _role(examination).binds:
        with _host(examination, log, bind) as session, session.trying(f"over the bind {bind}"):
            session.connect()
            session.reply(session.request("hasNamespace"))


def _registry(session: HostSession, log: Log) -> None:
    missing = [name for name in SERVICES if name not in session.services()]
    if missing:
        raise Mistake(f"the namespace 'conformance' has no service {missing[0]!r}")
    for namespace, manifest in MANIFESTS.items():
        has = session.reply(session.request("hasNamespace", namespace))
        if has.get("ok") is not True:
            raise Mistake(f"the registry has no namespace {namespace!r}")
        came = session.reply(session.request("getManifest", namespace)).get("reply")
        if came != manifest:
            raise Mistake(f"the manifest of the namespace {namespace!r} is {came!r}, expected {manifest!r}")
    for namespace, text in (("conformance/parent", "parent"), ("conformance/shadow", "child")):
        with session.trying(f"the service 'where' of {namespace!r}"):
            session.results(session.call("where", namespace=namespace), text)


def _services(session: HostSession, log: Log) -> None:
    for name, (args, results) in CALLS.items():
        with session.trying(f"the service {name!r}"):
            session.results(session.call(name, *args), *results)
    with session.trying("the service 'fail'"):
        text = session.error(session.call("fail", "boom"), why="it fails with its argument as message")
        if text != "boom":
            raise Failure("another message", expected="'boom'", seen=repr(text))


def _success(session: HostSession, log: Log) -> None:
    session.connect()
    session.disconnect(0)
    session.ended(why="the plugin exits 0", success=True)


def _failure(session: HostSession, log: Log) -> None:
    session.connect()
    session.disconnect(STATUS)
    session.ended(why=f"the plugin exits {STATUS}", success=False)


def _no_plugin(examination: Examination, log: Log) -> None:
    with _host(examination, log, _role(examination).binds[0], NO_PLUGIN) as session:
        session.ended(why="the plugin does not exist", success=False)


HOST = "#3-the-host-side"
START = "host: starts, and runs the plugin"
STEPS = (
    Step(START, "the plugin is discovered and executed", HOST, _on_first_bind(_starts)),
    Step("host: each bind", "a connection that the plugin can open, and replies on it", HOST, _each_bind, START),
    Step(
        "host: the registry", "namespaces, manifests and services of the tables", HOST, _on_first_bind(_registry), START
    ),
    Step("host: services", "the results of the table", HOST, _on_first_bind(_services), "host: the registry"),
    Step("host: a plugin that succeeds", "exit status 0", HOST, _on_first_bind(_success), START),
    Step(
        "host: a plugin that fails",
        "a status other than 0, and a line on standard error",
        HOST,
        _on_first_bind(_failure),
        START,
    ),
    Step(
        "host: a plugin that does not exist",
        "a status other than 0, and a line on standard error",
        HOST,
        _no_plugin,
        START,
    ),
)
"""The steps in their order."""
