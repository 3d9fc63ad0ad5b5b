"""What a plugin does when nobody hosts it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.case import case
from conformance.drive import endpoints
from conformance.drive.control import Ticket
from conformance.drive.plugin import PluginSession
from conformance.outcomes import Failure

Start = Callable[..., PluginSession]


@case("UNH-01")
def test_hosted(start_plugin: Start) -> None:
    """A plugin knows whether it was started with a host, before any call and after it."""
    alone = start_plugin(urls=[])
    alone.value(alone.start("hosted"), False)
    plugin = start_plugin()
    plugin.value(plugin.start("hosted"), True)
    plugin.assert_alive()
    plugin.value(plugin.start("hosted"), True)


@case("UNH-01", features=("single-url",))
def test_hosted_by_one_url(start_plugin: Start) -> None:
    """One `--host` is a host as well as two."""
    plugin = start_plugin(endpoint=endpoints.single_pty)
    plugin.value(plugin.start("hosted"), True)
    plugin.assert_alive()
    plugin.value(plugin.start("hosted"), True)


@case("UNH-01")
def test_hosted_by_nobody(start_plugin: Start) -> None:
    """A plugin that was started with `--host` is hosted, also where the connection cannot be opened."""
    plugin = start_plugin(urls=["file:///nonexistent/conformance/in", "file:///nonexistent/conformance/out"])
    plugin.value(plugin.start("hosted"), True)
    plugin.failed(plugin.call(), why="a call over a connection that cannot be opened")
    plugin.value(plugin.start("hosted"), True)


@case("UNH-02", each={op: (op,) for op in ("call", "hasNamespace", "getManifest", "listServices")})
def test_fails(start_plugin: Start, each: tuple[str]) -> None:
    """Without a host an operation fails, the first time and later, and the process goes on."""
    plugin = start_plugin(urls=[])
    for _ in range(2):
        ticket = plugin.call() if each[0] == "call" else plugin.start(each[0], namespace="n")
        plugin.failed(ticket, why=f"{each[0]} without a host", or_panic=True)
    plugin.value(plugin.start("hosted"), False)
    plugin.finish()


@case("UNH-03", features=("fallback",))
def test_fallback_without_host(start_plugin: Start) -> None:
    """Without a host a stub with a fallback runs it, each time."""
    plugin = start_plugin(urls=[])
    for args in ([1, 2, 3], ["a", None]):
        plugin.value(plugin.start("fallback", namespace="n", name="s", args=args), args[::-1])


def request_of_stub(plugin: PluginSession, ticket: Ticket) -> dict[str, Any]:
    """The call that a stub makes; it may ask before whether the host has the service."""
    answers: dict[str, dict[str, Any]] = {
        "hasNamespace": {"ok": True},
        "listServices": {"services": ["s"]},
        "getManifest": {"reply": None},
    }
    for _ in range(4):
        request: dict[str, Any] = plugin.request(ticket)
        if request.get("type") == "call":
            return request
        plugin.reply(request, **answers.get(str(request.get("type")), {}))
    raise Failure("a stub with a fallback does not call the host", expected="a call", seen=repr(request))


@case("UNH-03", features=("fallback",))
def test_fallback_with_host(plugin: PluginSession) -> None:
    """With a host that has the service a stub with a fallback calls it, and what the host says counts, an error too."""
    for args in ([1, 2, 3], ["a", None]):
        ticket = plugin.start("fallback", namespace="n", name="s", args=args)
        request = _call_of_stub(plugin, ticket)
        if request.get("type") != "call" or request.get("name") != "s" or request.get("args") != args:
            raise Failure(
                "the request of a stub with a fallback", expected=f"a call of s with {args}", seen=repr(request)
            )
        plugin.reply(request, reply=["from the host"] * len(args))
        plugin.value(ticket, ["from the host"] * len(args))
    ticket = plugin.start("fallback", namespace="n", name="s", args=[1])
    plugin.reply(_call_of_stub(plugin, ticket), error="from the host")
    text = plugin.failed(ticket, why="a reply with an error to a stub with a fallback")
    if text != "from the host":
        raise Failure("another error than was sent", expected="from the host", seen=text)


def _call_of_stub(plugin: PluginSession, ticket: Any) -> dict[str, Any]:
    """The call of a stub with a fallback, which may ask first whether the host has the service: it has."""
    found: dict[str, dict[str, Any]] = {
        "hasNamespace": {"ok": True},
        "listServices": {"services": ["s"]},
        "getManifest": {"reply": {}},
    }
    request: dict[str, Any] = plugin.request(ticket)
    while request.get("type") in found:
        plugin.reply(request, **found.pop(request["type"]))  # each once
        request = plugin.request(ticket)
    return request
