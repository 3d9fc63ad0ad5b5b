"""The steps of the doctor for the plugin side: each instruction, each outcome, and the ends of the control channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.doctor.conversation import Conversation
from conformance.doctor.steps import Examination, Log, Mistake, Skip, Step
from conformance.drive.capabilities import Role
from conformance.requirements import Side
from conformance.selection import transports_of

MADE_UP = "conformance-made-up"
STATUS = 7
"""The exit status that `exit` asks for."""

VALUES: dict[str, Any] = {"any": 42, "string": "x", "int64": 42, "bool": True, "float64": 0.5}
"""A value of each type that a call of the doctor may use, the first that the testee declares."""

Body = Callable[[Conversation, Examination], None]


def _role(examination: Examination) -> Role:
    role = examination.testee.role(Side.PLUGIN)
    if role is None:
        raise Skip("the testee declares no plugin side")
    return role


def _hosted(body: Body, *, feature: str = "") -> Callable[[Examination, Log], None]:
    """A step on a process that is hosted over the testee's first transport."""

    def run(examination: Examination, log: Log) -> None:
        role = _role(examination)
        transports = transports_of(role, Side.PLUGIN)
        if not transports:
            raise Skip("the testee declares no scheme that the suite has")
        if feature and feature not in role.features:
            raise Skip(f"the testee does not declare the feature {feature}")
        _with(
            Conversation(examination.testee, log, timeout=examination.timeout, transport=transports[0]),
            body,
            examination,
        )

    return run


def _unhosted(body: Body, *, feature: str = "", control_fd: bool = False) -> Callable[[Examination, Log], None]:
    """A step on a process without a host."""

    def run(examination: Examination, log: Log) -> None:
        role = _role(examination)
        if feature and feature not in role.features:
            raise Skip(f"the testee does not declare the feature {feature}")
        talk = Conversation(examination.testee, log, timeout=examination.timeout, control_fd=control_fd)
        _with(talk, body, examination)

    return run


def _with(talk: Conversation, body: Body, examination: Examination) -> None:
    try:
        body(talk, examination)
    finally:
        talk.close()


def _value(examination: Examination) -> tuple[str, Any]:
    role = _role(examination)
    for name, value in VALUES.items():
        if role.takes(name):
            return name, value
    raise Skip("the testee declares none of the types " + ", ".join(VALUES))


def _expect(talk: Conversation, id_: int, kind: str, value: Any = None) -> None:
    """Expect this outcome; `unsupported` ends the step, and is none of its mistakes."""
    came, what = talk.outcome(id_)
    if came == "unsupported" and kind != "unsupported":
        raise Skip(f"the testee says that this is unsupported: {what}")
    if came != kind:
        raise Mistake(f"the outcome of instruction {id_} is {came!r} ({what!r}), expected {kind!r}")
    if what != value:
        raise Mistake(f"the outcome of instruction {id_} has {what!r}, expected {value!r}")


# --- without a host -------------------------------------------------------------------------------


def _unknown_op(talk: Conversation, examination: Examination) -> None:
    id_ = talk.give(MADE_UP)
    kind, value = talk.outcome(id_)
    if kind != "unsupported":
        raise Mistake(
            f"the op {MADE_UP!r}, which does not exist, was answered with {kind!r} ({value!r}), expected 'unsupported':"
            " a testee that claims to know it proves nothing by its other answers"
        )


def _not_hosted(talk: Conversation, examination: Examination) -> None:
    _expect(talk, talk.give("hosted"), "ok", False)


def _unknown_field(talk: Conversation, examination: Examination) -> None:
    id_ = talk.give("hosted", **{MADE_UP: [1]})
    kind, value = talk.outcome(id_)
    if kind not in ("ok", "unsupported"):
        raise Mistake(f"an instruction with the unknown field {MADE_UP!r} ended with {kind!r} ({value!r})")


def _unknown_type(talk: Conversation, examination: Examination) -> None:
    id_ = talk.give("call", namespace="n", name="s", args=[1], params=[MADE_UP], results=[])
    kind, value = talk.outcome(id_)
    if kind != "unsupported":
        raise Mistake(
            f"a call with the type {MADE_UP!r}, which does not exist, was answered with {kind!r} ({value!r}),"
            " expected 'unsupported'"
        )


