"""Scenarios through conversations with a plugin, held against a model of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from conformance.case import case
from conformance.drive.control import Ticket
from conformance.drive.plugin import PluginSession
from conformance.fuzz.engine import Fuzz
from conformance.fuzz.state_machine import Scenario, run_scenario, scenarios, telling
from conformance.oracle import strict
from conformance.oracle.values import difference
from conformance.outcomes import Failure

LOOKUPS = ("hasNamespace", "getManifest", "listServices")
MOST = 40
"""Operations that are outstanding at once."""
UNKNOWN = (1 << 64) - 1
"""A sequence that no plugin comes to."""


@dataclass
class Operation:
    """One operation of the plugin: what was asked, its request once it came, and what must come of it."""

    number: int
    op: str
    ticket: Ticket
    sequence: int = -1
    meant: tuple[str, Any] = ("", None)
    ends: int = 0


class PluginModel:
    """What a plugin must do: one request an operation, and the outcome that its own first reply says."""

    def __init__(self, plugin: PluginSession, scenario: Scenario) -> None:
        self.plugin = plugin
        self.scenario = scenario
        self.story: list[str] = []
        self.background = "concurrent" in plugin.role.features
        self.asked = 0
        self.arriving: dict[int, Operation] = {}
        self.open: list[Operation] = []
        self.replied: list[Operation] = []
        self.unsent = b""
        self.sent = 0
        self.held_back = False

    # --- operations ----------------------------------------------------------------------------

    def _start(self, op: str, **fields: Any) -> None:
        if not self.background or len(self.arriving) + len(self.open) >= MOST:
            self.answer_all(0)  # one at a time waits for its reply, which must have left
        number, self.asked = self.asked, self.asked + 1
        if op == "call":
            args = (self.scenario.value(number), number)
            ticket = self.plugin.call(*args, name=f"s{number % 4}", background=self.background, **fields)
        else:
            ticket = self.plugin.start(op, namespace=f"n{number}", background=self.background)
        self.arriving[number] = Operation(number, op, ticket)
        self.story.append(f"#{number} {op} begins")

    def begin_call(self, how: int) -> None:
        self._start("call")

    def begin_lookup(self, how: int) -> None:
        self._start(LOOKUPS[how % len(LOOKUPS)])

    def arrive(self) -> None:
        """Take the requests of everything that has begun."""
        while self.arriving:
            request = self.plugin.request()
            operation = self.arriving.pop(self._number(request), None)
            if operation is None:
                expected = f"the requests of {sorted(self.arriving)}"
                raise Failure("a request that belongs to no operation", expected=expected, seen=repr(request)[:300])
            if request.get("type") != operation.op:
                raise Failure("the type of a request", expected=operation.op, seen=repr(request.get("type")))
            if operation.op == "call":
                meant = [self.scenario.value(operation.number), operation.number]
                problem = difference("any", meant, request["args"], "args")
                if problem:
                    raise Failure(
                        "another argument on the wire than was given", expected=repr(meant)[:300], seen=problem
                    )
            operation.sequence = request["sequence"]
            if any(other.sequence == operation.sequence for other in self.open):
                raise Failure("two outstanding requests have one sequence", seen=repr(operation.sequence))
            self.open.append(operation)
        # Concurrent requests come in any order; which of them a step picks must not depend on it.
        self.open.sort(key=lambda operation: operation.number)

    def _number(self, request: dict[str, Any]) -> Any:
        """Calls say their number in the last argument, lookups in their namespace."""
        args, namespace = request.get("args"), request.get("namespace")
        if request.get("type") == "call":
            return args[-1] if isinstance(args, list) and args and type(args[-1]) is int else None
        digits = namespace[1:] if isinstance(namespace, str) else ""
        return int(digits) if digits.isdecimal() else None

    # --- replies -------------------------------------------------------------------------------

    def _put(self, what: str, sequence: int, **keys: Any) -> None:
        self.unsent += strict.dumps({"sequence": sequence, **keys}) + b"\n"
        self.story.append(f"{what}: {strict.dumps(keys).decode('utf-8', 'replace')[:60]}")

    def _reply(self, operation: Operation, meant: tuple[str, Any], **keys: Any) -> None:
        self.open.remove(operation)
        operation.meant = meant
        self._put(f"reply to #{operation.number}", operation.sequence, **keys)
        operation.ends = self.sent + len(self.unsent)
        self.replied.append(operation)

    def _pick(self, how: int) -> Operation | None:
        self.arrive()
        return self.open[how % len(self.open)] if self.open else None

    def answer(self, how: int) -> None:
        operation = self._pick(how)
        if operation is None:
            return
        value = [self.scenario.value(how), operation.number]
        if operation.op == "call":
            self._reply(operation, ("ok", [value]), reply=[value])
        elif operation.op == "getManifest":
            self._reply(operation, ("ok", value), reply=value)
        elif operation.op == "hasNamespace":
            self._reply(operation, ("ok", bool(how % 2)), **({"ok": True} if how % 2 else {}))
        else:
            names = [f"service {how}", "b", "a"][: how % 4]
            self._reply(operation, ("ok", names), **({"services": names} if names else {}))

    def answer_with_error(self, how: int) -> None:
        operation = self._pick(how)
        if operation is not None:
            text = f"{self.scenario.text(how)} of #{operation.number}"
            beside = {"reply": [how]} if how % 2 and operation.op == "call" else {}
            self._reply(operation, ("error", text), error=text, **beside)

    def answer_wrongly(self, how: int) -> None:
        operation = self._pick(how)
        if operation is not None and operation.op == "call":
            self._reply(operation, ("error", None), reply=[[], [how, how], "text", {"a": how}][how % 4])

    def repeat(self, how: int) -> None:
        """A late duplicate, with another content."""
        if self.replied:
            operation = self.replied[how % len(self.replied)]
            if not any(other.sequence == operation.sequence for other in self.open):
                self._put(f"once more to #{operation.number}", operation.sequence, reply=["duplicate"], error="late")

    def reply_to_nobody(self, how: int) -> None:
        self._put("reply to nobody", UNKNOWN - how, reply=["nobody"], ok=True)

    def send(self, how: int) -> None:
        # Nobody has to read while nothing is outstanding.
        if how % 3 == 0 and len(self.unsent) > 1 and (self.open or self.arriving):
            at = 1 + how * 31 % (len(self.unsent) - 1)
            self.story.append(f"all of it is sent, cut after {at} bytes")
            first, rest = self.unsent[:at], self.unsent[at:]
            self.plugin.deliver(first)
            self.plugin.send(rest)
        else:
            self.plugin.send(self.unsent)
        self.sent += len(self.unsent)
        self.unsent = b""

    def await_one(self, how: int) -> None:
        self.send(1)
        if self.replied:
            self.judge(self.replied.pop(how % len(self.replied)))

    def answer_all(self, how: int) -> None:
        """Nothing is outstanding afterwards."""
        self.arrive()
        while self.open:
            self.answer(how)
        self.send(1)
        while self.replied:
            self.judge(self.replied.pop())

    # --- judging -------------------------------------------------------------------------------

    def judge(self, operation: Operation) -> None:
        """Take the outcome of an operation whose reply was sent."""
        kind, meant = operation.meant
        self.story.append(f"the outcome of #{operation.number} is awaited")
        if kind == "ok" and operation.op == "call":
            self.plugin.ok(operation.ticket, *meant)
        elif kind == "ok":
            self.plugin.value(operation.ticket, meant)
        else:
            came = self.plugin.failed(operation.ticket, why=f"the reply to #{operation.number} makes it fail")
            if meant is not None and came != meant:
                raise Failure("another error text than was sent", expected=repr(meant), seen=repr(came))

    def over(self, at: int) -> None:
        """The stream ended after ``at`` bytes: what was answered before stands, all else has failed."""
        for operation in self.replied:
            if operation.ends <= at:
                self.judge(operation)
            else:
                self.plugin.failed(
                    operation.ticket, why=f"the connection ended before the reply to #{operation.number}"
                )
        for operation in [*self.open, *self.arriving.values()]:
            self.plugin.failed(operation.ticket, why=f"the connection ended while #{operation.number} was outstanding")


_WALK: list[Callable[[PluginModel, int], None]] = [
    *[PluginModel.begin_call] * 8,
    *[PluginModel.begin_lookup] * 3,
    *[PluginModel.answer] * 5,
    *[PluginModel.answer_with_error] * 2,
    PluginModel.answer_wrongly,
    PluginModel.repeat,
    PluginModel.reply_to_nobody,
]
_TIMING: list[Callable[[PluginModel, int], None]] = [PluginModel.send, PluginModel.await_one, PluginModel.await_one]


@case("FUZ-05", generated=True)
def test_interleaved(fuzz_plugin: Fuzz) -> None:
    """Calls and lookups, replies late, twice, wrong and out of order: each operation has the predicted outcome."""

    def run(plugin: PluginSession, scenario: Scenario) -> int:
        model = PluginModel(plugin, scenario)
        with telling(model):
            run_scenario(model, scenario, [*_WALK, *_TIMING, PluginModel.answer_all])
            model.answer_all(0)
            plugin.assert_alive()
        return model.asked + 1

    fuzz_plugin.check(scenarios(), run)


@case("FUZ-06", needs=("halves",), generated=True)
def test_end_anywhere(fuzz_plugin: Fuzz) -> None:
    """The stream of replies ends at any byte: what was answered stands, all else fails, and the process lives on."""

    def run(plugin: PluginSession, scenario: Scenario) -> int:
        model = PluginModel(plugin, scenario)
        with telling(model):
            run_scenario(model, scenario, _WALK)
            stream = scenario.cut(model.unsent).stream
            model.story.append(f"the stream ends, {len(model.unsent) - len(stream)} bytes too early")
            plugin.send(stream)
            deaf = scenario.end % 3 == 0
            if deaf or scenario.end % 2:
                model.arrive()  # who cannot write a request any more may fail what was answered, too (section 12)
            plugin.wire.close(read=deaf)
            # The end of the message is its brace: the line feed behind it is no part of it.
            model.over(model.sent + len(stream) + 1)
            plugin.failed(plugin.call("later"), why="a call after the end of the connection")
            plugin.failed(plugin.start("hasNamespace", namespace="n"), why="a lookup after the end of the connection")
            plugin.finish()
        return model.asked + 2

    fuzz_plugin.check(scenarios(60), run, fresh=True)
