"""What a host tells of its registry, and which registry answers."""

from __future__ import annotations

from typing import Any

from conformance.case import case
from conformance.drive.host import HostSession
from conformance.oracle.values import SCALARS
from conformance.outcomes import Failure

SERVICES = {
    "echo", "add", "swap", "none", "fail", "fail_after", "panic", "sleep", "blob", "unserializable",
}  # fmt: skip
MANIFESTS: dict[str, Any] = {
    "conformance": {"contract": 1},
    "conformance/empty": None,
    "conformance/parent": {"layer": "parent"},
    "conformance/shadow": {"layer": "child"},
}
SAMPLES: dict[str, Any] = {
    **{name: 5 for name in SCALARS if "int" in name},
    "bool": True, "string": "s", "float32": 1.5, "float64": 2.5, "bytes": "AA==", "any": [1], "raw": {"r": 1},
    "point": {"x": 1, "y": 2.5, "label": "p"},
}  # fmt: skip
NEARLY = (
    "Conformance", "CONFORMANCE", "conformance ", " conformance", "conformance/", "conformance/Empty",
    "conformance//empty", "/conformance", "conformance\0", "conformanc", "conformance/empty/",
    "conformance\\empty", "ｃonformance",
)  # fmt: skip


def _names(host: HostSession, namespace: str) -> list[str]:
    """What ``listServices`` names; an absent or null list is the empty one."""
    reply = host.reply(host.request("listServices", namespace))
    named = reply.get("services")
    named = [] if named is None else named
    if reply.get("error") is not None or not isinstance(named, list) or not all(isinstance(n, str) for n in named):
        raise Failure(f"listServices of {namespace!r}", expected="an array of names", seen=repr(reply)[:300])
    return named


def _is_echo(name: str) -> bool:
    """Whether a name is that of an echo service for some type of the contract."""
    words = name.split("_")
    return words[0] == "echo" and words[-1] in SCALARS and all(w in ("list", "map", "optional") for w in words[1:-1])


@case("NSP-01", "NSP-05")
def test_has_namespace(host: HostSession) -> None:
    """The host has its own namespaces and the inherited one, and no other."""
    for namespace, meant in {
        "conformance": True,
        "conformance/empty": True,
        "conformance/parent": True,
        "conformance/shadow": True,
        "conformance/missing": False,
        "": False,
    }.items():
        reply = host.reply(host.request("hasNamespace", namespace))
        if (reply.get("ok") or False) is not meant:
            raise Failure(f"hasNamespace {namespace!r}", expected=f"ok {meant}", seen=repr(reply))
        if reply.get("error") is not None:
            raise Failure(f"hasNamespace {namespace!r} is answered with an error", expected="none", seen=repr(reply))


@case("NSP-02")
def test_manifests(host: HostSession) -> None:
    """The manifest of each namespace, the null one and the inherited one included, each time that it is asked for."""
    for namespace, meant in MANIFESTS.items():
        for _ in range(2):
            reply = host.reply(host.request("getManifest", namespace))
            if reply.get("error") is not None or reply.get("reply") != meant:
                raise Failure(f"the manifest of {namespace!r}", expected=repr(meant), seen=repr(reply)[:300])


@case("NSP-03")
def test_services(host: HostSession) -> None:
    """The services of the large namespace: all that the contract names, each once, and nothing else."""
    named = _names(host, "conformance")
    missing = SERVICES - set(named)
    if missing:
        raise Failure("listServices leaves services out", expected="all of them", seen=f"without {sorted(missing)}")
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise Failure("listServices names services twice", expected="each once", seen=repr(twice)[:300])
    unknown = sorted(name for name in named if name not in SERVICES and not _is_echo(name))
    if unknown:
        raise Failure("listServices names what is no service", expected="none of it", seen=repr(unknown)[:300])


@case("NSP-03")
def test_services_can_be_called(host: HostSession) -> None:
    """Each echo service that is named can be called with a value of its type."""
    for name in host.services():
        if _is_echo(name):
            value = SAMPLES[name.split("_")[-1]]
            for constructor in reversed(name.split("_")[1:-1]):
                value = {"list": [value], "map": {"k": value}, "optional": value}[constructor]
            with host.trying(f"{name}, which listServices names"):
                host.results(host.call(name, value), value)


@case("NSP-03", "NSP-06")
def test_services_of_small_namespaces(host: HostSession) -> None:
    """None in the empty namespace, one in the inherited, and the child's own in the one defined twice."""
    for namespace, meant in {"empty": [], "parent": ["where"], "shadow": ["where"]}.items():
        named = _names(host, f"conformance/{namespace}")
        if sorted(named) != meant:
            raise Failure(f"listServices of 'conformance/{namespace}'", expected=repr(meant), seen=repr(named)[:300])


@case("NSP-04")
def test_order_is_stable(host: HostSession) -> None:
    """Asked ten times, also between calls, the host names the services in the same order."""
    first = _names(host, "conformance")
    for attempt in range(2, 11):
        host.results(host.call("add", 1, 1), 2)
        again = _names(host, "conformance")
        if again != first:
            at = next(i for i, (one, other) in enumerate(zip(first, again, strict=False)) if one != other)
            raise Failure(
                f"listServices gave another order at the {attempt}th time",
                expected=f"{first[at]!r} at place {at}",
                seen=repr(again[at]),
            )


@case("NSP-05")
def test_inherited_namespace(host: HostSession) -> None:
    """A namespace that only the parent defines answers calls and lookups as an own one does."""
    host.results(host.call("where", namespace="conformance/parent"), "parent")
    host.error(host.call("hidden", namespace="conformance/parent"), why="the service is another namespace's")
    host.error(host.call("echo", 1, namespace="conformance/parent"), why="the service is another namespace's")


@case("NSP-06")
def test_child_hides_parent(host: HostSession) -> None:
    """Of a namespace defined in both registries the child's is seen as a whole; the parent does not shine through."""
    host.results(host.call("where", namespace="conformance/shadow"), "child")
    host.error(
        host.call("hidden", namespace="conformance/shadow"),
        why="the service is the parent's, in a namespace that the child defined again",
    )
    host.results(host.call("where", namespace="conformance/shadow"), "child")


@case("NSP-07")
def test_names_are_exact(host: HostSession) -> None:
    """Namespaces and names that differ in case, in white space or by a slash are others."""
    for namespace in NEARLY:
        with host.trying(f"the namespace {namespace!r}"):
            reply = host.reply(host.request("hasNamespace", namespace))
            if reply.get("ok"):
                raise Failure(
                    "hasNamespace is true for a name that is only like another", expected="false", seen=repr(reply)
                )
            host.error(host.call("add", 1, 2, namespace=namespace), why="the namespace is only like another")
    for name in ("Add", "ADD", "add ", " add", "add\0", "aḍd", "ad", "echo_Int64"):
        with host.trying(f"the service {name!r}"):
            host.error(host.call(name, 1, 2), why="the name is only like another")
    for type_ in ("Call", "CALL", "hasnamespace", "HasNamespace"):
        with host.trying(f"the type {type_!r}"):
            reply = host.reply(host.request(type_, name="add", args=[1, 2]))
            if reply.get("ok") or reply.get("reply") == [3]:
                raise Failure("a type that is only like another", expected="an error", seen=repr(reply))