def _unknown_misuse(talk: Conversation, examination: Examination) -> None:
    id_ = talk.give("bind", namespace="n", name="s", params=[], results=[], misuse=MADE_UP)
    kind, value = talk.outcome(id_)
    if kind != "unsupported":
        raise Mistake(
            f"a bind with the misuse {MADE_UP!r}, which does not exist, was answered with {kind!r} ({value!r}),"
            " expected 'unsupported'"
        )


def _exit(talk: Conversation, examination: Examination) -> None:
    id_ = talk.give("exit", code=STATUS)
    if talk.answers_before_its_end():
        kind, value = talk.outcome(id_)
        if kind == "unsupported":
            raise Skip(f"the testee says that this is unsupported: {value}")
        raise Mistake(f"the instruction exit has no outcome, and the testee wrote {kind!r} ({value!r})")
    status = talk.exit_status(f"the instruction exit with code {STATUS}")
    if status != STATUS:
        raise Mistake(f"the instruction exit with code {STATUS} ended the process with status {status}")


def _end_of_input(talk: Conversation, examination: Examination) -> None:
    talk.outcome(talk.give(MADE_UP))
    talk.end_input()
    status = talk.exit_status("the end of standard input")
    if status != 0:
        raise Mistake(f"at the end of standard input the process exits with status {status}, expected 0")


def _once(talk: Conversation, examination: Examination) -> None:
    talk.outcome(talk.give(MADE_UP))
    talk.end_input()
    talk.exit_status("the end of standard input")
    if talk.more:
        raise Mistake(f"one instruction got a second outcome: {talk.more[0].decode(errors='replace')}")


def _control_descriptors(talk: Conversation, examination: Examination) -> None:
    talk.outcome(talk.give(MADE_UP))


def _fallback(talk: Conversation, examination: Examination) -> None:
    _expect(talk, talk.give("fallback", namespace="n", name="s", args=[1, 2]), "ok", [2, 1])


# --- with a host ----------------------------------------------------------------------------------


def _is_hosted(talk: Conversation, examination: Examination) -> None:
    _expect(talk, talk.give("hosted"), "ok", True)


def _call(talk: Conversation, examination: Examination) -> None:
    of, value = _value(examination)
    id_ = talk.give("call", namespace="n", name="s", args=[value], params=[of], results=[of])
    request = talk.request(id_, "the request of the call")
    sent = {"type": "call", "namespace": "n", "name": "s", "args": [value]}
    for key, expected in sent.items():
        if request.get(key) != expected:
            raise Mistake(f"the request of the call has {key} {request.get(key)!r}, expected {expected!r}")
    talk.reply(request, reply=[value])
    kind, came = talk.outcome(id_)
    if kind == "ok" and not isinstance(came, list):
        raise Mistake(f"the outcome of a call has {came!r} for 'ok', expected the array of its results, [{value!r}]")
    if (kind, came) != ("ok", [value]):
        raise Mistake(f"the outcome of a call is {kind!r} with {came!r}, expected 'ok' with [{value!r}]")


def _error(talk: Conversation, examination: Examination) -> None:
    text = "no such file: /none"
    id_ = talk.give("call", namespace="n", name="fail", args=[], params=[], results=[])
    talk.reply(talk.request(id_, "the request of the call"), error=text)
    kind, came = talk.outcome(id_)
    if kind != "error":
        raise Mistake(f"a call that failed in the service ended with {kind!r} ({came!r}), expected 'error'")
    if came != text:
        raise Mistake(f"the text of the error is {came!r}, expected exactly what the service said, {text!r}")


def _lookup(op: str, answer: dict[str, Any], value: Any) -> Body:
    def body(talk: Conversation, examination: Examination) -> None:
        id_ = talk.give(op, namespace="n")
        request = talk.request(id_, f"the request of {op}")
        if request.get("type") != op:
            raise Mistake(f"the request of {op} has type {request.get('type')!r}")
        talk.reply(request, **answer)
        _expect(talk, id_, "ok", value)

    return body


