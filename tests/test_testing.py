"""The helpers for other people's tests."""

from __future__ import annotations

import threading

import pytest

from plugsvc import testing
from plugsvc.client import api
from plugsvc.errors import ConnectionLost, MisuseError, NotHosted, RegistrationError, RemoteError
from plugsvc.host import Registry
from plugsvc.wire import CALL


@pytest.fixture
def registry() -> Registry:
    made = Registry()
    made.define("math", {"unit": "none"})

    @made.service("math")
    def add(a: int, b: int) -> int:
        return a + b

    return made


def add(a: int, b: int) -> int:
    raise NotImplementedError


def test_this_process_becomes_a_plugin_and_ceases_to_be_one(registry: Registry) -> None:
    stub = api.get_service("math", "add", add)
    for _ in range(3):
        assert not api.hosted()
        with testing.hosted_by(registry) as server:
            assert api.hosted()
            assert stub(1, 2) == 3
            assert api.list_services("math") == ["add"]
            assert api.get_manifest("math") == {"unit": "none"}
        assert server.error is None
        with pytest.raises(NotHosted):
            stub(1, 2)


def test_not_twice_at_once(registry: Registry) -> None:
    with testing.hosted_by(registry):
        with pytest.raises(MisuseError, match="already connected"), testing.hosted_by(registry):
            pass
        assert api.get_service("math", "add", add)(1, 1) == 2


def test_an_exception_ends_it_cleanly(registry: Registry) -> None:
    with pytest.raises(LookupError), testing.hosted_by(registry):
        raise LookupError
    assert not api.hosted()


def test_a_service_that_still_runs_is_not_waited_for(registry: Registry) -> None:
    release = threading.Event()

    @registry.service("math")
    def wait() -> None:
        release.wait(20)

    failures: list[Exception] = []

    def call() -> None:
        try:
            api.get_service("math", "wait")()
        except ConnectionLost as error:
            failures.append(error)

    with testing.hosted_by(registry):
        thread = threading.Thread(target=call)
        thread.start()
        assert api.get_service("math", "add", add)(1, 1) == 2
        while not api.default_session.connection.pending:  # type: ignore[union-attr]
            assert thread.is_alive()
    thread.join(20)
    assert len(failures) == 1
    release.set()


def test_limits_of_the_server(registry: Registry) -> None:
    with testing.hosted_by(registry, max_message=200) as server:
        with pytest.raises(ConnectionLost):
            api.get_service("math", "add")("x" * 500, 1)
        assert server.wait(20)
        assert "200" in str(server.error)


def test_a_connection_beside_that_of_the_process(registry: Registry) -> None:
    with testing.connect(registry) as connection:
        assert not api.hosted()
        assert connection.request(CALL, "zz", "", 20).error == 'undefined namespace "zz"'


def test_a_fake_host_answers_and_keeps_the_calls() -> None:
    with testing.FakeHost() as host:
        host.define("images", {"kind": "fake"})
        host.answer("images", "list", ["a", "b"])
        host.answer("images", "both", 1, "x")
        host.answer("images", "none")
        host.fail("images", "open", "no such image")
        host.handle("images", "double", lambda value: value * 2)

        assert api.get_manifest("images") == {"kind": "fake"}
        assert api.get_service("images", "list")() == ["a", "b"]
        assert api.get_service("images", "both")(None) == (1, "x")
        assert api.get_service("images", "none")() is None
        assert api.get_service("images", "double")(21) == 42
        with pytest.raises(RemoteError, match=r"^no such image$"):
            api.get_service("images", "open")("a", {"mode": 1})
        with pytest.raises(RemoteError, match=r'^undefined service "close"$'):
            api.get_service("images", "close")()

        host.answer("images", "list", [])
        assert api.get_service("images", "list")() == []

    assert host.calls == [
        ("images", "list", ()),
        ("images", "both", (None,)),
        ("images", "none", ()),
        ("images", "double", (21,)),
        ("images", "open", ("a", {"mode": 1})),
        ("images", "list", ()),
    ]
    assert host.calls_of("images", "double") == [(21,)]


def test_a_fake_host_may_await() -> None:
    async def double(value: int) -> int:
        return 2 * value

    with testing.FakeHost() as host:
        host.handle("images", "double", double)
        assert api.get_service("images", "double")(4) == 8
        assert host.calls == [("images", "double", (4,))]


def test_a_fake_host_has_namespaces_once() -> None:
    host = testing.FakeHost()
    host.define("n")
    with pytest.raises(RegistrationError):
        host.define("n")


def test_a_fake_host_may_be_entered_again() -> None:
    host = testing.FakeHost()
    host.answer("n", "s", 1)
    for _ in range(2):
        with host:
            assert api.get_service("n", "s")() == 1
    assert len(host.calls) == 2
