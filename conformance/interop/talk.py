"""The conversation that every pair of a host and a plugin has: instructions, and what has to come of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from conformance.drive.capabilities import Role
from conformance.oracle.values import Type, difference, type_name

NAMESPACE = "conformance"
LARGE = 300_000
CONCURRENT = 8
MILLISECONDS_OF_SLEEP = (60, 10)

VALUES: tuple[tuple[Type, Any], ...] = (
    ("bool", True),
    ("int64", -(2**53)),
    ("uint64", 2**53),
    ("float64", 0.1),
    ("string", 'ä € 😀 "\\ \u0000'),
    ("bytes", "aGk="),
    ("point", {"x": 1, "y": 0.5, "label": "p"}),
    ({"list": "int64"}, [1, 2, 3]),
    ({"map": "int64"}, {"error": 1, "sequence": 2}),
    ({"optional": "int64"}, None),
    ("any", {"a": [1, None, "x"], "b": {}}),
)


@dataclass(frozen=True)
class Step:
    """One instruction: to succeed with ``result``, to fail with exactly ``error``, or with a text that has ``part``."""

    name: str
    instruction: dict[str, Any]
    result: Any = None
    of: Type = "any"
    error: str | None = None
    part: str | None = None

    def problem(self, outcome: dict[str, Any]) -> str | None:
        """What is wrong with an outcome, None when nothing is, or when the testee cannot do this."""
        if "unsupported" in outcome:
            return None
        if self.part is not None or self.error is not None:
            text = outcome.get("error")
            if self.error is not None and text != self.error:
                return f"expected the error {self.error!r}, got {_short(outcome)}"
            if self.part is not None and (not isinstance(text, str) or self.part not in text):
                return f"expected an error with {self.part!r}, got {_short(outcome)}"
            return None
        if "ok" not in outcome:
            return f"expected {_short(self.result)}, got {_short(outcome)}"
        if self.name == "listServices":
            missing = {"echo", "add", "fail"} - set(outcome["ok"] or [])
            return f"expected the services {sorted(missing)} as well" if missing else None
        if isinstance(self.result, list) and isinstance(outcome["ok"], list) and self.instruction["op"] == "call":
            if len(self.result) != len(outcome["ok"]):
                return f"expected {_short(self.result)}, got {_short(outcome['ok'])}"
            found = (difference(self.of, a, b) for a, b in zip(self.result, outcome["ok"], strict=True))
            return next((each for each in found if each), None)
        return difference("any", self.result, outcome["ok"])


def steps(host: Role, plugin: Role) -> list[Step]:
    """What these two can say to each other."""
    found = [
        _lookup("hasNamespace", NAMESPACE, True),
        _lookup("hasNamespace", "elsewhere", False),
        _lookup("getManifest", NAMESPACE, {"contract": 1}),
        _lookup("listServices", NAMESPACE, None),
        _call("add", [40, 2], [42], ["int64", "int64"], ["int64"], plugin),
        _call("none", [], [], [], [], plugin),
        _call("swap", [1, "b"], ["b", 1], ["any", "any"], ["any", "any"], plugin),
    ]
    for of, value in VALUES:
        if host.takes(of) and (plugin.takes(of) or not plugin.typed):
            service = "echo" if of == "any" else f"echo_{type_name(of)}"
            found.append(_call(service, [value], [value], [of], [of], plugin, of=of))
    text = 'no such file: ä "€"'
    found += [
        _call("fail", [text], None, ["string"], [], plugin, error=text),
        _call("fail", [""], None, ["string"], [], plugin, error=""),
        _call("panic", ["aargh"], None, ["string"], [], plugin, part="aargh"),
        _call("missing", [], None, [], [], plugin, part="missing"),
        _call("where", [], ["parent"], [], ["string"], plugin, namespace="conformance/parent"),
        _call("where", [], ["child"], [], ["string"], plugin, namespace="conformance/shadow"),
        _call("blob", [LARGE], ["x" * LARGE], ["int64"], ["string"], plugin),
        _call("echo", ["y" * LARGE], ["y" * LARGE], ["any"], ["any"], plugin),
    ]
    if "concurrent" in plugin.features:
        for number in range(CONCURRENT):
            milliseconds = [MILLISECONDS_OF_SLEEP[number % 2]]
            step = _call("sleep", milliseconds, milliseconds, ["int64"], ["int64"], plugin)
            step.instruction["async"] = True
            found.append(step)
    for number, step in enumerate(found, 1):
        step.instruction["id"] = number
    return found


def _lookup(op: str, namespace: str, result: Any) -> Step:
    return Step(op, {"op": op, "namespace": namespace}, result)


def _call(
    name: str,
    args: list[Any],
    result: list[Any] | None,
    params: Sequence[Type],
    results: Sequence[Type],
    plugin: Role,
    *,
    namespace: str = NAMESPACE,
    of: Type = "any",
    error: str | None = None,
    part: str | None = None,
) -> Step:
    if not plugin.typed:
        params, results = ["any"] * len(params), ["any"] * len(results)
    instruction = {"op": "call", "namespace": namespace, "name": name, "args": args}
    return Step(name, {**instruction, "params": list(params), "results": list(results)}, result, of, error, part)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."