def _async(talk: Conversation, examination: Examination) -> None:
    of, value = _value(examination)
    fields: dict[str, Any] = {"namespace": "n", "args": [], "params": [], "results": [of], "async": True}
    ids = {talk.give("call", name=name, **fields): name for name in ("first", "second")}
    first, second = ids
    requests: dict[str, dict[str, Any]] = {}
    for each in ids:
        request = talk.request(each, "the request of a second call, while the first one has no reply")
        requests[str(request.get("name"))] = request
    if set(requests) != {"first", "second"}:
        raise Mistake(f'two calls with "async" caused requests for {", ".join(requests)}')
    talk.reply(requests["second"], reply=[value])
    _expect(talk, second, "ok", [value])
    talk.reply(requests["first"], reply=[value])
    _expect(talk, first, "ok", [value])


def _end_while_waiting(talk: Conversation, examination: Examination) -> None:
    fields: dict[str, Any] = {"args": [], "params": [], "results": [], "async": True}
    talk.request(talk.give("call", namespace="n", name="s", **fields), "the request of the call")
    talk.end_input()
    status = talk.exit_status("the end of standard input, while a call waits for its reply")
    if status != 0:
        raise Mistake(f"at the end of standard input, while a call waits, the process exits with {status}, expected 0")


OUTCOMES, INSTRUCTIONS, PLUGIN = "#outcomes", "#instructions", "#2-the-plugin-side"
START, ONCE, CALL = (
    "plugin: starts, and answers what does not exist",
    "plugin: one outcome for each instruction",
    "plugin: call",
)

STEPS = (
    Step(START, '{"id":…,"unsupported":"reason"}', OUTCOMES, _unhosted(_unknown_op)),
    Step(ONCE, "nothing after it", OUTCOMES, _unhosted(_once), START),
    Step("plugin: hosted, without a host", '"ok":false', INSTRUCTIONS, _unhosted(_not_hosted), START),
    Step("plugin: an unknown field", "it is ignored", OUTCOMES, _unhosted(_unknown_field), START),
    Step("plugin: a type that does not exist", '"unsupported":"reason"', OUTCOMES, _unhosted(_unknown_type), START),
    Step("plugin: a misuse that does not exist", '"unsupported":"reason"', OUTCOMES, _unhosted(_unknown_misuse), START),
    Step("plugin: exit", f"exit status {STATUS}, and no outcome", INSTRUCTIONS, _unhosted(_exit), START),
    Step("plugin: end of input", "exit status 0", PLUGIN, _unhosted(_end_of_input), START),
    Step(
        "plugin: control descriptors",
        "instructions and outcomes on the descriptors of CONFORMANCE_CONTROL",
        PLUGIN,
        _unhosted(_control_descriptors, feature="control-fd", control_fd=True),
        START,
    ),
    Step("plugin: fallback", '"ok":[2, 1]', INSTRUCTIONS, _unhosted(_fallback, feature="fallback"), START),
    Step("plugin: hosted, with a host", '"ok":true', INSTRUCTIONS, _hosted(_is_hosted), START),
    Step(CALL, 'a request on the connection, then "ok":[results…]', INSTRUCTIONS, _hosted(_call), ONCE),
    Step("plugin: the error of a service", '"error" with exactly its text', OUTCOMES, _hosted(_error), CALL),
    Step("plugin: hasNamespace", '"ok":true', INSTRUCTIONS, _hosted(_lookup("hasNamespace", {"ok": True}, True)), CALL),
    Step(
        "plugin: getManifest",
        '"ok":manifest',
        INSTRUCTIONS,
        _hosted(_lookup("getManifest", {"reply": {"a": 1}}, {"a": 1})),
        CALL,
    ),
    Step(
        "plugin: listServices",
        '"ok":[names…]',
        INSTRUCTIONS,
        _hosted(_lookup("listServices", {"services": ["s", "t"]}, ["s", "t"])),
        CALL,
    ),
    Step(
        "plugin: async",
        "a second request while the first call has no reply",
        INSTRUCTIONS,
        _hosted(_async, feature="concurrent"),
        CALL,
    ),
    Step(
        "plugin: end of input while a call waits",
        "exit status 0",
        PLUGIN,
        _hosted(_end_while_waiting, feature="concurrent"),
        CALL,
    ),
)
"""The steps in their order."""
