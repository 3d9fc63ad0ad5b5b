"""How a host tells a plugin that something failed."""

from __future__ import annotations

from conformance.case import case
from conformance.drive.host import HostSession
from conformance.outcomes import Failure

TEXTS = {
    "plain": "boom",
    "empty": "",
    "a space": " ",
    "lines": "first\nsecond\r\n\ttab\n",
    "control characters": "".join(map(chr, range(32))) + "\x7f",
    "non-ASCII": "äß€ 漢字 \U0001f600 e\u0301",
    "looks like a message": '{"sequence":1,"error":"x"}\n',
    "looks like null": "null",
    "directives of formats": "100%s %d %(x)s {} {0} $1 \\n",
    "1 MiB": "long " * ((1 << 20) // 5),
}


@case("ERR-06")
def test_failing_service(host: HostSession) -> None:
    """The text of a failing service arrives exactly, empty, long, and in any characters; the host goes on."""
    for name, text in TEXTS.items():
        with host.trying(f"the error text: {name}"):
            error = host.error(host.call("fail", text), why="the service failed")
            if error != text:
                raise Failure("another error text", expected=repr(text)[:200], seen=repr(error)[:200])
    host.assert_alive()


@case("ERR-06")
def test_failing_after_success(host: HostSession) -> None:
    """Failures and successes of the same connection do not mix."""
    sequences = [(host.call("fail", f"error {i}"), host.call("echo", i)) for i in range(50)]
    for i, (failing, succeeding) in enumerate(sequences):
        host.results(succeeding, i)
        error = host.error(failing, why="the service failed")
        if error != f"error {i}":
            raise Failure("the error of another call", expected=f"error {i}", seen=error)


@case("ERR-07")
def test_failing_with_results(host: HostSession) -> None:
    """A service that fails with further results is answered with its error; the results may be there."""
    for name, text in TEXTS.items():
        with host.trying(f"the error text: {name}"):
            sequence = host.call("fail_after", "partial", text)
            reply = host.reply(sequence)
            if reply.get("error") != text:
                raise Failure(
                    "a service that failed with results",
                    expected=f"the error {text[:100]!r}",
                    seen=repr(reply)[:300],
                )
            if reply.get("reply") not in (None, [], ["partial"]):
                raise Failure(
                    "made-up results beside the error", expected="['partial'] or none", seen=repr(reply)[:300]
                )
    host.assert_alive()


@case("ERR-08")
def test_undefined_namespace(host: HostSession) -> None:
    """A call, a manifest and a list of services of a namespace that nobody defined are errors."""
    for namespace in ("conformance/missing", "", "conformance/", "/conformance", "ünknown"):
        with host.trying(f"the namespace {namespace!r}"):
            host.error(host.call("echo", 1, namespace=namespace), why="a call in an undefined namespace")
            for type_ in ("getManifest", "listServices"):
                host.error(host.request(type_, namespace), why=f"{type_} of an undefined namespace")
    host.assert_alive()


@case("ERR-08")
def test_undefined_service(host: HostSession) -> None:
    """A call of a service that nobody added is an error, whatever its arguments."""
    for name in ("missing", "", "echo ", " echo", "echo/", "__init__", "constructor", "toString"):
        with host.trying(f"the name {name!r}"):
            host.error(host.call(name, 1), why="the service is not defined")
            host.error(host.call(name), why="the service is not defined")
    host.error(host.call("echo", 1, namespace="conformance/empty"), why="the service is of another namespace")
    host.assert_alive()


@case("ERR-08")
def test_unknown_type(host: HostSession) -> None:
    """A request of an unknown type, or of none, is answered with an error."""
    for type_ in ("bogus", "", "calls", "reply", "hasnamespace ", "ünknown"):
        with host.trying(f"the type {type_!r}"):
            host.error(host.request(type_, name="echo", args=[1]), why="there is no such type of request")
    for name, keys in {"no type": {}, "type null": {"type": None}}.items():
        sequence = host.fresh()
        with host.trying(name):
            host.send_message({"sequence": sequence, "namespace": "conformance", "name": "echo", "args": [1], **keys})
            host.error(sequence, why="the request has no type")
    host.assert_alive()


@case("ERR-08")
def test_request_without_anything(host: HostSession) -> None:
    """A request that has nothing but a sequence is answered with an error."""
    sequence = host.fresh()
    host.send_message({"sequence": sequence})
    host.error(sequence, why="the request names nothing")
    host.assert_alive()


@case("ERR-09")
def test_texts(host: HostSession) -> None:
    """The texts of the errors about namespace, service and type."""
    missing = 'undefined namespace "conformance/missing"'
    for what, sequence, meant in (
        ("a call", host.call("echo", 1, namespace="conformance/missing"), missing),
        ("getManifest", host.request("getManifest", "conformance/missing"), missing),
        ("listServices", host.request("listServices", "conformance/missing"), missing),
        ("a service", host.call("missing"), 'undefined service "missing"'),
        ("a type", host.request("bogus"), 'invalid request type "bogus"'),
    ):
        error = host.error(sequence, why=f"{what} that is not there")
        if error != meant:
            raise Failure(f"the error of {what} that is not there", expected=meant, seen=error[:300])


@case("ERR-09")
def test_order_of_checks(host: HostSession) -> None:
    """The namespace is checked before the type, and the type before the service."""
    for what, sequence, meant in (
        (
            "an unknown type in an undefined namespace",
            host.request("bogus", "conformance/missing", name="missing"),
            'undefined namespace "conformance/missing"',
        ),
        ("an unknown type with an undefined service", host.request("bogus", name="x"), 'invalid request type "bogus"'),
        (
            "an undefined service with bad arguments",
            host.request("call", name="missing", args="none"),
            'undefined service "missing"',
        ),
    ):
        error = host.error(sequence, why=what)
        if error != meant:
            raise Failure(what, expected=meant, seen=error[:300])


@case("ERR-10")
def test_panic(host: HostSession) -> None:
    """A panic in a service is an error of that call that contains its text; the host goes on."""
    for name, text in TEXTS.items():
        if name == "1 MiB":
            continue  # how much of a panic's text is told is the host's own choice; this is far more than any
        with host.trying(f"the text of the panic: {name}"):
            error = host.error(host.call("panic", text), why="the service panicked")
            if text not in error:
                raise Failure("the error does not tell the panic's text", expected=repr(text), seen=repr(error)[:300])
    host.assert_alive()


@case("ERR-10", features=("concurrent",))
def test_panic_beside_running_calls(host: HostSession) -> None:
    """Panics leave calls that are running at the same time alone."""
    running = [host.call("sleep", 200) for _ in range(5)]
    for i in range(10):
        host.error(host.call("panic", f"panic {i}"), why="the service panicked")
    for sequence in running:
        host.results(sequence, 200)
    host.assert_alive()


@case("ERR-11")
def test_text_of_a_panic(host: HostSession) -> None:
    """The error of a panic says where it comes from."""
    error = host.error(host.call("panic", "aargh"), why="the service panicked")
    if error != "panic in service: aargh":
        raise Failure("the error of a panic", expected="panic in service: aargh", seen=error[:300])


@case("ERR-12")
def test_result_that_json_cannot_carry(host: HostSession) -> None:
    """A result that JSON cannot carry is an error of that call, never a reply without it; the host goes on."""
    for _ in range(3):
        error = host.error(host.call("unserializable"), why="the result cannot be carried by JSON")
        if not error.strip():
            raise Failure(
                "the error of a result that JSON cannot carry is empty", expected="a reason", seen=repr(error)
            )
        host.assert_alive()
