"""Scenarios through conversations with a host, held against a model of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from conformance.case import case
from conformance.drive.host import NAMESPACE, HostSession
from conformance.fuzz.engine import Fuzz
from conformance.fuzz.state_machine import Scenario, run_scenario, scenarios, telling
from conformance.oracle import strict
from conformance.oracle.values import difference
from conformance.outcomes import Failure

MANIFESTS: dict[str, Any] = {
    "conformance": {"contract": 1},
    "conformance/empty": None,
    "conformance/parent": {"layer": "parent"},
    "conformance/shadow": {"layer": "child"},
}
SERVICES = {"conformance/empty": [], "conformance/parent": ["where"], "conformance/shadow": ["where"]}
ASKED = (*MANIFESTS, "conformance/missing", "Conformance")
SLOW = 600
"""Milliseconds of a call that everything which is sent along with it has to overtake."""
FOR_EVER = 300_000
UNREAD = 2000
"""Bytes that are sent while the suite does not read: they fit into any connection, whatever the host does meanwhile."""


@dataclass
class Slow:
    """A slow call: its number, whether it has been sent, and the numbers of what was asked along with it."""

    number: int
    sent: bool = False
    beside: list[int] = field(default_factory=list)


class HostModel:
    """What a host must do: each request gets one reply, known beforehand; what is slow holds nothing up."""

    def __init__(self, host: HostSession, scenario: Scenario, *, longer: int = 1) -> None:
        """``longer`` is a factor for the time that services sleep."""
        self.longer = longer
        self.host = host
        self.scenario = scenario
        self.story: list[str] = []
        self.asked = 0
        self.open: dict[int, Callable[[], object]] = {}
        self.unsent = b""
        self.answered: list[int] = []
        self.held = False
        self.behind = 0
        self.slow: Slow | None = None

    # --- asking --------------------------------------------------------------------------------

    def ask(self, judge: Callable[..., object], *told: Any, sequence: int | None = None, **keys: Any) -> int:
        """Put a request into the stream; ``judge(sequence, *told)`` takes its reply."""
        number = self.host.fresh() if sequence is None else sequence
        self.unsent += strict.dumps({"sequence": number, **keys}) + b"\n"
        self.open[number] = partial(judge, number, *told)
        self.asked += 1
        if self.slow is not None and not self.slow.sent and keys.get("name") != "sleep":
            self.slow.beside.append(number)
        words = [repr(value)[:60] for key, value in keys.items() if key not in ("type", "namespace")]
        self.story.append(f"#{number} {keys['type']} {keys['namespace']} {' '.join(words)}")
        return number

    def call(self, name: str, *args: Any, judge: Callable[..., object], told: tuple[Any, ...] = ()) -> int:
        """Put a call of the large namespace into the stream."""
        return self.ask(judge, *told, type="call", namespace=NAMESPACE, name=name, args=list(args))

    def flush(self) -> None:
        """Send what is in the stream, in one write."""
        stream, self.unsent = self.unsent, b""
        if not stream:
            return
        if self.slow is not None:
            self.slow.sent = True
        self.behind += len(stream)
        if self.behind > UNREAD:
            self.read()
        self.host.send(stream)

    def read(self) -> None:
        """Read again, where the suite has stopped."""
        if self.held:
            self.host.wire.hold(False)
        self.held, self.behind = False, 0

    # --- what a step can do --------------------------------------------------------------------

    def echo(self, how: int) -> None:
        value = [self.scenario.value(how), how]
        self.call("echo", value, judge=self.host.results, told=(value,))

    def add(self, how: int) -> None:
        self.call("add", how, 1 << how % 62, judge=self.host.results, told=(how + (1 << how % 62),))

    def swap(self, how: int) -> None:
        one, two = self.scenario.value(how), self.scenario.value(how + 1)
        self.call("swap", one, two, judge=self.host.results, told=(two, one))

    def none(self, how: int) -> None:
        self.call("none", judge=self.host.results)

    def blob(self, how: int) -> None:
        size = (how * 97) % 9000 if how % 8 else 70_000 + how
        self.call("blob", size, judge=self.host.results, told=("x" * size,))

    def sleep(self, how: int) -> None:
        milliseconds = how % 8 * self.longer
        self.call("sleep", milliseconds, judge=self.host.results, told=(milliseconds,))

    def fail(self, how: int) -> None:
        text = f"{self.scenario.text(how)}{how}"
        self.call("fail", text, judge=self._fails, told=(text,))

    def fail_after(self, how: int) -> None:
        text = self.scenario.text(how)
        self.call("fail_after", "before", text, judge=self._fails, told=(text,))

    def panic(self, how: int) -> None:
        self.call("panic", f"panic {how}", judge=self._fails_somehow, told=(f"panic {how}",))

    def unserializable(self, how: int) -> None:
        self.call("unserializable", judge=self._fails_somehow)

    def misfit(self, how: int) -> None:
        self.call("add", how, "one", judge=self._fails_somehow)

    def unknown(self, how: int) -> None:
        name, namespace = [("missing", NAMESPACE), ("where", "conformance/empty"), ("hidden", "conformance/shadow")][
            how % 3
        ]
        self.ask(self._fails_somehow, type="call", namespace=namespace, name=name, args=[])

    def bogus(self, how: int) -> None:
        self.ask(self._fails_somehow, type=f"bogus{how}", namespace=NAMESPACE)

    def where(self, how: int) -> None:
        namespace, meant = [("conformance/parent", "parent"), ("conformance/shadow", "child")][how % 2]
        self.ask(self.host.results, meant, type="call", namespace=namespace, name="where", args=[])

    def has_namespace(self, how: int) -> None:
        namespace = ASKED[how % len(ASKED)]
        self.ask(self._has, namespace in MANIFESTS, type="hasNamespace", namespace=namespace)

    def get_manifest(self, how: int) -> None:
        namespace = [*MANIFESTS][how % len(MANIFESTS)]
        self.ask(self._manifest, MANIFESTS[namespace], type="getManifest", namespace=namespace)

    def list_services(self, how: int) -> None:
        namespace = [*SERVICES][how % len(SERVICES)]
        self.ask(self._services, SERVICES[namespace], type="listServices", namespace=namespace)

    def ask_again(self, how: int) -> None:
        if self.answered:
            sequence = self.answered[how % len(self.answered)]
            if sequence not in self.open:
                self.ask(
                    self.host.results,
                    how,
                    sequence=sequence,
                    type="call",
                    namespace=NAMESPACE,
                    name="echo",
                    args=[how],
                )

    def ask_twice(self, how: int) -> None:
        """The same request twice, the second while the first is outstanding: two replies, which are alike."""
        value = [self.scenario.value(how)]
        number = self.call("echo", value, judge=self._answered_twice, told=(value,))
        self.unsent += self.unsent[self.unsent[:-1].rfind(b"\n") + 1 :]
        self.asked += 1
        self.story.append(f"#{number} once more, the same")

    def send(self, how: int) -> None:
        if how % 3 == 0 and len(self.unsent) > 1:
            at = 1 + how * 31 % (len(self.unsent) - 1)
            self.story.append(f"all of it is sent, cut after {at} bytes")
            first, self.unsent = self.unsent[:at], self.unsent[at:]
            self.read()
            self.host.deliver(first)
        self.flush()

    def await_one(self, how: int) -> None:
        if self.open:
            self.flush()
            waiting = [*self.open]
            self.judge(waiting[how % len(waiting)])

    def await_all(self, how: int) -> None:
        self.read()
        self.flush()
        for number in [*self.open]:
            self.judge(number)

    def stop_reading(self, how: int) -> None:
        if not self.held:
            self.flush()
            self.host.wire.hold(True)
            self.held, self.behind = True, 0
            self.story.append("the suite stops reading")

    def begin_slow(self, how: int) -> None:
        if self.slow is None and how % 64 == 1:
            self.await_all(how)
            self.slow = Slow(self.call("sleep", SLOW, judge=self.host.results, told=(SLOW,)))

    # --- judging -------------------------------------------------------------------------------

    def judge(self, number: int) -> None:
        """Take the reply to a request."""
        self.read()
        self.story.append(f"the reply to #{number} is awaited")
        self.open.pop(number)()
        self.answered.append(number)
        if self.slow is not None and number == self.slow.number:
            self._overtaken(self.slow)
            self.slow = None

    def _overtaken(self, slow: Slow) -> None:
        """Everything that was sent in one write with the slow call had its reply before it."""
        order = self.host.order
        last = len(order) - 1 - order[::-1].index(slow.number)
        late = [number for number in slow.beside if number not in order[:last]]
        if late:
            raise Failure(
                f"a call of {SLOW} ms held up what was asked along with it",
                expected=f"the reply to #{late[0]} before that to #{slow.number}",
                seen=f"the replies in the order {order[-20:]}",
            )

    def _answered_twice(self, number: int, value: Any) -> None:
        for _ in range(2):
            self.host.results(number, value)

    def _fails(self, number: int, text: str) -> None:
        came = self.host.error(number, why="the service fails")
        if came != text:
            raise Failure("another error text than the service failed with", expected=repr(text), seen=repr(came))

    def _fails_somehow(self, number: int, part: str = "") -> None:
        came = self.host.error(number, why="there is no result")
        if part not in came:
            raise Failure("the error of a panic does not contain its text", expected=repr(part), seen=repr(came))

    def _has(self, number: int, meant: bool) -> None:
        reply = self.host.reply(number)
        if (reply.get("ok") or False) is not meant or reply.get("error") is not None:
            raise Failure("the answer to hasNamespace", expected=f"ok {meant}", seen=repr(reply)[:300])

    def _manifest(self, number: int, meant: Any) -> None:
        reply = self.host.reply(number)
        problem = difference("any", meant, reply.get("reply"), "the manifest")
        if problem or reply.get("error") is not None:
            raise Failure("the answer to getManifest", expected=repr(meant), seen=problem or repr(reply)[:300])

    def _services(self, number: int, meant: list[str]) -> None:
        reply = self.host.reply(number)
        if (reply.get("services") or []) != meant or reply.get("error") is not None:
            raise Failure("the answer to listServices", expected=repr(meant), seen=repr(reply)[:300])

    def no_more(self) -> None:
        """Check that nothing came that was not asked for."""
        extra = self.host.unasked()
        if extra:
            raise Failure("the host sent a reply too many", expected="one reply a request", seen=repr(extra)[:300])


_ASKING: list[Callable[[HostModel, int], None]] = [
    HostModel.echo,
    HostModel.echo,
    HostModel.add,
    HostModel.swap,
    HostModel.none,
    HostModel.blob,
    HostModel.sleep,
    HostModel.sleep,
    HostModel.fail,
    HostModel.fail_after,
    HostModel.panic,
    HostModel.unserializable,
    HostModel.misfit,
    HostModel.unknown,
    HostModel.bogus,
    HostModel.where,
    HostModel.has_namespace,
    HostModel.get_manifest,
    HostModel.list_services,
]
_TIMING: list[Callable[[HostModel, int], None]] = [
    HostModel.ask_again,
    HostModel.ask_twice,
    HostModel.send,
    HostModel.send,
    HostModel.await_one,
    HostModel.await_one,
    HostModel.await_all,
    HostModel.stop_reading,
]


@case("FUZ-05", features=("concurrent",), generated=True)
def test_interleaved(fuzz_host: Fuzz) -> None:
    """Calls, lookups and mistakes, slow and quick, in any order and timing: one reply each, the predicted one."""

    def run(host: HostSession, scenario: Scenario) -> int:
        model = HostModel(host, scenario)
        with telling(model):
            run_scenario(model, scenario, [*_ASKING, *_ASKING, *_TIMING, *_TIMING, HostModel.begin_slow])
            model.await_all(0)
            host.assert_alive()
            model.no_more()
        return model.asked + 1

    fuzz_host.check(scenarios(), run)


def _leaves(model: HostModel, complete: bool) -> None:
    """The plugin ends the connection and exits, and the host reports it."""
    host = model.host
    status = (0, 0, 7)[model.scenario.end % 3]
    host.disconnect(status)
    why = f"the plugin ended the connection {'between messages' if complete else 'within a message'}, exit {status}"
    model.story.append(why)
    host.ended(why=why, success=status == 0 and complete)


@case("FUZ-06", features=("concurrent",), needs=("halves",), generated=True)
def test_end_anywhere(fuzz_host: Fuzz) -> None:
    """The stream of requests ends at any byte: what was asked is answered, what was not is not, and the host ends."""

    def run(host: HostSession, scenario: Scenario) -> int:
        model = HostModel(host, scenario, longer=10)
        with telling(model):
            run_scenario(model, scenario, _ASKING)
            cut = scenario.cut(model.unsent)
            whole = [*model.open][: cut.whole]
            where = "behind" if cut.complete else "within the one behind"
            model.story.append(f"the stream ends after {len(cut.stream)} bytes, {where} {cut.whole} requests")
            host.send(cut.stream)
            if scenario.end % 4 == 3 and cut.complete:
                # The plugin goes at once, with services running and replies unread.
                _leaves(model, cut.complete)
                return cut.whole
            host.wire.close(read=False)
            if not cut.complete:
                # The host may end the connection at once, or answer what it was asked before.
                host.wait(lambda: host.wire.eof or all(map(host.arrived, whole)), "the replies, or end of file")
            for number in whole if cut.complete else filter(host.arrived, whole):
                model.judge(number)
            model.no_more()
            _leaves(model, cut.complete)
        return cut.whole

    fuzz_host.check(scenarios(60), run, fresh=True)


@case("FUZ-06", features=("concurrent",), generated=True)
def test_gone_anywhere(fuzz_host: Fuzz) -> None:
    """The plugin goes with calls outstanding, one of them for minutes: the host waits for none of them."""

    def run(host: HostSession, scenario: Scenario) -> int:
        model = HostModel(host, scenario)
        with telling(model):
            model.call("sleep", FOR_EVER, judge=host.results)
            run_scenario(model, scenario, [*_ASKING, HostModel.send])
            model.flush()
            if scenario.end % 2:
                _leaves(model, True)
            else:
                host.die("SIGKILL")
                host.ended(why="the plugin was killed with calls outstanding", success=False)
        return model.asked

    fuzz_host.check(scenarios(40), run, fresh=True)
